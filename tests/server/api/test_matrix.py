"""Who is answered what, on every route: one table."""

import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest
from litestar.routes import HTTPRoute
from tests.server.api.acts import ASKING, approved, new_key, raised
from tests.support.apis import Answer, Api
from tests.support.issuer import ROBOT
from tests.support.people import FOREIGN, HOME, RESOURCE, UNKNOWN_ID

from supportaccess.domain.attempts import MOST, WINDOW
from supportaccess.domain.permissions import Permission
from supportaccess.server.routes import service
from supportaccess.server.web.asgi import OPERATIONS, build
from supportaccess.server.web.routing import Operation

TENANTS = (HOME, RESOURCE, FOREIGN)
ROUTES: tuple[Operation, ...] = (*OPERATIONS, *service.routes(OPERATIONS))


@dataclass(frozen=True)
class Expected:
    """What a route answers to a caller who holds `needs`, or any of several.

    `elsewhere` is for an ID that is another tenant's or nobody's; `makes` brings about the record that is named.
    """

    needs: Permission | tuple[Permission, ...] | None
    there: int = 200
    elsewhere: int = 404
    body: object = None
    makes: Callable[..., Any] = raised
    query: str = ""
    anybody: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None


READ, DECIDE, RAISE = Permission.READ_REQUESTS, Permission.DECIDE, Permission.RAISE
AUDIT, IMPORT = Permission.READ_AUDIT, Permission.WRITE_SOURCE_EVENTS

EXPECTED = {
    "GET /v1/access-requests": Expected(READ),
    "GET /v1/access-requests/count": Expected(READ),
    "GET /v1/access-requests/find": Expected(READ, query="?text=abcd"),
    "GET /v1/access-requests/events": Expected(READ),
    "GET /v1/access-requests/{request_id}": Expected(READ),
    "GET /v1/access-requests/{request_id}/history": Expected(READ, elsewhere=200),
    "GET /v1/access-requests/{request_id}/source-events": Expected(READ, elsewhere=200),
    "POST /v1/access-requests": Expected(RAISE, 201, body=ASKING),
    "POST /v1/access-requests/{request_id}/approve": Expected(DECIDE),
    "POST /v1/access-requests/{request_id}/reject": Expected(DECIDE, body={"reason": "no"}),
    "POST /v1/access-requests/{request_id}/revoke": Expected(DECIDE, makes=approved),
    "POST /v1/access-requests/{request_id}/withdraw": Expected(RAISE),
    "POST /v1/support-requests/{support_request_id}/close": Expected(RAISE),
    "GET /v1/audit-events": Expected(AUDIT),
    "GET /v1/audit-events/count": Expected(AUDIT),
    "GET /v1/audit-events/checkpoint": Expected((READ, AUDIT)),
    "GET /v1/audit-events/{sequence}/receipt": Expected(AUDIT, 404),
    "GET /v1/audit-events/tiles/{level}/{index}": Expected(AUDIT, 404),
    "GET /v1/audit-events/bundles/{index}": Expected(AUDIT, 404),
    "GET /v1/audit-events/verification": Expected(AUDIT),
    "POST /v1/source-events": Expected(
        IMPORT, headers={"Content-Type": "application/x-ndjson"}, raw=b'{"details": {"file": "x"}}\n'
    ),
    "GET /v1/me": Expected(None),
    "GET /.well-known/supportaccess-configuration": Expected(None, anybody=True),
    "GET /healthz": Expected(None, anybody=True),
    "GET /readyz": Expected(None, anybody=True),
    "GET /metrics": Expected(None, anybody=True),
    "GET /openapi.json": Expected(None, anybody=True),
    "GET /docs": Expected(None, anybody=True),
}


class Caller(NamedTuple):
    """Somebody who calls; without a tenant, nobody."""

    tenant_id: str | None
    permissions: frozenset[Permission] = frozenset()
    app_only: bool = False

    def token(self, api: Api) -> str | None:
        if self.tenant_id is None:
            return None
        own = {"object_id": ROBOT} if self.app_only else {}
        return api.token(self.tenant_id, self.permissions, app_only=self.app_only, **own)


EVERYTHING = frozenset(Permission)
CALLERS = {
    "nobody": Caller(None),
    "no permission": Caller(HOME),
    **{f"only {permission}": Caller(HOME, frozenset({permission})) for permission in Permission},
    "all but one": Caller(HOME, EVERYTHING - {READ}),
    "everything": Caller(HOME, EVERYTHING),
    "application": Caller(HOME, EVERYTHING, app_only=True),
    "other tenant": Caller(FOREIGN, EVERYTHING),
}
PLACES = {"own": HOME, "foreign": FOREIGN, "unknown": None}


def name_of(operation: Operation) -> str:
    return f"{operation.method} {operation.path}"


def cases() -> Iterator[Any]:
    for operation in ROUTES:
        for caller in CALLERS:
            for place in PLACES if operation.path_names else ["own"]:
                yield pytest.param(operation, caller, place, id=f"{name_of(operation)}-{caller}-{place}")


def expected_status(expected: Expected, caller: Caller, place: str, *, named: bool) -> int:
    if expected.anybody:
        return 200
    if caller.tenant_id is None:
        return 401
    needs = expected.needs if isinstance(expected.needs, tuple) else (expected.needs,)
    if expected.needs is not None and not {*needs} & caller.permissions:
        return 403
    if expected.needs is DECIDE and caller.app_only:
        return 403
    return expected.there if not named or caller.tenant_id == PLACES[place] else expected.elsewhere


def ask(api: Api, operation: Operation, caller: Caller, name: str, etag: str) -> Answer:
    expected = EXPECTED[name_of(operation)]
    headers = dict(expected.headers)
    if operation.method == "POST":
        headers |= {"Idempotency-Key": new_key(), "If-Match": etag}
    path = operation.path + expected.query
    for part in operation.path_names:
        path = path.replace(f"{{{part}}}", name)
    token = caller.token(api)
    return api.ask(operation.method, path, token=token, json_body=expected.body, body=expected.raw, headers=headers)


def named_record(api: Api, operation: Operation, place: str) -> tuple[str, str]:
    """Return what the request names, and the entity tag of the record."""
    tenant_id = PLACES[place]
    if not operation.path_names or tenant_id is None:
        return (UNKNOWN_ID, '"etag"')
    record = EXPECTED[name_of(operation)].makes(api, tenant_id)
    return record["supportRequestId" if "support_request_id" in operation.path_names else "id"], record["etag"]


def state(api: Api) -> object:
    """Return everything that a refused request must leave alone: all but what the logs have of attempts."""
    tables = ("access_requests", "support_requests", "idempotency", "source_events")
    with api.engine.reading([]) as session:
        rows = [sorted(map(repr, session.all(f"SELECT * FROM {table}", {}))) for table in tables]
    return [*rows, *(api.done(tenant_id) for tenant_id in TENANTS)]


def attempts(api: Api) -> Counter[tuple[str, str]]:
    """Return how many entries there are of what was only tried, and of readings, by tenant and activity."""
    entries = [entry for tenant_id in TENANTS for entry in api.entries(tenant_id)]
    return Counter((entry["tenantId"], entry["activity"]) for entry in entries if entry["activity"] in MOST)


@pytest.mark.parametrize(("operation", "caller", "place"), list(cases()))
def test_every_caller_gets_what_the_table_says(api: Api, operation: Operation, caller: str, place: str) -> None:
    """Every route answers every kind of caller as the table says; what is refused changes nothing, and is one entry."""
    api.clock.advance(WINDOW)
    name, etag = named_record(api, operation, place)
    before, tried = state(api), attempts(api)
    expected = expected_status(EXPECTED[name_of(operation)], CALLERS[caller], place, named=bool(operation.path_names))

    answer = ask(api, operation, CALLERS[caller], name, etag)

    assert (answer.status, answer.body[:300]) == (expected, answer.body[:300])
    if expected >= 400 or operation.method == "GET":
        assert state(api) == before
    elif operation.path != "/v1/source-events":
        assert state(api) != before
    if expected >= 400:
        assert answer.headers["x-ms-error-code"] == answer.error["code"]
    assert attempts(api) - tried == expected_entries(operation, CALLERS[caller], answer)


def expected_entries(operation: Operation, caller: Caller, answer: Answer) -> Counter[tuple[str, str]]:
    """Return what the logs have more than before, beside what was done: of each refusal one, in the caller's log."""
    tenant_id = str(caller.tenant_id)
    if answer.status == 403:
        return Counter({(tenant_id, "Access denied"): 1})
    if answer.status >= 400 and answer.status != 401 and operation.method == "POST":
        return Counter({(tenant_id, "Attempt failed"): 1})
    if name_of(operation) == "GET /v1/audit-events" and answer.status == 200:
        shown = {entry["activity"] for entry in answer.json["value"]}
        return Counter({(tenant_id, "Audit log read"): 1}) if shown - {"Audit log read"} else Counter()
    return Counter()


@pytest.mark.parametrize("operation", [each for each in ROUTES if each.path_names], ids=name_of)
def test_what_is_anothers_is_answered_like_what_is_nobodys(api: Api, operation: Operation) -> None:
    """Of a foreign record and of none the same is told, in headers and body, but for the ID that was asked for."""
    told = []
    # One that nobody has asked for: of those that somebody tried, the log tells.
    for name, etag in (named_record(api, operation, "foreign"), (str(uuid.uuid4()), '"etag"')):
        answer = ask(api, operation, CALLERS["everything"], name, etag)
        headers = {
            key: value for key, value in answer.headers.items() if key not in {"x-ms-request-id", "content-length"}
        }
        told.append((answer.status, headers, answer.body.replace(name.encode(), b"ID")))

    assert told[0] == told[1]


def test_every_route_is_in_the_table(api: Api) -> None:
    """A new route of the application without an entry in the table fails here."""
    routes = {
        f"{method} {route.path_format}"
        for route in build(api.services).app.routes
        if isinstance(route, HTTPRoute)
        for method in set(route.methods) - {"OPTIONS"}
    }

    assert routes == {name_of(operation) for operation in ROUTES} == set(EXPECTED)
