"""`supportaccess import`."""

import csv
import gzip
import io
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cli.home import EXAMPLE, Home
from tests.sources.builders import OTHER_TENANT, TENANT, cells, event, line, lines, packed, page, row, table

SUMMARY = {
    "tenantId": TENANT,
    "format": "graph",
    "eventsRead": 30,
    "eventsNew": 23,
    "eventsKnown": 0,
    "eventsNotRecognised": 1,
    "eventsUnrelated": 7,
    "requestsNew": 8,
    "requestsChanged": 0,
    "dryRun": False,
}


@pytest.fixture
def reader(new_home: Home) -> Home:
    """Return a home with the profile of the example's tenant."""
    new_home.add_tenant(TENANT, "contoso", default=True)
    return new_home


def written(home: Home, data: bytes, name: str = "export.json") -> str:
    """Write an export and return its path."""
    path = home.folder / name
    path.write_bytes(data)
    return str(path)


def test_the_first_import_sets_the_tenant_up(new_home: Home) -> None:
    """Importing with a tenant ID adds its profile and makes it the default; then everything is listed."""
    result = new_home.run("import", str(EXAMPLE), "--tenant", TENANT.upper(), "-o", "json")
    assert (result.code, result.json) == (0, SUMMARY)
    assert "made the default" in result.err
    assert "supportaccess list --approved" in result.err
    assert new_home.run("tenant", "list", "-o", "json").json == [
        {"tenantId": TENANT, "store": "embedded", "isDefault": True}
    ]
    assert len(new_home.run("list", "--approved").lines) > 0


def test_the_summary_in_every_format(new_home: Home) -> None:
    """The summary is printed in each format; for people one count a line."""
    screen = new_home.on_terminal("import", str(EXAMPLE), "--tenant", TENANT)
    assert screen.code == 0
    counts = {words[-1] for text in screen.lines if (words := text.split())}
    assert {"30", "23", "7", "8"} <= counts
    assert max(map(len, [text for text in screen.lines if text.split()[-1].isdigit()])) <= 80
    again = SUMMARY | {"eventsNew": 0, "eventsKnown": 23, "requestsNew": 0}

    def printed(form: str) -> str:
        result = new_home.run("import", str(EXAMPLE), "-o", form)
        assert result.code == 0
        return result.out

    assert json.loads(printed("json")) == json.loads(printed("jsonl")) == yaml.safe_load(printed("yaml")) == again
    header, numbers = csv.reader(io.StringIO(printed("csv")))
    assert numbers == ["30", "0", "23", "1", "7", "0", "0"]
    a_line_each = "".join(f"{name}\t{number}\n" for name, number in zip(header, numbers, strict=True))
    assert printed("tsv") == a_line_each
    assert printed("ids") == f"{TENANT}\n"
    assert "7" in printed("table")
    assert new_home.run("import", str(EXAMPLE)).out == a_line_each


def test_importing_again_changes_nothing(reader: Home) -> None:
    """The same export again has nothing new, and adds no entry to the audit log."""
    assert reader.run("import", str(EXAMPLE)).code == 0
    dump = reader.dump()
    again = reader.run("import", str(EXAMPLE), "-o", "json")
    assert (again.code, again.json["eventsNew"], again.json["eventsKnown"]) == (0, 0, 23)
    kept = [statement for statement in dump if '"idempotency"' not in statement]
    assert [statement for statement in reader.dump() if '"idempotency"' not in statement] == kept


def test_a_dry_run(new_home: Home) -> None:
    """--dry-run says what an import would do and changes nothing, not even the profiles."""
    result = new_home.run("import", str(EXAMPLE), "--tenant", TENANT, "--dry-run", "-o", "json")
    assert (result.code, result.json) == (0, SUMMARY | {"dryRun": True})
    assert "Nothing was changed: this is a dry run." in result.err
    assert new_home.run("tenant", "list", "-q").out == ""
    assert new_home.run("store", "info", "-o", "json").json[0]["accessRequests"] == 0
    screen = new_home.on_terminal("import", str(EXAMPLE), "--tenant", TENANT, "--dry-run")
    assert (screen.code, screen.lines[-1]) == (0, "Nothing was changed: this is a dry run.")


@pytest.mark.parametrize(
    ("form", "data"),
    [
        ("graph", page(event(), event(id="2", activityDisplayName="Request created"))),
        ("graph", lines(event(), event(id="2"))),
        ("graph", packed(page(event(), event(id="2")))),
        ("log-analytics", lines(row(), row(Id="2"))),
        ("azure-monitor", lines(line(), line(properties=event(id="2")))),
        ("portal-csv", table(cells(), cells(Activity="Request created"))),
    ],
    ids=["page", "lines", "gzip", "log-analytics", "azure-monitor", "csv"],
)
@pytest.mark.parametrize("way", ["file", "stdin"])
def test_every_form_from_a_file_and_from_standard_input(reader: Home, form: str, data: bytes, way: str) -> None:
    """The form is told from the content, packed or not, in a file or on standard input."""
    result = (
        reader.run("import", written(reader, data, "export.dat"), "-o", "json")
        if way == "file"
        else reader.run("import", "-", "-o", "json", stdin=data)
    )
    assert (result.code, result.json["format"], result.json["eventsNew"]) == (0, form, 2), result.err
    forced = reader.run("import", "-", "--format", form, "-o", "json", stdin=data)
    assert (forced.code, forced.json["eventsNew"]) == (0, 0)


def broken(way: str) -> bytes:
    """Return a good event and then something that is not one."""
    whole = page(event(), event(id="2"), event(id="3"))
    match way:
        case "cut":
            return whole[: len(whole) // 2]
        case "cut gzip":
            return packed(whole)[:-20]
        case "no time":
            return page(event(), event(id="2", activityDateTime="yesterday"))
        case "not an event":
            return page(event(), {"some": "thing"})
        case "line":
            return lines(event(), event(id="2")) + b"{broken\n"
        case "nan":
            return lines(event()) + json.dumps(event(id="2", more=float("nan"))).encode()
        case "bytes":
            return lines(event()) + b'{"id": "\xff"}'
        case "deep":
            return lines(event()) + b'{"id": ' + b"[" * 100_000
        case _:
            return lines(event()) + json.dumps(row(AADTenantId=OTHER_TENANT)).encode()


@pytest.mark.parametrize("place", ["pipe", "terminal"])
@pytest.mark.parametrize(
    "way", ["cut", "cut gzip", "no time", "not an event", "line", "nan", "bytes", "deep", "other format"]
)
def test_a_file_that_breaks_in_the_middle_changes_nothing(reader: Home, way: str, place: str) -> None:
    """A broken file exits with 1, names the place and what is wrong, and leaves the store as it was."""
    reader.raised()
    with reader.store(TENANT):
        before = reader.dump()
    file = written(reader, broken(way))
    if place == "pipe":
        result = reader.run("import", file)
        assert (result.code, result.out) == (1, "")
        told = result.err
    else:
        screen = reader.on_terminal("import", file)
        assert screen.code == 1
        told = screen.words
    assert told.startswith("Error: ")
    assert "export.json" in told
    assert re.search("(event|item|line) [23]|breaks off|see byte", told)
    assert reader.dump() == before


def test_rows_of_another_tenant(reader: Home) -> None:
    """Rows that say they are another tenant's are refused, and both tenants are named."""
    result = reader.run("import", "-", stdin=lines(row(AADTenantId=OTHER_TENANT)))
    assert result.code == 1
    assert OTHER_TENANT in result.err
    assert TENANT in result.err
    assert reader.run("list", "--all", "-q").out == ""


@pytest.mark.parametrize(
    ("file", "said"),
    [("missing.json", "No such file"), (".", "Is a directory"), ("missing/export.json", "No such file")],
)
def test_a_file_that_cannot_be_opened(reader: Home, file: str, said: str) -> None:
    """A file that is missing or a folder is told as that: exit 1."""
    result = reader.run("import", file)
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(f"Error: {file} cannot be read: {said}")


@pytest.mark.parametrize("data", [b"", b"  \n", b"hello", b"PK\x03\x04zip", b"\x1f\x8bnot gzip", b"[]x"])
def test_a_file_that_is_no_export(reader: Home, data: bytes) -> None:
    """Anything else is refused with what it is or is not: exit 1."""
    for stdin in (data, data + b"\n"):
        result = reader.run("import", "-", stdin=stdin)
        assert (result.code, result.out) == (1, "")
        assert result.err.startswith("Error: standard input")


def test_a_gzip_bomb(reader: Home) -> None:
    """A small file that unpacks to very much is refused."""
    result = reader.run("import", "-", stdin=gzip.compress(b"[" + b" " * 50_000_000))
    assert result.code == 1
    assert result.err.startswith("Error: standard input")


def test_a_forced_format_that_it_is_not(reader: Home) -> None:
    """--format is a demand: a file in another form is refused."""
    result = reader.run("import", str(EXAMPLE), "--format", "portal-csv")
    assert result.code == 1
    assert "portal-csv" in result.err
    assert reader.run("import", str(EXAMPLE), "--format", "xml").code == 2


def test_an_unknown_alias(reader: Home) -> None:
    """An alias that nobody has is not taken for a new tenant."""
    result = reader.run("import", str(EXAMPLE), "--tenant", "contso")
    assert result.code == 5
    assert "did you mean 'contoso'?" in result.err


def test_without_a_tenant(new_home: Home) -> None:
    """The first import needs to be told whose log it is: exit 3, with how."""
    result = new_home.run("import", str(EXAMPLE))
    assert result.code == 3
    assert "--tenant TENANT_ID" in result.err


def test_a_page_that_names_the_next(reader: Home) -> None:
    """A page of Graph that has more after it is taken, and the user told to import those too."""
    more = {"@odata.nextLink": "https://graph.microsoft.com/v1.0/next"}
    result = reader.run("import", "-", stdin=page(event(), **more))
    assert result.code == 0
    assert "import the pages that follow" in result.err


def test_an_event_that_is_known_with_other_content(reader: Home) -> None:
    """An event that comes again under the same ID with other content is said aloud, and the first one kept."""
    assert reader.run("import", "-", stdin=page(event())).code == 0
    result = reader.run("import", "-", "-q", stdin=page(event(activityDateTime="2026-05-02T00:00:00Z")))
    assert result.code == 0
    assert "1 event known by ID already had other content" in result.err


def many(count: int) -> bytes:
    """Return an export with that many events."""

    def one(number: int) -> dict[str, Any]:
        return event(
            id=f"event-{number}",
            correlationId=f"correlation-{number}",
            activityDisplayName="Request created",
            targetResources=[],
            additionalDetails=[{"key": "SupportRequestId", "value": f"{number:016}"}],
        )

    return lines(*map(one, range(count)))


@pytest.mark.process
def test_ctrl_c_while_importing(reader: Home) -> None:
    """Ctrl-C in the middle of an import changes nothing and exits with 130."""
    fifo = reader.folder / "export.json"
    reader.raised()
    with reader.store(TENANT):
        before = reader.dump()
    os.mkfifo(fifo)
    # The writer stays, so that the import waits for more when it has taken what there is.
    with reader.terminal("import", str(fifo)) as terminal, fifo.open("wb") as writer:
        writer.write(many(200))
        writer.flush()
        screen = terminal.interrupt()
    assert screen.code == 130
    assert "Interrupted." in screen.text
    assert reader.dump() == before


@pytest.mark.process
def test_a_progress_bar_only_when_it_takes_long(reader: Home, tmp_path: Path) -> None:
    """On a terminal a bar appears after a second, and is gone at the end; a pipe and a short import have none."""
    fifo = tmp_path / "slow.json"
    os.mkfifo(fifo)
    with reader.terminal("import", str(fifo), "--no-color") as terminal:
        with fifo.open("wb") as writer:
            writer.write(many(600))
            writer.flush()
            reader.shell("sleep 1.2")
            writer.write(many(3000))
        screen = terminal.finish()
    assert screen.code == 0
    assert "Reading" in screen.coloured
    assert "\x1b[3" not in screen.coloured
    quick = reader.on_terminal("import", str(EXAMPLE))
    assert "Reading" not in quick.text
    assert "\x1b[?25l" not in quick.coloured
