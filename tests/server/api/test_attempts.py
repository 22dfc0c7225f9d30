"""What the server refuses to somebody known is an entry of the audit log: one table over all routes."""

import sqlite3
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.server.api.acts import ASKING, REQUESTS, decide, new_key, raised
from tests.server.api.test_matrix import CALLERS, EXPECTED, ROUTES, ask, attempts, name_of, named_record
from tests.support.apis import Api
from tests.support.people import FOREIGN, HOME, UNKNOWN_ID, object_id

from supportaccess.domain.attempts import MOST, WINDOW
from supportaccess.domain.audit import Activity
from supportaccess.domain.permissions import Permission
from supportaccess.server.web.routing import Operation

DENIED, FAILED, READ = "Access denied", "Attempt failed", "Audit log read"

GRACE = object_id("Grace")

# Why there is no entry.
ANYBODY = "anybody may ask"
MYSELF = "whoever has a token may ask who they are"
LOOKS = "a look that cannot be taken changes nothing"
THEIR_OWN = "they see, or change, their own tenant alone, as they may"
OF_THEIR_OWN = "their own log has no such place: a look at nothing"


class Line(NamedTuple):
    """The activity of the one entry, or why there is none.

    For somebody without any permission, for somebody of another tenant who may do everything there, and for what cannot
    be read.
    """

    no_permission: str
    foreign: str
    malformed: str


LOOK = Line(DENIED, THEIR_OWN, LOOKS)
LOOK_AT_ONE = Line(DENIED, LOOKS, LOOKS)
LOOK_AT_LOG = Line(DENIED, OF_THEIR_OWN, LOOKS)
CHANGE_ONE = Line(DENIED, FAILED, FAILED)
OPEN = Line(ANYBODY, ANYBODY, ANYBODY)

TABLE = {
    "GET /v1/access-requests": LOOK,
    "GET /v1/access-requests/count": LOOK,
    "GET /v1/access-requests/find": LOOK,
    "GET /v1/access-requests/events": LOOK,
    "GET /v1/access-requests/{request_id}": LOOK_AT_ONE,
    "GET /v1/access-requests/{request_id}/history": LOOK_AT_ONE,
    "GET /v1/access-requests/{request_id}/source-events": LOOK_AT_ONE,
    "POST /v1/access-requests": Line(DENIED, THEIR_OWN, FAILED),
    "POST /v1/access-requests/{request_id}/approve": CHANGE_ONE,
    "POST /v1/access-requests/{request_id}/reject": CHANGE_ONE,
    "POST /v1/access-requests/{request_id}/revoke": CHANGE_ONE,
    "POST /v1/access-requests/{request_id}/withdraw": CHANGE_ONE,
    "POST /v1/support-requests/{support_request_id}/close": CHANGE_ONE,
    "GET /v1/audit-events": Line(DENIED, READ, LOOKS),
    "GET /v1/audit-events/count": LOOK,
    "GET /v1/audit-events/checkpoint": LOOK,
    "GET /v1/audit-events/verification": LOOK,
    "GET /v1/audit-events/{sequence}/receipt": LOOK_AT_LOG,
    "GET /v1/audit-events/tiles/{level}/{index}": LOOK_AT_LOG,
    "GET /v1/audit-events/bundles/{index}": LOOK_AT_LOG,
    "POST /v1/source-events": Line(DENIED, THEIR_OWN, FAILED),
    "GET /v1/me": Line(MYSELF, MYSELF, LOOKS),
    "GET /.well-known/supportaccess-configuration": OPEN,
    "GET /healthz": OPEN,
    "GET /readyz": OPEN,
    "GET /metrics": OPEN,
    "GET /openapi.json": OPEN,
    "GET /docs": OPEN,
}


def test_every_route_is_in_the_table() -> None:
    """A new route without a line here fails."""
    assert set(TABLE) == {name_of(operation) for operation in ROUTES}


@pytest.mark.parametrize("case", Line._fields)
@pytest.mark.parametrize("operation", ROUTES, ids=name_of)
def test_exactly_one_entry_or_none(api: Api, operation: Operation, case: str) -> None:
    """Each refusal is one entry in the log of whoever was refused, and no entry in any other tenant's log."""
    api.clock.advance(WINDOW)
    raised(api, FOREIGN)
    name, etag = named_record(api, operation, "own")
    before = attempts(api)

    answer = _malformed(api, operation, name, etag) if case == "malformed" else _ask(api, operation, case, name, etag)

    wanted = getattr(TABLE[name_of(operation)], case)
    tenant_id = FOREIGN if case == "foreign" else HOME
    expected = {(tenant_id, wanted): 1} if wanted in set(Activity) else {}
    assert (dict(attempts(api) - before), answer.status) == (expected, answer.status)
    if expected:
        entry = api.entries(tenant_id)[-1]
        assert entry["actor"]["tenantId"] == tenant_id
        assert wanted == READ or entry["details"]["error"] == answer.error["code"]
    assert (case, answer.status) != ("malformed", 200) or wanted == ANYBODY


def _ask(api: Api, operation: Operation, case: str, name: str, etag: str) -> Any:
    caller = {"no_permission": "no permission", "foreign": "other tenant"}[case]
    return ask(api, operation, CALLERS[caller], name, etag)


def _malformed(api: Api, operation: Operation, name: str, etag: str) -> Any:
    """Send what cannot be read, of somebody who may do everything: a body that is none, or an unknown parameter."""
    path = operation.path
    for part in operation.path_names:
        path = path.replace(f"{{{part}}}", name)
    if operation.method == "GET":
        return api.ask("GET", f"{path}?nonsense=1", token=None if EXPECTED[name_of(operation)].anybody else "")
    headers = {"Idempotency-Key": new_key(), "If-Match": etag, "Content-Type": operation.takes}
    return api.ask("POST", path, body=b"{", headers=headers)


def decision(api: Api, request_id: str, **headers: str) -> Any:
    return api.ask("POST", f"{REQUESTS}/{request_id}/approve", headers=headers)


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        ({"Idempotency-Key": "k"}, b"", 428, "PreconditionRequired"),
        ({"Idempotency-Key": "k", "If-Match": "*"}, b"", 400, "InvalidInput"),
        ({"If-Match": '"x"'}, b"", 400, "InvalidInput"),
        ({"Idempotency-Key": "k", "If-Match": '"x"', "Content-Type": "text/plain"}, b"{}", 415, "UnsupportedMediaType"),
        ({"Idempotency-Key": "k", "If-Match": '"x"'}, b"{" + b" " * 70_000, 413, "PayloadTooLarge"),
    ],
    ids=lambda each: str(each)[:40],
)
def test_what_the_protocol_refuses(own_api: Api, headers: dict[str, str], body: bytes, status: int, code: str) -> None:
    """A decision without its headers, or with a body that is not taken, is a failed attempt on what its path names."""
    answer = own_api.ask("POST", f"{REQUESTS}/{UNKNOWN_ID}/approve", body=body, headers=headers)

    assert answer.status == status
    (entry,) = own_api.entries()
    assert (entry["activity"], entry["accessRequestId"]) == (FAILED, UNKNOWN_ID)
    assert entry["details"] == {"operation": "approve", "error": code}


def test_nobody_known_is_no_entry(own_api: Api) -> None:
    """Without a token, or with one that is refused, there is nobody to tell of."""
    for token in (None, "x.y.z"):
        assert own_api.ask("POST", REQUESTS, token=token, json_body=ASKING).status == 401

    assert all(own_api.entries(tenant_id) == [] for tenant_id in (HOME, FOREIGN))


def test_a_support_request_is_named_as_it_was_meant(own_api: Api) -> None:
    """The path is decoded before it is written down."""
    for named in ("A%2F1", "%ff"):
        own_api.ask("POST", f"/v1/support-requests/{named}/close", token=own_api.token(permissions=[]))

    assert [entry.get("supportRequestId") for entry in own_api.entries()] == ["A/1", None]


def test_one_limit_for_what_server_and_store_refuse(own_api: Api) -> None:
    """What is refused before the store is reached, and by it, is counted together."""
    for number in range(MOST[Activity.ATTEMPT_FAILED] + 4):
        if number % 2:
            decide(own_api, "approve", {"id": UNKNOWN_ID, "etag": '"x"'})
        else:
            decision(own_api, UNKNOWN_ID)

    assert len(own_api.entries()) == MOST[Activity.ATTEMPT_FAILED]
    with own_api.engine.reading([HOME]) as session:
        assert session.all("SELECT logged, not_logged FROM attempt_counts", {}) == [(20, 4)]


@pytest.fixture
def full(own_api: Api) -> tuple[Api, Any]:
    """Return a server with a request, whose database takes no entry any more."""
    record = raised(own_api)
    blocking = "CREATE TRIGGER full BEFORE INSERT ON audit_events BEGIN SELECT RAISE(ABORT, 'full'); END"
    path: Path | None = own_api.services.settings.database.sqlite
    assert path is not None
    with sqlite3.connect(path) as connection:
        connection.execute(blocking)
    connection.close()
    return own_api, record


def test_a_log_that_takes_nothing_changes_no_answer(full: tuple[Api, Any], capfd: pytest.CaptureFixture[str]) -> None:
    """Denials, failures and readings are answered as ever; what could not be written is logged and counted."""
    api, record = full
    nobody = api.token(permissions=[Permission.READ_REQUESTS])
    before = api.entries()

    statuses = [
        decide(api, "approve", record, token=nobody).status,
        decide(api, "approve", {**record, "etag": '"old"'}).status,
        decision(api, record["id"]).status,
        api.ask("GET", "/v1/audit-events").status,
        api.ask("GET", "/v1/audit-events", token=nobody).status,
    ]

    assert statuses == [403, 412, 428, 200, 403]
    assert api.entries() == before
    counted = api.ask("GET", "/metrics", token=None).body.decode()
    for activity, times in ((DENIED, 2), (FAILED, 2), (READ, 1)):
        assert f'supportaccess_not_recorded_total{{activity="{activity}"}} {times}.0' in counted
    logged = [line for line in capfd.readouterr().err.splitlines() if '"event":"notRecorded"' in line]
    assert len(logged) == 5
    assert '"code":"StoreRefused"' in logged[0]


def test_a_receipt_of_what_somebody_else_did_is_a_reading(own_api: Api) -> None:
    """Who takes the receipt of their own act has read nothing new; by others' receipts the log could be read."""
    raised(own_api)
    receipt = "/v1/audit-events/0/receipt"
    assert own_api.ask("GET", receipt).status == 200
    assert [entry["activity"] for entry in own_api.entries()] == ["Request created"]

    for _ in range(2):
        assert own_api.ask("GET", receipt, token=own_api.token(object_id=GRACE)).status == 200

    (_, entry) = own_api.entries()
    assert (entry["activity"], entry["actor"]["objectId"]) == (READ, GRACE)


def test_a_reading_by_bundles_is_told_once(own_api: Api) -> None:
    """Who takes entries as bundles has read the log; hashes and heads show no entry."""
    raised(own_api)
    own_api.ask("GET", "/v1/audit-events/checkpoint?earlierSize=1")
    own_api.ask("GET", "/v1/audit-events/tiles/0/0?width=1")
    assert [entry["activity"] for entry in own_api.entries()] == ["Request created"]

    for _ in range(2):
        assert own_api.ask("GET", "/v1/audit-events/bundles/0?width=1").status == 200

    assert [entry["activity"] for entry in own_api.entries()][1:] == [READ]
