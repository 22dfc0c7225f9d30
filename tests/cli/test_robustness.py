"""Whatever is typed, whatever breaks: a message and a documented exit code, never a traceback."""

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from subprocess import PIPE

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cli.home import EXAMPLE, TICKET, Home
from tests.cli.terminal import Terminal
from tests.support.examples import costly
from tests.support.people import HOME, RESOURCE
from tests.support.program import installed_program

from supportaccess.cli.app.exit_codes import ExitCode
from supportaccess.cli.main import COMMANDS, run

BOOM = """
import supportaccess.store.sql.sqlite.open
def boom(path):
    raise RuntimeError("boom \\x1b[2J")
supportaccess.store.sql.sqlite.open.open_embedded = boom
"""
WORDS = [*COMMANDS, *(name for lazy in COMMANDS.values() for name in lazy.commands or ())]
OPTIONS = (
    "--pending --approved --active --status --support-request --resource-tenant --engineer --since --until --search "
    "--limit -L --all --sort --tenant -t --all-tenants -o --output --columns --query --fail-if-any -q --no-color --raw "
    "--reason -r --yes -y --dry-run --for --title --decide-by --engineer-id --activity --actor --request "
    "--oldest-first --alias --format --version --help -h --"
)
VALUES = [
    "",
    " ",
    "-",
    "x",
    "pending",
    "approved",
    "table",
    "json",
    "csv",
    "yaml",
    "ids",
    "jsonl",
    "8h",
    "7d",
    "0",
    "-1",
    "99999999999999999999",
    "9" * 5000,
    "2026-03-01",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59Z",
    "[].id",
    "[",
    "&id",
    "id,status",
    "createdAt",
    "-endedBy.kind",
    "contoso",
    HOME,
    RESOURCE,
    TICKET,
    "26030",
    "Request approved",
    str(EXAMPLE),
    "/nonexistent/\x1b[2J",
    "\x1b[2J",
    "\u202e",
    "\udcff\udc80",
    "Ä" * 300,
    "x" * 100_000,
    "%_\\'\"",
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Return a home with a few requests, in a folder that whatever is written may be written to."""
    home = Home(tmp_path_factory.mktemp("robust"))
    home.add_tenant(HOME, "contoso", default=True)
    home.add_tenant(RESOURCE, "fabrikam")
    home.raised(TICKET, TICKET, "2")
    home.approved("3")
    home.crossing(RESOURCE)
    return home


def typed(home: Home, arguments: Sequence[str], stdin: bytes = b"") -> tuple[int, str]:
    """Run the program in this process; return the exit code and everything that was written."""
    out, err = io.BytesIO(), io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home.folder)
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), errors="surrogateescape"))
        patch.setattr(sys, "stdout", io.TextIOWrapper(out, write_through=True))
        patch.setattr(sys, "stderr", io.TextIOWrapper(err, write_through=True))
        code = run(arguments, home.environment)
        written = (out.getvalue() + err.getvalue()).decode()
    return code, written


def command_lines() -> st.SearchStrategy[list[str]]:
    """Return lines of commands, options and values, sensible or not."""
    command = st.sampled_from(
        [[name] for name in COMMANDS]
        + [[name, inner] for name, lazy in COMMANDS.items() for inner in lazy.commands or ()]
    )
    rest = st.one_of(st.sampled_from(OPTIONS.split()), st.sampled_from(VALUES), st.sampled_from(WORDS), st.text())
    return st.builds(lambda words, more: [*words, *more], command, st.lists(rest, max_size=6))


@costly(400)
@given(arguments=command_lines(), stdin=st.one_of(st.just(b""), st.binary(max_size=200), st.just(TICKET.encode())))
def test_anything_typed(place: Home, arguments: list[str], stdin: bytes) -> None:
    """No command line whatever makes the program fail: the exit code is a documented one, and nothing looks broken."""
    # The operating system passes no NUL and no half of a character that was never a byte.
    arguments = [os.fsdecode(os.fsencode(_bytes(each))) for each in arguments]
    if arguments[0] == "watch":
        arguments.append("--once")  # else it goes on
    code, written = typed(place, arguments, stdin)
    assert code in set(ExitCode)
    assert "Traceback" not in written
    assert "the program failed" not in written


def _bytes(text: str) -> bytes:
    return text.replace("\0", "0").encode("utf-8", "surrogateescape" if "\udcff" in text else "replace")


@pytest.mark.parametrize("value", VALUES, ids=lambda value: ascii(value[:20]))
def test_every_option_takes_every_value(place: Home, value: str) -> None:
    """No option of a reading command is brought down by a hostile value."""
    for command in (
        ["list", "--status"],
        ["list", "--support-request"],
        ["list", "--resource-tenant"],
        ["list", "--engineer"],
        ["list", "--search"],
        ["list", "--since"],
        ["list", "--until"],
        ["list", "--limit"],
        ["list", "--sort"],
        ["list", "--tenant"],
        ["list", "--columns"],
        ["list", "--query"],
        ["list", "-o"],
        ["show"],
        ["audit", "log", "--activity"],
        ["audit", "log", "--actor"],
        ["audit", "log", "--request"],
        ["approve", "--dry-run", "--for", value],
        ["approve", "--dry-run", "--until", value],
        ["tenant", "show"],
        ["audit", "verify"],
        ["audit", "verify", "--anchor"],
        ["audit", "verify", "--key"],
        ["audit", "export"],
        ["audit", "report", "--since", "7d", "--html"],
        ["store", "backup"],
        ["serve", "--check", "--config"],
        ["import", "--dry-run"],
        ["import", "--dry-run", str(EXAMPLE), "--tenant"],
    ):
        code, written = typed(place, [*command, value])
        assert code in set(ExitCode)
        assert "Traceback" not in written
        assert "the program failed" not in written, (command, value[:40])


@pytest.mark.parametrize("command", ["audit export", "audit report --since 7d --html", "audit verify", "store backup"])
@pytest.mark.parametrize("ending", ["", ".zip"])
def test_a_file_of_too_long_a_name(place: Home, command: str, ending: str) -> None:
    """It is named, with what is wrong with it."""
    name = f"{'9' * 300}{ending}"
    result = place.run(*command.split(), name)
    assert (result.code, result.out) == (1, "")
    assert name in result.err
    assert "File name too long" in result.err


def test_a_folder_that_cannot_be_looked_at(home: Home) -> None:
    """What stands in the way is told, and is not called a failure of the program."""
    place = home.folder / ("x" * 300)
    result = home.run("logout", env={"SUPPORTACCESS_CACHE_DIR": str(place)})
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(f"Error: {place}")
    assert result.err.endswith(" cannot be used: File name too long\n")


@pytest.fixture
def failing(home: Home) -> Home:
    """Return a home in which the program fails for a reason that nobody thought of."""
    folder = home.folder / "patched"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(BOOM)
    return home


@pytest.mark.process
def test_a_failure_of_the_program_is_one_line(failing: Home) -> None:
    """A failure that nobody thought of is told in one line with what to do, exit 1, and no traceback."""
    env = {"PYTHONPATH": str(failing.folder / "patched")}
    result = failing.process("list", env=env)
    assert (result.code, result.out) == (1, "")
    assert result.err.splitlines() == [
        "Error: the program failed: RuntimeError: boom \\u{1b}[2J",
        "Try:   the same command with --debug, and report what it shows.",
    ]
    screen = failing.on_terminal("list", env=env)
    assert screen.code == 1
    assert "Traceback" not in screen.text
    assert b"\x1b[2J" not in screen.raw


@pytest.mark.process
def test_a_traceback_only_when_asked_for(failing: Home) -> None:
    """--debug, or SUPPORTACCESS_DEBUG, shows the traceback, made harmless; `0` does not count."""
    env = {"PYTHONPATH": str(failing.folder / "patched")}
    for result in (
        failing.process("list", "--debug", env=env),
        failing.process("--debug", "list", env=env),
        failing.process("list", env=env | {"SUPPORTACCESS_DEBUG": "1"}),
    ):
        assert result.code == 1
        assert "Traceback (most recent call last)" in result.err
        assert "\x1b" not in result.err
    assert "Traceback" in failing.on_terminal("list", "--debug", env=env).text
    assert "Traceback" not in failing.process("list", env=env | {"SUPPORTACCESS_DEBUG": "0"}).err


def test_debug_shows_where_a_refusal_came_from(home: Home) -> None:
    """With --debug a refusal keeps its message and exit code, below the traceback."""
    result = home.run("show", "unknown", "--debug")
    assert result.code == 5
    assert "Traceback" in result.err
    assert "Error: there is no access request 'unknown'" in result.err


# Until Python has found the program it is Python that is interrupted, and tells so in its own way.
FROM_ITS_FIRST_LINE = """
import os, sys
from supportaccess.__main__ import main
sys.argv[1:] = ["list", "--all-tenants"]
os.write(2, b"begun\\n")
main()
"""


def test_ctrl_c_at_any_moment(home: Home) -> None:
    """Ctrl-C at any moment of a command ends it as interrupted or lets it end, with no word but that."""
    for delay in (0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.15, 0.2):
        child = subprocess.Popen(
            [sys.executable, "-c", FROM_ITS_FIRST_LINE], stdout=PIPE, stderr=PIPE, env=home.environment, text=True
        )
        assert child.stderr is not None
        assert child.stderr.readline() == "begun\n"
        time.sleep(delay)
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=60)
        assert child.returncode in {0, 130, -signal.SIGINT}
        assert "Traceback" not in said


@pytest.mark.process
def test_a_reader_who_leaves_a_list(home: Home) -> None:
    """`list --all | head -1` ends quietly with 0, also under pipefail and with more than a pipe holds."""
    home.raised(*(f"ticket-{number:04}" for number in range(700)))
    for form in ("tsv", "json", "jsonl", "csv", "yaml", "ids", "table"):
        result = home.shell(f"set -o pipefail; supportaccess list --all -o {form} | head -1")
        assert (result.code, result.err, len(result.lines)) == (0, "", 1)
    cut = home.shell("set -o pipefail; supportaccess list -L 650 -o jsonl | head -1")
    assert (cut.code, cut.err, len(cut.lines)) == (0, "", 1)
    long = home.on_terminal("list", "--all")
    assert len(long.lines) == 701


@pytest.mark.process
@pytest.mark.parametrize(
    "command", ["--help", "--version", "list", "list --help", f"show {TICKET}", "audit log", "audit verify", "doctor"]
)
def test_a_reader_who_leaves_at_once(home: Home, command: str) -> None:
    """A reader who is gone from the start is no failure of a command that reads."""
    home.raised()
    result = home.shell(f"supportaccess {command} | true; exit ${{PIPESTATUS[0]}}")
    assert (result.code, result.out) == (0, "")
    assert "Traceback" not in result.err


@pytest.mark.process
@pytest.mark.parametrize(
    "command", ["--help", "--version", "list", "list -o json", f"show {TICKET}", "audit log", "doctor", "store info"]
)
def test_a_full_disk_below_the_output(home: Home, command: str) -> None:
    """Output that cannot be written is told once, exit 1."""
    home.raised()
    result = home.shell(f"supportaccess {command} > /dev/full")
    assert result.code == 1
    assert result.err.count("Error: the output could not be written: No space left on device") == 1
    assert "Traceback" not in result.err
    assert "Exception ignored" not in result.err


@pytest.mark.process
@pytest.mark.parametrize("command", ["--version", "--help", "list", f"show {TICKET}", "import -", "doctor"])
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_closed_streams(home: Home, command: str, closed: str) -> None:
    """With any stream closed from the start nothing breaks."""
    home.raised()
    result = home.shell(f"supportaccess {command} {closed}")
    assert result.code in {0, 1, 2}
    assert "Traceback" not in result.err + result.out


@pytest.mark.process
def test_standard_input_that_is_closed(home: Home) -> None:
    """`-` with a closed standard input is wrong usage."""
    for command in ("import -", "approve - -y -r x"):
        result = home.shell(f"supportaccess {command} <&-")
        assert (result.code, "standard input is closed" in result.err) == (2, True)


def test_another_locale(home: Home) -> None:
    """Output is UTF-8 whatever the locale says, and JSON is ASCII."""
    home.raised(engineer="Zoë 田中")
    for locale in ("C", "POSIX", "xx_YY.NOPE"):
        env = {"LANG": locale, "LC_ALL": locale}
        assert "Zoë 田中" in home.run("list", env=env).out
        assert home.run("list", "-o", "json", env=env).out.isascii()
        assert home.run("list", "--engineer", "ZOË", "-o", "ids", env=env).lines


@pytest.mark.process
def test_an_empty_environment(home: Home) -> None:
    """Without any variable but its folders the program works, and takes terminals for plain ones."""
    (record,) = home.raised()
    kept = {name: value for name, value in home.environment.items() if name.startswith("SUPPORTACCESS_")}
    with Terminal([installed_program(), "list"], kept) as terminal:
        screen = terminal.finish()
    assert screen.code == 0
    assert record.id[:8] in screen.text


def test_no_file_is_made_by_reading_help(new_home: Home, tmp_path: Path) -> None:
    """Help, version and errors in what was typed leave no trace on the disk."""
    for command in (["--help"], ["list", "--help"], ["--version"], ["lst"], ["list", "--nonsense"]):
        new_home.run(*command)
    assert list(tmp_path.iterdir()) == []
