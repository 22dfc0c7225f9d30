"""What somebody sees who tries the program for the first time, or mistypes."""

import re
import sys
from collections.abc import Iterator, Mapping
from shlex import quote

import pytest
from tests.cli.home import Home

from supportaccess import __version__
from supportaccess.cli.app.group import Lazy
from supportaccess.cli.main import COMMANDS


def paths(table: Mapping[str, Lazy] = COMMANDS, before: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Lazy]]:
    """Yield the words that call each command and group, and what they call."""
    for name, lazy in table.items():
        yield (*before, name), lazy
        if lazy.commands is not None:
            yield from paths(lazy.commands, (*before, name))


ALL = dict(paths())
GROUPS = [words for words, lazy in ALL.items() if lazy.commands is not None]
every_command = pytest.mark.parametrize("words", ALL, ids=" ".join)


def test_the_program_alone_shows_its_help_on_one_screen(new_home: Home) -> None:
    """Without arguments the help is shown, and a terminal of 80 by 24 holds it with the prompt below."""
    screen = new_home.on_terminal()
    assert screen.code == 0
    assert len(screen.lines) < 24
    assert max(map(len, screen.lines)) <= 80
    assert all(f"  {name} " in screen.text for name in COMMANDS)


def test_the_program_alone_shows_its_help_in_a_pipe(new_home: Home) -> None:
    """Without arguments and without a terminal, the same help goes to standard output."""
    result = new_home.run()
    assert (result.code, result.err) == (0, "")
    assert result.out == new_home.run("--help").out == new_home.run("-h").out


@pytest.mark.parametrize("words", GROUPS, ids=" ".join)
def test_a_group_alone_shows_its_help(new_home: Home, words: tuple[str, ...]) -> None:
    """A group without a command lists its commands, as its --help does."""
    result = new_home.run(*words)
    assert (result.code, result.err) == (0, "")
    assert result.out == new_home.run(*words, "--help").out


@every_command
def test_help_of_every_command(new_home: Home, words: tuple[str, ...]) -> None:
    """Every command has help, within 80 columns but for its examples."""
    result = new_home.run(*words, "--help")
    assert (result.code, result.err) == (0, "")
    text, _, examples = result.out.partition("Examples:")
    assert text.startswith(f"Usage: supportaccess {' '.join(words)} ")
    assert max(map(len, text.splitlines())) <= 80
    assert f"supportaccess {' '.join(words)}" in examples


@pytest.mark.process
@every_command
def test_help_is_without_rich(new_home: Home, words: tuple[str, ...]) -> None:
    """No command's help imports Rich, which would cost as much again."""
    result = new_home.process(*words, "--help", env={"PYTHONPROFILEIMPORTTIME": "1"})
    imported = {line.rpartition("|")[2].strip() for line in result.err.splitlines()}
    assert "supportaccess.cli.main" in imported
    assert "rich" not in imported


@every_command
def test_help_on_a_terminal(new_home: Home, words: tuple[str, ...]) -> None:
    """On a terminal the help is the same as in a pipe, without colours."""
    screen = new_home.on_terminal(*words, "--help")
    assert (screen.code, screen.coloured) == (0, new_home.run(*words, "--help").out)


@every_command
def test_no_option_takes_a_secret(new_home: Home, words: tuple[str, ...]) -> None:
    """No command has an option whose value would be a secret: others can read a command line. A place may be named."""
    text = new_home.run(*words, "--help").out.lower()
    assert not re.findall(r"--(?:token|password|secret|passphrase|credential)s?(?!\w|-env |-file )", text)


@pytest.mark.parametrize("arguments", [("--version",), ("-q", "--version"), ("--version", "list")], ids=" ".join)
def test_version(new_home: Home, arguments: tuple[str, ...]) -> None:
    """The version is one line, on a terminal and in a pipe."""
    line = f"supportaccess {__version__}\n"
    assert new_home.run(*arguments) == (0, line, "")
    screen = new_home.on_terminal(*arguments)
    assert (screen.code, screen.text) == (0, line)


@pytest.mark.parametrize("command", ["list", "store sweep -q", "tenant show", "audit log", "provider close 1 --yes"])
def test_without_a_tenant_a_command_says_how_to_get_one(new_home: Home, command: str) -> None:
    """A command that needs a tenant, with none set up, exits with 3 and names the commands that mend it."""
    if command == "store sweep -q":  # the store is one file for all tenants
        assert new_home.run(*command.split()) == (0, "", "")
        return
    for code, out, told in (
        (*new_home.run(*command.split()),),
        ((screen := new_home.on_terminal(*command.split())).code, "", screen.text),
    ):
        assert (code, out) == (3, "")
        assert "Error: no tenant is set up yet" in told
        assert "supportaccess import FILE --tenant TENANT_ID" in told
        assert "supportaccess tenant set TENANT_ID" in told


def test_an_empty_store_says_what_comes_next(home: Home) -> None:
    """Listing an empty store is no error, and says how something gets into it."""
    result = home.run("list")
    screen = home.on_terminal("list")
    assert (result.code, result.out, screen.code) == (0, "", 0)
    for told in (result.err, screen.text):
        assert "has no access requests" in told
        assert "supportaccess import FILE" in told
        assert "supportaccess provider raise --help" in told
    assert home.run("list", "-q") == (0, "", "")
    assert home.run("list", "-q", "-o", "json").json == []


MISTYPED = [
    ("lst", 2, "did you mean list?"),
    ("aprove 1234", 2, "did you mean approve?"),
    ("tenant lst", 2, "did you mean list?"),
    ("audit verfy", 2, "did you mean verify?"),
    ("provider rase", 2, "did you mean raise?"),
    ("nonsense", 2, "supportaccess --help"),
    ("list --aproved", 2, "--approved"),
    ("list --statsu pending", 2, "--status"),
    ("--versoin", 2, "--version"),
    ("show", 2, "supportaccess show --help"),
    ("list surplus", 2, "supportaccess list --help"),
    ("list --status aproved", 2, "did you mean approved?"),
    ("list --status everything", 2, "pending, approved, rejected"),
    ("list --sort createdat", 2, "did you mean createdAt?"),
    ("list --sort nonsense", 2, "attention, id"),
    ("list --columns id,supportrequestid", 2, "did you mean supportRequestId?"),
    ("list --columns nonsense", 2, "Choose from: id"),
    ("list --columns id,id", 2, "named twice"),
    ("list --since 7days", 2, "did you mean 7d?"),
    ("list --since 2026-3-1", 2, "did you mean 2026-03-01?"),
    ("list --since 2026-03-01T09:30:00", 2, "did you mean 2026-03-01T09:30:00Z?"),
    ("list --until tomorrow", 2, "RFC 3339"),
    ("list --since 2026-02-30", 2, "not a time that exists"),
    ("list --output tabel", 2, "did you mean table?"),
    ("list --limit none", 2, "--limit"),
    ("list --limit 0", 2, "--limit"),
    ("list --query [", 2, "--query"),
    ("list --query id --columns id", 2, "cannot be combined"),
    ("list -o ids --columns id", 2, "Use -o tsv"),
    ("list --tenant contso", 5, "did you mean 'contoso'?"),
    ("list --tenant fabrikam", 5, "supportaccess tenant list"),
    ("list --tenant 99999999-9999-4999-8999-999999999999", 3, "supportaccess tenant set 99999999"),
    ("list --tenant contoso --all-tenants", 2, "contradict"),
    ("list --resource-tenant contso", 5, "did you mean 'contoso'?"),
    ("tenant use contso", 5, "did you mean 'contoso'?"),
    ("tenant set nobody", 5, "supportaccess tenant set TENANT_ID --alias nobody"),
    ("audit log --activity requestapproved", 2, "did you mean 'Request approved'?"),
    ("audit log --activity nonsense", 2, "Request created, Request approved"),
    ("show 123", 5, "at least 4 characters"),
    ("show zzzzzzzz", 5, "there is no access request 'zzzzzzzz'"),
    ("approve 1234 --for 8hours --yes", 2, "did you mean 8h?"),
    ("approve 1234 --for 8h --until 8h --yes", 2, "--for and --until"),
]


@pytest.mark.parametrize(("command", "code", "meant"), MISTYPED, ids=[command for command, _, _ in MISTYPED])
def test_what_was_meant(home: Home, command: str, code: int, meant: str) -> None:
    """What is mistyped is refused before anything is done, with what was meant or what there is to choose from."""
    result = home.run(*command.split())
    assert (result.code, result.out) == (code, "")
    assert result.err.startswith("Error: ")
    assert meant in result.err


@pytest.mark.parametrize("command", ["lst", "list --status aproved", "list --tenant contso", "show zzzzzzzz"])
def test_what_was_meant_on_a_terminal(home: Home, command: str) -> None:
    """On a terminal the same is said, in red."""
    screen = home.on_terminal(*command.split())
    result = home.run(*command.split())
    assert (screen.code, screen.text) == (result.code, result.err)
    assert screen.coloured.startswith("\x1b[31mError: ")


def test_an_id_with_a_slip_is_recognised(home: Home) -> None:
    """An ID with one wrong character is not found, and the one that was meant is named."""
    (record,) = home.raised()
    slip = record.id[:-1] + ("0" if record.id[-1] != "0" else "1")
    result = home.run("show", slip)
    assert result.code == 5
    assert f"did you mean {record.id}?" in result.err


def test_options_of_every_command_may_stand_anywhere(home: Home) -> None:
    """Quiet may be said before the command or after it."""
    assert home.run("-q", "list") == home.run("list", "-q") == (0, "", "")


@pytest.mark.process
def test_the_module_can_be_run(new_home: Home) -> None:
    """`python -m supportaccess` is the same program."""
    result = new_home.shell(f"{quote(sys.executable)} -m supportaccess --version")
    assert (result.code, result.out) == (0, f"supportaccess {__version__}\n")


@pytest.mark.parametrize(
    "words",
    [
        "list --support-request", "list --resource-tenant", "list --engineer", "list --search", "list --since",
        "list --until", "list --status", "list --sort", "list --tenant", "list --columns", "list --query",
        "audit log --since", "audit log --until", "audit log --actor", "audit log --activity",
        "approve x -y --for", "approve x -y --until",
        "provider raise --support-request 1 --engineer e --reason r --for",
        "provider raise --support-request 1 --engineer e --reason r --decide-by",
        "provider raise --support-request 1 --engineer e --reason r --resource-tenant",
        "provider raise --support-request 1 --engineer e --reason r --title",
    ],
)  # fmt: skip
def test_an_empty_value_is_refused(home: Home, words: str) -> None:
    """An option that was given nothing, as an unset variable does, never means "all" or "no limit"."""
    result = home.run(*words.split(), "")
    assert (result.code, result.out) == (2, "")
    assert home.run("list", "--all", "-q").out == ""


def test_what_was_meant_is_said_before_a_tenant_is_asked_for(new_home: Home) -> None:
    """With nothing configured a mistyped status or time is what is told."""
    assert "did you mean approved?" in new_home.run("list", "--status", "aproved").err
    assert new_home.run("list", "--since", "3x").code == 2
