"""`supportaccess watch` on a terminal."""

import sys

import pytest
from tests.cli.home import Home, key
from tests.support.people import RESOURCE

pytestmark = pytest.mark.process

OTHER_PAGE, FIRST_PAGE = "\x1b[?1049h", "\x1b[?1049l"


def test_what_needs_attention_is_shown_and_what_changes_is_marked(home: Home) -> None:
    """What is open is in the table; a new request comes marked, and its event below; Ctrl-C ends with 130."""
    (old,) = home.raised("1111")
    with home.terminal("watch", "--interval", "1s", columns=100) as terminal:
        terminal.wait_for("1 open request of contoso")
        terminal.wait_for(f"  {old.id[:8]}")
        (new,) = home.raised("2222")
        terminal.wait_for("2 open requests")
        terminal.wait_for(f"*  {new.id[:8]}")
        terminal.wait_for(f"{new.id[:8]}  access requested by Ada Administrator")
        with home.store() as store:
            store.reject(old.id, etag=old.etag, key=key(), reason="no")
        terminal.wait_for("1 open request of")
        terminal.wait_for("request rejected")
        screen = terminal.interrupt()

    assert screen.code == 130
    raw = screen.raw.decode()
    assert raw.startswith(OTHER_PAGE)
    # Nothing of it stays: after the first page is back there is one word.
    assert raw.rpartition(FIRST_PAGE)[2].replace("\x1b[31m", "").replace("\x1b[0m", "").strip() == "Interrupted."
    assert raw.count(OTHER_PAGE) == raw.count(FIRST_PAGE) == 1
    assert raw.rindex("\x1b[?25h") > raw.rindex("\x1b[?25l")


def test_it_fits_the_terminal_whatever_its_size(home: Home) -> None:
    """No line is wider and no frame higher than the terminal, also once that is smaller; what is left out is said."""
    home.raised(*map(str, range(40)))
    with home.terminal("watch", columns=120, rows=20) as terminal:
        terminal.wait_for("and 2")
        terminal.resize(60, 10)
        terminal.wait_for("and 3")
        screen = terminal.interrupt()
    frames = screen.text.split("\x1b[H")[1:]
    sizes = [(max(len(line) for line in _lines(frame)), len(_lines(frame))) for frame in frames]

    assert all(width <= 120 and height < 20 for width, height in sizes)
    assert sizes[-1][0] <= 60
    assert sizes[-1][1] < 10


def test_hostile_text_stays_text(home: Home) -> None:
    """No name of a record moves the cursor or leaves the screen."""
    home.raised("1", engineer="\x1b[2J\x1b[?1049l\x9b31m\u202eErin [bold]")
    with home.terminal("watch", "--interval", "1s", columns=200) as terminal:
        terminal.wait_for("\\u{1b}[2J")
        home.raised("2", engineer="\x1b]0;x\x07")
        terminal.wait_for("2 open requests")
        screen = terminal.interrupt()

    raw = screen.raw.decode()
    assert raw.count(FIRST_PAGE) == 1
    assert "\x1b[2J" not in raw
    assert not set("\x9b\x07") & set(raw)
    assert "\u202e" not in raw


def test_several_tenants_have_a_column(home: Home) -> None:
    """Rows and events of several tenants say whose they are."""
    home.add_tenant(RESOURCE, alias="fabrikam")
    home.crossing(RESOURCE, approve=True)
    with home.terminal("watch", "--all-tenants", columns=120) as terminal:
        terminal.wait_for("2 open requests of contoso, fabrikam")
        terminal.wait_for("TENANT")
        screen = terminal.interrupt()
    assert screen.code == 130


def test_a_failing_command_is_told_below(home: Home) -> None:
    """What goes wrong stands on the screen's last line, and the command's own output does not disturb the screen."""
    command = f"'{sys.executable}' -c 'print(\"noise\" * 3); raise SystemExit(4)'"
    with home.terminal("watch", "--interval", "1s", "--exec", command, columns=120) as terminal:
        terminal.wait_for("Nothing needs attention.")
        terminal.wait_for("Watching from now on.")
        home.raised("1")
        terminal.wait_for("the command ended with 4")
        screen = terminal.interrupt()
    assert "noisenoise" not in screen.text


def test_a_dumb_terminal_gets_lines(home: Home) -> None:
    """A terminal that cannot be drawn on, and who asks for it, gets a line of JSON an event."""
    home.raised("1")
    with home.terminal("watch", "--from-start", env={"TERM": "dumb"}) as terminal:
        terminal.wait_for('"what":"created"')
        assert OTHER_PAGE not in terminal.interrupt().raw.decode()


def _lines(frame: str) -> list[str]:
    shown = frame.partition("\x1b[?25h")[0].replace("\x1b[K", "").replace("\x1b[J", "")
    return shown.split("\n")
