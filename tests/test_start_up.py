"""Which modules a command may load: each one that it does not need makes every run of it slower."""

import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec
import pytest
from tests.cli.home import Home
from tests.cli.terminal import PATIENCE, Terminal
from tests.signin.test_access_tokens import token
from tests.store.http.scripted import answer, certified, serving
from tests.support.kept import sign_in
from tests.support.people import HOME

from supportaccess.cli.app.group import Lazy
from supportaccess.cli.main import COMMANDS
from supportaccess.cli.output.formats import FORMATS

# Writes down at the end what was loaded.
_NOTHING = """
import atexit, sys
file = sys.argv.pop(1)
atexit.register(lambda: open(file, "w").write("\\n".join(sys.modules)))
"""
# What the console script does.
_PROGRAM = f"""{_NOTHING}
from supportaccess.__main__ import main
main()
"""

_HEAVY = ("requests", "urllib3", "msal", "pydantic", "importlib.metadata")
_OTHER_FORMATS = ("yaml", "jmespath", "csv")
_ONLY_FOR_CHANGES = (
    "tomlkit",
    "filelock",
    "supportaccess.sources",
    "supportaccess.sources.entra.rebuild",
    "supportaccess.store.sql.imports",
    "supportaccess.store.sql.maintenance",
    "supportaccess.store.sql.migrations",
    "supportaccess.store.sql.verify",
    "supportaccess.store.sql.store",
    "supportaccess.store.sql.idempotency",
)
# What an embedded store needs for other things than a list.
_UNUSED_HERE = ("supportaccess.tlog.tiles", "supportaccess.domain.lifecycle", "supportaccess.domain.events")
# What holds a shared store's log against what was seen of it: needed only once something was, and it is another.
_PROOFS = ("supportaccess.tlog.files", "supportaccess.tlog.tiles", "supportaccess.tlog.notes")


def _modules(table: Mapping[str, Lazy]) -> Iterator[str]:
    for each in table.values():
        if each.commands is None:
            yield each.function.partition(":")[0]
        else:
            yield from _modules(each.commands)


_COMMANDS = set(_modules(COMMANDS))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Return a home whose store has something to list."""
    home = Home(tmp_path)
    home.add_tenant(alias="contoso", default=True)
    home.one_of_each()
    return home


def test_the_version_loads_nothing(home: Home) -> None:
    """--version loads nothing beside the package and its entry point."""
    bare = _run(home, _NOTHING)
    assert _run(home, _PROGRAM, "--version") - bare == {"supportaccess", "supportaccess.__main__"}


@pytest.mark.parametrize("arguments", [["--help"], [], ["tenant", "--help"]], ids=" ".join)
def test_help_loads_no_command_and_nothing_that_a_command_needs(home: Home, arguments: list[str]) -> None:
    """Help is written without a command, a store or a library that only commands use."""
    loaded = _run(home, _PROGRAM, *arguments)
    needless = (
        *(*_HEAVY, *_OTHER_FORMATS, "rich", "platformdirs", "sqlite3", "msgspec", "json"),
        *("tomllib", "tomlkit", "filelock", "hashlib", "tempfile"),
        *(*_COMMANDS, "supportaccess.store", "supportaccess.sources", "supportaccess.settings"),
    )
    assert _among(loaded, needless) == []


@pytest.mark.parametrize(
    "arguments", [["list"], ["list", "-o", "json"], ["list", "--approved", "-o", "jsonl"]], ids=" ".join
)
def test_a_list_in_a_pipe_loads_what_it_prints_with(home: Home, arguments: list[str]) -> None:
    """A list in a pipe loads neither Rich nor what only other formats and changes need."""
    loaded = _run(home, _PROGRAM, *arguments)
    unused = ("platformdirs", "tempfile", "supportaccess.store.background", *_UNUSED_HERE)
    assert _among(loaded, [*_HEAVY, *_OTHER_FORMATS, *_ONLY_FOR_CHANGES, *unused, "rich"]) == []
    assert _COMMANDS & loaded == {"supportaccess.cli.requests.list"}
    assert _formats(loaded) == {arguments[-1] if "-o" in arguments else "tsv"}


def test_a_watch_in_a_pipe_loads_what_it_tells_with(home: Home) -> None:
    """A watch that notifies nobody loads neither Apprise and what that needs nor Rich, and no other command."""
    loaded = _run(home, _PROGRAM, "watch", "--once")
    assert _among(loaded, [*_HEAVY, *_OTHER_FORMATS, "apprise", "rich", "tomlkit", "supportaccess.sources"]) == []
    assert _COMMANDS & loaded == {"supportaccess.cli.watch.watch"}


def test_a_list_over_http_loads_no_store_and_asks_once(home: Home, tmp_path: Path) -> None:
    """A list of a shared store loads neither the embedded store nor what signs in or finds out, and asks one thing."""
    certificate = certified(tmp_path)
    records = home.raised("1", "2")
    body = msgspec.json.encode({"value": records})
    with serving(certificate.files) as server:
        home.run("tenant", "set", "contoso", "--endpoint", server.url)
        server.will(answer(200, body))
        tokens = {"SSL_CERT_FILE": str(certificate.authority), "SUPPORTACCESS_ACCESS_TOKEN": token(HOME)}
        loaded = _run(home, _PROGRAM, "list", "-o", "json", more=tokens)

        assert [asked.path.partition("?")[0] for asked in server.asked] == ["/v1/access-requests"]
    embedded = ("sqlite3", "supportaccess.store.sql.sqlite.open", "supportaccess.store.sql", "supportaccess.server")
    needless = ("rich", "msal", "requests", "truststore", "urllib.request", "concurrent", "yaml", "jmespath")
    unused = ("dataclasses", "supportaccess.cli.output.times", "supportaccess.domain.lint.findings", *_PROOFS)
    assert _among(loaded, [*embedded, *needless, *unused, *_ONLY_FOR_CHANGES]) == []
    assert "urllib3" in loaded
    assert _COMMANDS & loaded == {"supportaccess.cli.requests.list"}


def test_a_list_with_a_kept_token_loads_nothing_that_signs_in(home: Home, tmp_path: Path) -> None:
    """A good token of the cache is read without MSAL, and neither endpoint nor authority is asked how to sign in."""
    certificate = certified(tmp_path)
    with serving(certificate.files) as server:
        sign_in(home.environment, server.url)
        server.will(answer(200, msgspec.json.encode({"value": home.raised("1", "2")})))
        loaded = _run(home, _PROGRAM, "list", "-o", "json", more={"SSL_CERT_FILE": str(certificate.authority)})

        assert [asked.path.partition("?")[0] for asked in server.asked] == ["/v1/access-requests"]
        assert server.asked[0].headers["Authorization"] == "Bearer kept.in.cache"
    needless = ("msal", "msal_extensions", "requests", "cryptography", "jwt", "filelock", "tomlkit", "truststore")
    assert _among(loaded, [*needless, *_PROOFS, "supportaccess.signin.renewal", "supportaccess.signin.http"]) == []


def test_a_list_on_a_terminal_loads_rich_and_no_more_of_it_than_tables(home: Home) -> None:
    """A table loads of Rich what tables need, and nothing of other formats and changes."""
    report = home.folder / "modules"
    with Terminal([sys.executable, "-c", _PROGRAM, str(report), "list"], home.environment) as terminal:
        screen = terminal.finish()
    assert screen.code == 0, screen.text
    loaded = _read(report)
    assert "rich.table" in loaded
    assert _formats(loaded) == {"table"}
    assert _among(loaded, [*_HEAVY, *_OTHER_FORMATS, *_ONLY_FOR_CHANGES, "rich.progress", "rich.live"]) == []
    assert _COMMANDS & loaded == {"supportaccess.cli.requests.list"}


def _run(home: Home, program: str, *arguments: str, more: Mapping[str, str] | None = None) -> set[str]:
    """Run a program in a pipe and return the names of the modules that were loaded at its end."""
    report = home.folder / "modules"
    done = subprocess.run(
        [sys.executable, "-c", program, str(report), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env={**home.environment, **(more or {})},
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return _read(report)


def _formats(loaded: Iterable[str]) -> set[str]:
    """Return the names of the formats whose modules were loaded."""
    names = {name.removeprefix("supportaccess.cli.output.formats.") for name in loaded}
    return names & set(FORMATS)


def _read(report: Path) -> set[str]:
    return set(report.read_text().split("\n"))


def _among(loaded: Iterable[str], packages: Iterable[str]) -> list[str]:
    """Return the loaded modules that are one of the packages or inside it."""
    packages = tuple(packages)
    return sorted(
        name for name in loaded if name in packages or name.startswith(tuple(f"{each}." for each in packages))
    )
