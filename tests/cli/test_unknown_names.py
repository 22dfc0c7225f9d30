"""The command line meets names of a later version: from its own store, from a server, and in an export."""

import csv
import io
import json

import msgspec
import pytest
from tests import independent_verifier
from tests.cli.home import Home, now
from tests.cli.test_hostile_text import harmless
from tests.signin.test_access_tokens import token
from tests.store.http.scripted import answer, serving
from tests.support import later
from tests.support.people import HOME

from supportaccess.cli.watch.text import message
from supportaccess.domain.records import AccessRequest
from supportaccess.store.protocol import AuditQuery, RequestQuery
from supportaccess.store.sql.sqlite.open import open_embedded
from supportaccess.store.wire import AuditList, RequestList

FORMATS = ("table", "json", "jsonl", "csv", "tsv", "yaml")
MIRROR = "99999999-9999-4999-8999-999999999999"
TICKET = "7007"
HOSTILE = "\x1b[2J\u202egone"


@pytest.fixture
def of_later(home: Home) -> AccessRequest:
    """Return a request with a status of a later version; beside it a mirror of a source, and a use, of that version."""
    return write_later(home, "suspended")


def write_later(home: Home, status: str) -> AccessRequest:
    (record,) = home.approved(TICKET)
    step = later.suspended(record, now(), status)
    engine = open_embedded(home.database)
    try:
        later.write(engine, [step, later.mirrored(record, MIRROR, now()), later.noticed(record, now())])
    finally:
        engine.close()
    assert step.after is not None
    return step.after


def test_lists_in_every_format(home: Home, of_later: AccessRequest) -> None:
    """What needs attention, open access, approved access and everything have it, as it is, in every format."""
    for filters in ([], ["--active"], ["--approved"], ["--all"], ["--active", "--approved"], ["--sort", "status"]):
        rows = home.run("list", *filters, "-o", "json")
        assert (rows.code, rows.err) == (0, "")
        told = {row["id"]: (row["status"], row["source"]) for row in rows.json}
        assert told == {of_later.id: ("suspended", "store"), MIRROR: ("approved", "someVendor")}
        for form in FORMATS:
            assert "suspended" in home.run("list", *filters, "-o", form).out, form
    (row,) = [row for row in home.run("list", "-o", "json").json if row["id"] == of_later.id]
    assert row == json.loads(msgspec.json.encode(of_later))
    assert home.run("list", "--pending").out == home.run("list", "-s", "revoked").out == ""
    assert home.run("list", "--active", "--support-request", TICKET, "--fail-if-any").code == 10
    columns = home.run("list", "-o", "csv", "--columns", "status,source,mirror.confidence,endReason,endedBy.kind")
    rows_of = list(csv.reader(io.StringIO(columns.out)))[1:]
    assert sorted(rows_of) == [
        ["approved", "someVendor", "guessed", "", "agent"],
        ["suspended", "store", "", "policyViolation", "agent"],
    ]


def test_a_status_that_is_typed_must_be_known(home: Home, of_later: AccessRequest) -> None:  # noqa: ARG001
    """What a person types is held to what this version knows, whatever the store has."""
    for arguments in (
        ["list", "-s", "suspended"],
        ["audit", "log", "--activity", "Access suspended"],
        ["watch", "--event", "suspended", "--once"],
    ):
        refused = home.run(*arguments)
        assert (refused.code, refused.out) == (2, ""), arguments


def test_colours_of_an_unknown_status(home: Home, of_later: AccessRequest) -> None:  # noqa: ARG001
    """On a terminal it stands out like what waits, and not as something that is over."""
    assert "\x1b[33msuspended" in home.on_terminal("list", "-o", "table", columns=160).raw.decode()


@pytest.mark.parametrize("form", FORMATS)
def test_show(home: Home, of_later: AccessRequest, form: str) -> None:
    """A request and its history are shown with every name as it is."""
    shown = home.run("show", of_later.id, "-o", form)
    mirror = home.run("show", MIRROR, "-o", form)

    assert shown.code == mirror.code == 0
    assert "suspended" in shown.out
    assert "suspended" in home.run("show", TICKET, "-o", form).err  # which of the two is open is not decided here
    if form != "csv":  # whose columns are others
        assert all(each in shown.out for each in ("policyViolation", "agent"))
        assert all(each in mirror.out for each in ("someVendor", "guessed"))
    if form in {"table", "tsv"}:
        history = " ".join(shown.out.split())  # lines are wrapped anywhere
        assert all(each in history for each in ("Access suspended", "Access used", "approved > suspended"))


@pytest.mark.parametrize("form", FORMATS)
def test_the_audit_log(home: Home, of_later: AccessRequest, form: str) -> None:
    """Entries of an unknown activity are listed like others, in each shape; the activity is then Other."""
    for shape in ("entry", "directoryAudit", "ocsf"):
        told = home.run("audit", "log", "--shape", shape, "--request", of_later.id, "-o", form)
        assert (told.code, told.err) == (0, ""), told.err
        assert "Access suspended" in told.out, shape


def test_shapes_of_an_unknown_activity(home: Home, of_later: AccessRequest) -> None:
    """In others' forms an unknown activity is Other, and an unknown kind of actor a user of another type."""
    log = ("audit", "log", "-o", "json", "--request", of_later.id, "--shape")
    graph = next(
        each for each in home.run(*log, "directoryAudit").json if each["activityDisplayName"] == "Access suspended"
    )
    event = next(each for each in home.run(*log, "ocsf").json if each["message"] == "Access suspended")

    assert (graph["operationType"], graph["initiatedBy"]["user"]["displayName"]) == ("Other", "Agent Seven")
    assert {"key": "operation", "value": "suspend"} in graph["additionalDetails"]
    assert (event["activity_id"], event["activity_name"], event["status"]) == (99, "Access suspended", "Success")
    assert (event["actor"]["user"]["type_id"], event["actor"]["user"]["type"]) == (99, "agent")
    assert event["unmapped"]["operation"] == "suspend"
    assert event["entity"]["data"]["statusAfter"] == "suspended"


def test_no_verb_is_offered(home: Home, of_later: AccessRequest) -> None:
    """Each verb is a conflict that names the status, and lint names none of them."""
    for verb in (["approve"], ["reject", "-r", "no"], ["revoke"], ["provider", "withdraw"]):
        refused = home.run(*verb, of_later.id, "--yes")
        assert (refused.code, "suspended" in refused.err) == (6, True), refused.err
    elsewhere = home.run("revoke", MIRROR, "--yes")
    assert (elsewhere.code, "someVendor" in elsewhere.err, "Entra" in elsewhere.err) == (11, True, False)
    found = home.run("audit", "lint", "-o", "json", "--older-than", "1s").json
    assert {each["accessRequestId"] for each in found} == {of_later.id, MIRROR}
    assert not [each for each in found if "revoke" in each["command"] or "import" in each["command"]]
    assert all("suspended" in each["message"] for each in found if each["accessRequestId"] == of_later.id)
    assert not [each for each in found if "Entra" in each["message"]]
    assert home.run("provider", "close", TICKET, "--yes").code == 0
    assert home.get(of_later.id) == of_later


def test_report_and_who(home: Home, of_later: AccessRequest) -> None:
    """The report has the access as open, under its own status, and names what it cannot know; `who` goes on."""
    made = home.run("audit", "report", "--html", "report.html", "-o", "json")
    page = (home.folder / "report.html").read_text()

    assert made.code == 0, made.err
    assert (made.json["numbers"]["openAtEnd"], made.json["numbers"]["pendingAtEnd"]) == (2, 0)
    assert "suspended" in {each["status"] for each in made.json["access"]}
    assert "Requests whose status this version does not know, counted as open access: 1." in made.json["gaps"]
    assert all(each in page for each in ("suspended", "someVendor", "Access suspended"))
    for form in FORMATS:
        assert home.run("audit", "report", "-o", form).code == home.run("audit", "who", "-o", form).code == 0
    assert of_later.id in home.run("audit", "report", "-o", "csv").out


def test_verify_and_export(home: Home, of_later: AccessRequest) -> None:
    """Store, export, receipt and the second verifier find nothing wrong with a log that has unknown names."""
    assert home.run("audit", "verify").code == 0
    vkey = home.run("store", "key", "show").out.strip()
    for name in ("out", "out.zip"):
        assert home.run("audit", "export", name).code == 0
        verified = home.run("audit", "verify", name)
        assert verified.code == 0, verified.err
        assert independent_verifier.verify(home.folder / name, vkey) == []
    place = next(
        each["sequence"]
        for each in home.run("audit", "log", "-o", "json").json
        if each.get("statusAfter") == of_later.status
    )
    (home.folder / "receipt").write_text(home.run("audit", "receipt", "--entry", str(place)).out)
    receipt = home.run("audit", "verify", "receipt", "-o", "table")
    assert (receipt.code, "Access suspended" in receipt.out) == (0, True)


def test_watch(home: Home) -> None:
    """A watch tells an unknown change under its own name, to a pipe, a command and a person."""
    assert home.run("watch", "--once", "--name", "w").code == 0
    record = write_later(home, "suspended")
    for filters in ([], ["--active"]):
        told = home.run("watch", "--once", "--from-start", "-o", "jsonl", *filters)
        assert told.code == 0, told.err
        assert (record.id, "suspended") in {
            (each["accessRequestId"], each["what"]) for each in map(json.loads, told.lines)
        }
    pending = home.run("watch", "--once", "--from-start", "-o", "jsonl", "--pending")
    assert "suspended" not in {json.loads(each)["what"] for each in pending.lines}


def test_a_notification_of_an_unknown_event(home: Home) -> None:
    """Its title has the event's name, harmless for a chat."""
    record = write_later(home, "sus<b>pended")
    with home.store() as store:
        (event,) = [each for each in store.events(after=0, top=9).value if not each.what.is_known]

    title, text = message(event, {})
    assert title == "supportaccess: sus\uff1cb\uff1epended"
    assert record.id in text


@pytest.mark.process
def test_a_live_watch(home: Home, of_later: AccessRequest) -> None:
    """The live table has it among what is open."""
    with home.terminal("watch", "--interval", "1s", columns=160) as terminal:
        terminal.wait_for("suspended")
        screen = terminal.interrupt()
    assert of_later.id[:8] in screen.text


@pytest.mark.parametrize("form", FORMATS)
def test_an_unknown_name_is_untrusted_text(home: Home, form: str) -> None:
    """Control characters in a name are escaped wherever it is shown."""
    record = write_later(home, HOSTILE)
    for command in (
        ["list"],
        ["show", record.id],
        ["audit", "log"],
        ["audit", "lint", "--older-than", "1s"],
        ["audit", "report"],
        ["revoke", record.id, "--yes"],
        ["show", "7"],
    ):
        screen = home.on_terminal(*command, *([] if command[:2] == ["audit", "lint"] else ["-o", form]))
        assert "Traceback" not in screen.text, screen.text
        harmless(screen)


def test_a_server_of_a_later_version(home: Home, of_later: AccessRequest) -> None:
    """A list and a log of a server are shown with names that are unknown, and nothing of them is refused."""
    with home.store() as store:
        requests = RequestList(value=store.page(RequestQuery(), top=9).value)
        entries = AuditList(value=store.audit_page(AuditQuery(), top=99).value)
    with serving() as server:
        assert home.run("tenant", "set", HOME, "--endpoint", server.url).code == 0
        for command, body in ((["list"], requests), (["audit", "log", "--oldest-first"], entries)):
            server.will(answer(200, msgspec.json.encode(body)))
            told = home.run(*command, "-o", "json", env={"SUPPORTACCESS_ACCESS_TOKEN": token(HOME)})
            assert (told.code, told.err) == (0, "")
            assert told.json == msgspec.json.decode(msgspec.json.encode(body.value))
    assert of_later.id in {record.id for record in requests.value}
