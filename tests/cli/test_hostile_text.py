"""Text that somebody else wrote never reaches the terminal as a command to it."""

import re
import unicodedata
from collections.abc import Iterator

import pytest
from tests.cli.home import Home, key
from tests.cli.output.samples import HARMFUL, HOSTILE
from tests.cli.terminal import Screen
from tests.sources.builders import TENANT, event, page
from tests.support.people import asking

from supportaccess.domain.expiry import Limit
from supportaccess.errors import InvalidInput

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
FORMATS = ("table", "json", "jsonl", "csv", "tsv", "yaml")


def harmless(screen: Screen) -> None:
    """Check that the screen got printable characters, tabs, line ends and colours alone."""
    text = COLOURS.sub("", screen.raw.decode().replace("\r\n", "\n"))
    assert not {character for character in text if unicodedata.category(character) in HARMFUL} - {"\n", "\t"}


def hostile_requests(home: Home) -> Iterator[str]:
    """Raise a request with each hostile text in each field that can hold it; yield the IDs."""
    with home.store() as store:
        for number, text in enumerate(HOSTILE.values()):
            text = text[:200]
            try:
                record = store.raise_request(
                    asking(f"ticket-{number}", engineer=text, reason=f"why {text}", title=text), key=key()
                )
            except InvalidInput:  # no store holds a NUL or half a character
                continue
            if number % 2:
                store.approve(record.id, etag=record.etag, key=key(), limit=Limit(), reason=f"so {text}")
            yield record.id


@pytest.fixture
def hostile(home: Home) -> list[str]:
    """Return requests full of hostile text, one of them with a hostile ticket number too."""
    ids = list(hostile_requests(home))
    home.alter(
        "UPDATE access_requests SET record = "
        f"json_set(record, '$.supportRequestId', '\x1b[2J\u202e' || support_request_id) WHERE id = '{ids[0]}'",
        "UPDATE access_requests SET record = json_set(record, '$.decidedBy', "
        f'json(\'{{"kind": "user", "displayName": "\\u001b]0;owned\\u0007\\u009b2J"}}\')) WHERE id = \'{ids[1]}\'',
    )
    return ids


@pytest.mark.parametrize("form", FORMATS)
def test_a_list(home: Home, hostile: list[str], form: str) -> None:
    """No format of a list sends a terminal anything but text and colours."""
    for command in (["list", "--all"], ["audit", "log", "--all"]):
        screen = home.on_terminal(*command, "-o", form)
        assert screen.code == 0
        harmless(screen)
    assert hostile[0][:8] in home.on_terminal("list", "--all", "-o", form).text


def test_a_list_without_colours(home: Home, hostile: list[str]) -> None:  # noqa: ARG001 - there are rows to list
    """Without colours there is no escape character at all, in chosen columns neither."""
    for arguments in (["--columns", "id,engineer,title,reason,decidedBy"], ["--query", "[].[title, reason]"], []):
        for more in (["--no-color"], ["--no-color", "-o", "table"]):
            screen = home.on_terminal("list", "--all", *arguments, *more)
            assert screen.code == 0
            assert b"\x1b" not in screen.raw
            harmless(screen)


@pytest.mark.parametrize("form", FORMATS)
def test_a_pipe_is_harmless_too(home: Home, hostile: list[str], form: str) -> None:
    """What comes out of a pipe may be sent to a terminal later: it has no escape character either."""
    for command in (["list", "--all"], ["audit", "log", "--all"], ["show", hostile[0]]):
        result = home.run(*command, "-o", form)
        assert result.code == 0
        harmless(Screen(0, result.out.encode()))
        assert "\x1b" not in result.out + result.err


def test_one_request(home: Home, hostile: list[str]) -> None:
    """A request's page, history and errors are harmless."""
    for each in hostile[:4]:
        screen = home.on_terminal("show", each)
        assert screen.code == 0
        harmless(screen)
        harmless(home.on_terminal("revoke", each, "-r", "x", "-y"))
        harmless(home.on_terminal("reject", each, "-y", "-r", "\x1b[2J\u202e"))


def test_a_question(home: Home, hostile: list[str]) -> None:
    """What is shown before a question, of one or of many, is harmless, and the question is the last that is seen."""
    pending = [each for each in hostile if home.get(each).status == "pending"]
    for chosen in (pending[:1], pending):
        screen = home.on_terminal("approve", *chosen, "-r", "\x1b]0;owned\x07", answer="n\n")
        assert screen.code == 1
        harmless(screen)
        assert "[y/N]" in screen.lines[-2]


def test_what_was_typed_comes_back_harmless(home: Home) -> None:
    """Errors repeat what was given: commands, options, IDs, times, columns, names, files; never as it was."""
    home.raised()
    bad = "\x1b[2J\x9b\u202e[/red]"
    for command in (
        [bad],
        [f"--{bad}"],
        ["list", f"--{bad}"],
        ["list", "--status", bad],
        ["list", "--since", bad],
        ["list", "--until", bad],
        ["list", "--columns", bad],
        ["list", "--query", f"[{bad}"],
        ["list", "--sort", bad],
        ["list", "-o", bad],
        ["list", "--limit", bad],
        ["list", "--tenant", bad],
        ["list", "--resource-tenant", bad],
        ["list", "--engineer", bad],
        ["show", bad],
        ["approve", bad, "-y"],
        ["approve", "1234", "-y", "--for", bad],
        ["import", bad],
        ["audit", "log", "--activity", bad],
        ["provider", "close", bad, "-y"],
        ["tenant", "set", bad],
        ["store", "backup", f"missing/{bad}"],
    ):
        screen = home.on_terminal(*command)
        harmless(screen)
        assert screen.code in {0, 1, 2, 5}
    harmless(home.on_terminal("list", env={"SUPPORTACCESS_OUTPUT": bad}))
    harmless(home.on_terminal("list", env={"SUPPORTACCESS_TENANT": bad}))
    harmless(home.on_terminal("doctor", env={"SUPPORTACCESS_DATA_DIR": f"{home.folder}/{bad}"}))


@pytest.mark.parametrize("text", HOSTILE.values(), ids=list(HOSTILE))
def test_an_imported_event(new_home: Home, text: str) -> None:
    """Hostile text in any field of an event is kept, and harmless in the listing, the page and its raw events."""
    text = text.replace("\ud800", "?").replace("\0", "?")[:200]
    created = event(
        id=f"1{text}",
        activityDisplayName="Request created",
        resultReason=text,
        initiatedBy={"user": {"id": text, "displayName": text, "userPrincipalName": text}, "app": None},
        targetResources=[{"id": text, "displayName": text, "type": text}],
        additionalDetails=[{"key": "Ticket number", "value": "42"}, {"key": text, "value": text}],
        correlationId=text,
    )
    approved = {**created, "id": "2", "activityDisplayName": "Request approved"}
    strange = {**created, "id": "3", "activityDisplayName": f"Request {text}"}
    imported = new_home.run("import", "-", "-t", TENANT, stdin=page(created, approved, strange))
    assert imported.code == 0, imported.err
    (record,) = new_home.run("list", "-o", "json").json
    for command in (
        ["list"],
        ["show", record["id"]],
        ["show", record["id"], "--raw"],
        ["revoke", record["id"]],
        ["audit", "log"],
    ):
        screen = new_home.on_terminal(*command)
        assert screen.code == (11 if command[0] == "revoke" else 0)
        harmless(screen)


def test_a_file_with_a_hostile_name(new_home: Home) -> None:
    """The name of a file is foreign text too, in messages and in the audit log."""
    name = "export\x1b[2J\u202e.json"
    (new_home.folder / name).write_bytes(page(event()))
    screen = new_home.on_terminal("import", str(new_home.folder / name), "-t", TENANT)
    assert screen.code == 0
    harmless(screen)
    harmless(new_home.on_terminal("audit", "log", "-o", "json"))
    (new_home.folder / name).write_bytes(b"nothing like it")
    screen = new_home.on_terminal("import", str(new_home.folder / name), "-t", TENANT)
    assert screen.code == 1
    harmless(screen)


def test_no_cell_of_a_csv_is_a_formula(home: Home) -> None:
    """A cell that a spreadsheet would take for a formula begins with an apostrophe."""
    home.raised("=1", engineer="=cmd|' /C calc'!A0", reason="@SUM(1)", title="+1")
    columns = "supportRequestId,engineer.displayName,reason,title"
    (line,) = home.run("list", "-o", "csv", "--columns", columns).lines[1:]
    assert line == "'=1,'=cmd|' /C calc'!A0,'@SUM(1),'+1"
