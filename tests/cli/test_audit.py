"""`supportaccess audit`."""

import csv
import io
import shlex
from datetime import timedelta

import msgspec
import pytest
from tests.cli.home import EXAMPLE, Home, key, now
from tests.support.people import FOREIGN, RESOURCE

from supportaccess.domain.attempts import MOST
from supportaccess.domain.audit import Activity, AuditEntry
from supportaccess.domain.records import AccessRequest
from supportaccess.errors import NotFound


@pytest.fixture
def every(home: Home) -> dict[str, AccessRequest]:
    """Return a request of every status, with all that led there written down."""
    records = home.one_of_each()
    assert home.run("store", "sweep", "-q").code == 0
    return records


def test_entries_come_newest_first(home: Home, every: dict[str, AccessRequest]) -> None:  # noqa: ARG001 - the log
    """The newest entry comes first, or the oldest with --oldest-first; the fields are the entry's own."""
    home.read_log()
    entries = home.run("audit", "log", "--all", "-o", "json").json
    sequences = [entry["sequence"] for entry in entries]
    assert sequences == sorted(sequences, reverse=True)
    assert sequences[-1] == 0
    assert home.run("audit", "log", "--all", "--oldest-first", "-o", "json").json == entries[::-1]
    names = {field.encode_name for field in msgspec.structs.fields(AuditEntry)}
    for entry in entries:
        assert set(entry) <= names
        assert None not in entry.values()
        assert entry["time"].endswith("Z")


def test_activities_have_the_names_of_graph(home: Home) -> None:
    """What Entra has a name for is called so, word for word."""
    home.add_tenant(RESOURCE, "fabrikam")
    record = home.crossing(RESOURCE, approve=True)
    (rejected,) = home.raised("2")
    (canceled,) = home.raised("3")
    assert home.run("revoke", record.id, "-y", "-t", "fabrikam").code == 0
    assert home.run("reject", rejected.id, "-y", "-r", "no").code == 0
    assert home.run("provider", "withdraw", canceled.id, "-y").code == 0
    asked = ["audit", "log", "--all", "--columns", "activity"]
    assert set(home.run(*asked).lines) == {
        "Request created",
        "Request approved",
        "Request rejected",
        "Request canceled",
    }
    assert set(home.run(*asked, "-t", "fabrikam").lines) == {"Approval approved", "Approval removed"}


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ("--activity 'Request approved'", {"Request approved"}),
        ("--activity 'request REJECTED' --activity 'Limit reached'", {"Request rejected", "Limit reached"}),
        ("--actor ada --activity 'Deadline passed'", set()),
        ("--actor nobody", set()),
        ("--actor ADA --activity 'Approval removed'", {"Approval removed"}),
        ("--since 1s", set()),
        ("--until 40h", set()),
    ],
)
def test_filters(home: Home, every: dict[str, AccessRequest], filters: str, expected: set[str]) -> None:  # noqa: ARG001
    """Each filter narrows the log, and together they narrow it further."""
    result = home.run("audit", "log", "-q", "--all", "--columns", "activity", *shlex.split(filters))
    assert result.code == 0
    assert set(result.lines) == expected


def test_of_one_request(home: Home, every: dict[str, AccessRequest]) -> None:
    """--request takes what `show` takes, and has that request's entries alone."""
    record = every["revoked"]
    for name in (record.id, record.id[:8], str(record.support_request_id)):
        lines = home.run("audit", "log", "--request", name, "--oldest-first", "--columns", "activity").lines
        assert lines == ["Request created", "Request approved", "Approval removed"]
    assert home.run("audit", "log", "--request", "00000000").code == 5


def test_what_is_left_out_is_counted(home: Home, every: dict[str, AccessRequest]) -> None:  # noqa: ARG001 - the log
    """Stderr says exactly how many entries were left out."""
    home.read_log()
    total = home.log_size()
    result = home.run("audit", "log", "-L", "3", "-q")
    assert len(result.lines) == 3
    assert result.err == f"Showing 3 of {total}: {total - 3} left out. Use --all or --limit N.\n"
    approvals = home.run("audit", "log", "-L", "1", "--activity", "Request approved")
    assert approvals.err.startswith("Showing 1 of 4: 3 left out.")
    assert home.on_terminal("audit", "log", "-L", "3").lines[-1] == result.err.strip()


def test_the_table(home: Home, every: dict[str, AccessRequest]) -> None:  # noqa: ARG001 - the log
    """On a terminal the log fits 80 columns, with local times and whole activities' beginnings."""
    screen = home.on_terminal("audit", "log")
    assert screen.code == 0
    assert max(map(len, screen.lines)) <= 80
    assert screen.lines[0].split()[:3] == ["SEQ", "TIME", "ACTIVITY"]
    assert all("+02:00" in line for line in screen.lines[1:])
    assert "\x1b[" in screen.coloured


def test_every_format(home: Home, every: dict[str, AccessRequest]) -> None:  # noqa: ARG001 - the log
    """The log comes in each format."""
    home.read_log()
    entries = home.run("audit", "log", "--all", "-o", "json").json
    jsonl = home.run("audit", "log", "--all", "-o", "jsonl").lines
    assert [msgspec.json.decode(line) for line in jsonl] == entries
    header, *rows = csv.reader(io.StringIO(home.run("audit", "log", "--all", "-o", "csv").out))
    assert header[:3] == ["sequence", "time", "activity"]
    assert [row[0] for row in rows] == [str(entry["sequence"]) for entry in entries]
    assert home.run("audit", "log", "--all", "-o", "ids").lines == [row[0] for row in rows]
    assert len(home.run("audit", "log", "--all").lines) == len(entries)


def test_a_log_that_takes_nothing(home: Home) -> None:
    """A refusal stays one, and the log is shown, when neither can be written to it: that is said."""
    home.raised("1")
    home.alter("CREATE TRIGGER full BEFORE INSERT ON audit_events BEGIN SELECT RAISE(ABORT, 'full'); END")
    refused, shown = home.run("provider", "close", "nobodys", "-y"), home.run("audit", "log")

    assert (refused.code, refused.err.count("there is no support request nobodys")) == (5, 1)
    assert "The audit log has no entry of this (Attempt failed)" in refused.err
    assert (shown.code, len(shown.lines)) == (0, 1)
    assert "The audit log has no entry of this (Audit log read)" in shown.err


def test_what_was_tried_is_told(home: Home) -> None:
    """The table says what was tried and how it was refused, and how much was only counted; the log stays signed."""
    with home.store() as store:
        for _ in range(MOST[Activity.ATTEMPT_FAILED] + 2):
            with pytest.raises(NotFound):
                store.close("nobodys", key=key())
    home.alter("UPDATE attempt_counts SET since = since - 3600000000")
    assert home.run("store", "sweep").code == 0
    screen = home.on_terminal("audit", "log", "--outcome", "failure", "-L", "2", columns=120)

    assert "2 more, not logged" in screen.lines[1]
    assert "close: NotFound" in screen.lines[2]
    assert home.run("audit", "verify").code == 0
    numbers = home.run("audit", "report", "-o", "json").json["numbers"]
    assert (numbers["deniedAttempts"], numbers["failedAttempts"]) == (0, MOST[Activity.ATTEMPT_FAILED] + 2)


def test_fail_if_any(home: Home) -> None:
    """--fail-if-any exits with 10 when an entry matches."""
    assert home.run("audit", "log", "--fail-if-any", "-q").code == 0
    home.raised()
    assert home.run("audit", "log", "--fail-if-any", "-q").code == 10
    assert home.run("audit", "log", "--fail-if-any", "-q", "--actor", "nobody").code == 0


def test_a_log_that_holds(home: Home, every: dict[str, AccessRequest]) -> None:
    """Verifying a log that was not altered exits with 0 and says what was checked."""
    screen = home.on_terminal("audit", "verify")
    assert screen.code == 0
    assert f"The audit log of tenant {home.get(every['pending'].id).resource_tenant_id} holds." in screen.text
    assert "\x1b[32m" in screen.coloured
    assert max(map(len, screen.lines)) <= 100
    result = home.run("audit", "verify", "-o", "json")
    assert result.code == 0
    assert result.json["entries"] == result.json["head"]["size"] == home.log_size()
    assert result.json["accessRequests"] == len(every)
    assert result.json["findings"] == []
    assert home.run("audit", "verify", "-q").err == ""


def test_an_empty_log_holds(home: Home) -> None:
    """A log without entries has nothing wrong with it."""
    assert home.run("audit", "verify", "-o", "json").json["entries"] == 0


ALTERED = {
    "time of an entry": (
        "UPDATE audit_events SET entry = CAST(replace(CAST(entry AS TEXT), 'time\":\"202', 'time\":\"203') AS BLOB) "
        "WHERE sequence = 3"
    ),
    "entry removed": "DELETE FROM audit_events WHERE sequence = 3",
    "record": (
        "UPDATE access_requests SET record = json_set(record, '$.engineer.displayName', 'Mallory') "
        "WHERE status = 'approved'"
    ),
    "record removed": "DELETE FROM access_requests WHERE status = 'rejected'",
    "last entries cut off": "DELETE FROM audit_events WHERE sequence >= 5",
}


@pytest.mark.parametrize("what", ALTERED)
def test_an_altered_store(home: Home, every: dict[str, AccessRequest], what: str) -> None:
    """What was altered with sqlite3 is named, exit 9: on a terminal, in a pipe and in JSON."""
    home.alter(ALTERED[what])
    result = home.run("audit", "verify", "-o", "json")
    screen = home.on_terminal("audit", "verify")
    assert result.code == screen.code == home.run("audit", "verify").code == 9
    findings = result.json["findings"]
    assert findings
    assert {finding["verdict"] for finding in findings} <= {"altered", "missing", "extra"}
    match what:
        case "time of an entry" | "entry removed":
            assert findings[0]["sequence"] == 3
        case "record":
            assert findings[0]["accessRequestId"] == every["approved"].id
        case "record removed":
            assert findings[0]["accessRequestId"] == every["rejected"].id
        case _:
            assert any("5" in finding["message"] for finding in findings)
    for told in (result.err, screen.words):
        assert findings[0]["message"] in told
        assert "does not hold" in told
    assert "\x1b[31m" in screen.coloured


def test_raw_events_are_vouched_for(new_home: Home) -> None:
    """An imported event that was altered afterwards is found."""
    tenant_id = "8d3fc0a1-5a52-4c6e-9c0e-3f5b0a6d2e71"
    assert new_home.run("import", str(EXAMPLE), "-t", tenant_id).code == 0
    assert new_home.run("audit", "verify").code == 0
    new_home.alter("UPDATE source_events SET raw = replace(raw, 'Ada Admin', 'Mallory')")
    assert new_home.run("audit", "verify").code == 9


def test_each_tenant_has_its_own_log(home: Home, every: dict[str, AccessRequest]) -> None:  # noqa: ARG001 - the log
    """An alteration in one tenant's log says nothing about another's."""
    home.add_tenant(FOREIGN, "fabrikam")
    with home.store(FOREIGN) as store:
        assert store.log_head().size == 0
    home.alter("DELETE FROM audit_events WHERE sequence = 3")
    assert home.run("audit", "verify").code == 9
    assert home.run("audit", "verify", "-t", "fabrikam").code == 0


def test_since_and_until(home: Home) -> None:
    """--since and --until bound the time of the entries."""
    home.raised("old", ago=timedelta(days=3))
    home.raised("new", ago=timedelta(days=1))
    day = (now() - timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    asked = ["audit", "log", "-q", "--columns", "supportRequestId"]
    assert home.run(*asked, "--since", day).out == "new\n"
    assert home.run(*asked, "--until", "2d").out == "old\n"
    assert home.run(*asked, "--since", "4d", "--until", "1h").out == "new\nold\n"


def test_the_list_of_activities_is_closed() -> None:
    """Every activity that Entra's log has for support access is one of ours, under its name."""
    assert {
        "Request created",
        "Request approved",
        "Request rejected",
        "Request canceled",
        "Approval approved",
        "Approval removed",
    } <= set(Activity)
