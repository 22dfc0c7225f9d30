"""Imports over HTTP: lines of somebody who may import, taken all or not at all."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from tests.server.api.acts import REQUESTS, new_key
from tests.support.apis import NO_LIMITS, Answer, Api, running_api
from tests.support.events import APPROVED, CREATED, event
from tests.support.issuer import Issuer
from tests.support.people import FOREIGN, RESOURCE

from supportaccess.domain.source_events import SourceEvent

HEAD = b'{"details": {"file": "export.json"}}'
PATH = "/v1/source-events"


def lines(*events: SourceEvent) -> bytes:
    return b"\n".join([HEAD, *map(msgspec.json.encode, events)])


def send(
    api: Api, body: Any, *, query: str = "", key: str | None = None, kind: str = "application/x-ndjson", also: str = ""
) -> Answer:
    headers = {"Idempotency-Key": key or new_key(), "Content-Type": kind}
    if also:
        headers["x-ms-authorization-auxiliary"] = f"Bearer {also}"
    return api.ask("POST", PATH + query, body=body, headers=headers)


def line(**changes: object) -> bytes:
    told = {**msgspec.to_builtins(event(CREATED, 0)), **changes}
    return json.dumps({name: value for name, value in told.items() if value != "LEFT OUT"}).encode()


def test_events_become_a_mirror(own_api: Api) -> None:
    """Events come in, become a record, and are told as they were; the same import again is answered as it was."""
    body, key = lines(event(CREATED, 0, correlation="c"), event(APPROVED, 5, correlation="c")) + b"\n", new_key()

    first, again = send(own_api, body, key=key), send(own_api, body, key=key)

    assert first.json == {"new": 2, "requestsNew": 1}
    assert (again.status, again.body) == (200, first.body)
    (mirror,) = own_api.ask("GET", REQUESTS).json["value"]
    assert (mirror["status"], mirror["source"]) == ("approved", "entra")
    (entry, *_) = own_api.ask("GET", "/v1/audit-events").json["value"]
    assert entry["details"]["file"] == "export.json"


def test_a_dry_run(own_api: Api) -> None:
    """A dry run tells what would be, and keeps nothing."""
    assert send(own_api, lines(event(CREATED, 0)), query="?dryRun=true").json == {"new": 1, "requestsNew": 1}
    assert own_api.ask("GET", "/v1/audit-events/checkpoint").json["size"] == 0


def test_both_halves_of_a_cross_tenant_request(own_api: Api) -> None:
    """With a token of the other tenant beside, the mirror of that tenant is joined too."""
    ours, theirs = (
        event(CREATED, 0, correlation="c"),
        event("Approval approved", 1, tenant_id=RESOURCE, ticket=None, correlation="c"),
    )
    headers = {"Idempotency-Key": new_key(), "Content-Type": "application/x-ndjson"}
    own_api.ask("POST", PATH, token=own_api.token(RESOURCE), body=lines(theirs), headers=headers)

    send(own_api, lines(ours), also=own_api.token(RESOURCE))

    (mirror,) = own_api.ask("GET", REQUESTS).json["value"]
    assert mirror["resourceTenantId"] == RESOURCE


def test_a_time_in_another_offset(own_api: Api) -> None:
    """Times are kept in UTC."""
    send(own_api, HEAD + b"\n" + line(time="2026-03-01T10:30:00+01:00"))

    (mirror,) = own_api.ask("GET", REQUESTS).json["value"]
    assert mirror["createdAt"] == "2026-03-01T09:30:00Z"


BAD_LINES = {
    "blank": b"",
    "not JSON": b"{",
    "array": b"[]",
    "unknown member": line(note="x"),
    "twice": line()[:-1] + b', "id": "x"}',
    "no ID": line(id="LEFT OUT"),
    "empty ID": line(id=""),
    "long ID": line(id="x" * 257),
    "NUL in ID": line(id="a\x00"),
    "NUL in raw": line(raw="a\x00"),
    "no raw": line(raw="LEFT OUT"),
    "large raw": line(raw="x" * (1024**2 + 1)),
    "no time": line(time="LEFT OUT"),
    "time without offset": line(time="2026-03-01T10:30:00"),
    "time outside UTC": line(time="0001-01-01T00:00:00+14:00"),
    "time as number": line(time=1),
    "another tenant": line(tenantId=FOREIGN),
    "tenant in capitals": line(tenantId="AAAAAAAA-1111-4111-8111-111111111111"),
    "own source": line(source="store"),
    "unknown source": line(source="okta"),
    "recognised without reason": line(activity="Add user"),
    "system": line(initiator={"kind": "system"}),
    "local account": line(initiator={"kind": "local", "displayName": "root"}),
    "member of initiator": line(initiator={"kind": "user", "upn": "x"}),
    "long name": line(initiator={"kind": "user", "displayName": "x" * 257}),
    "NUL in name": line(initiator={"kind": "user", "displayName": "\x00"}),
    "long target": line(targetIds=["x" * 257]),
    "target as number": line(targetIds=[1]),
    "support request of two words": line(supportRequestId="1 2"),
    "half a pair": line().replace(b"Core", b"\\ud800"),
    "not UTF-8": line().replace(b"Core", b"\xff"),
    "deep": b'{"initiator":' * 10_000,
    "number": b"1",
    "long": b'{"raw": "' + b"x" * 9 * 1024**2 + b'"}',
}


@pytest.mark.parametrize("name", BAD_LINES)
def test_bad_lines(own_api: Api, name: str) -> None:
    """A line that is not an event of this tenant is named, and nothing of the import is kept."""
    good = msgspec.json.encode(event(CREATED, 9))

    answer = send(own_api, b"\n".join([HEAD, good, BAD_LINES[name], good]))

    assert (answer.status, answer.error["code"]) == (400, "InvalidInput"), answer
    assert "line 3" in answer.error["message"] or name in {"another tenant", "tenant in capitals"}
    assert own_api.ask("GET", REQUESTS).json == {"value": []}
    assert [entry["details"]["operation"] for entry in own_api.entries()] == ["import"]
    assert own_api.done() == []


@pytest.mark.parametrize(
    "head",
    [b"", b"\n", b"{}", b"[]", b'{"details": []}', b'{"details": {"a": 1.5}}', b'{"details": {"a": null}}',
     b'{"details": {"a": {}}}', b'{"details": {}, "more": 1}', b'{"details": {"a": 1, "a": 2}}',
     b'{"details": {"a": 9007199254740993}}', b'{"details": {"a": "' + b"x" * 20_000 + b'"}}'],
)  # fmt: skip
def test_bad_heads(own_api: Api, head: bytes) -> None:
    """An import begins with what it is."""
    answer = send(own_api, head + b"\n" + msgspec.json.encode(event(CREATED, 0)))

    assert (answer.status, answer.error["code"]) == (400, "InvalidInput"), answer
    assert [entry["details"]["operation"] for entry in own_api.entries()] == ["import"]
    assert own_api.done() == []


def test_other_kinds_of_bodies(api: Api) -> None:
    """Only lines of JSON are taken."""
    for kind in ("application/json", "text/plain"):
        assert send(api, lines(), kind=kind).status == 415
    assert send(api, lines(), query="?dryRun=yes").status == 400
    assert send(api, lines(), query="?dry=true").status == 400


def test_a_large_import_in_pieces(own_api: Api) -> None:
    """An import of many events may come in pieces of any size."""
    body = lines(*(event(CREATED, minute, ticket=f"T{minute}", correlation=f"c{minute}") for minute in range(500)))

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(body), 4099):
            yield body[start : start + 4099]

    assert send(own_api, pieces()).json == {"new": 500, "requestsNew": 500}


def test_an_import_over_the_limit(tmp_path: Any, issuer: Issuer) -> None:
    """An import that is too large is refused while it comes in, told or not."""
    limits = msgspec.structs.replace(NO_LIMITS, import_bytes=100_000)
    with running_api(tmp_path, issuer, limits=limits) as api:
        body = HEAD + b"\n" + b"x" * 100_000

        assert send(api, body).status == 413
        assert send(api, iter([body[:50_000], body[50_000:]])).status == 413
        # The answer reaches also a client that sends all of it before it reads.
        assert send(api, HEAD + b"\n" + b"x" * 20_000_000).status == 413
        assert send(api, lines(event(CREATED, 0))).status == 200


def test_a_bodys_time_is_limited(tmp_path: Any, issuer: Issuer) -> None:
    """A body that does not come in is given up."""
    limits = msgspec.structs.replace(NO_LIMITS, body_seconds=0.3)
    with running_api(tmp_path, issuer, limits=limits) as api:
        for path, kind in ((PATH, "application/x-ndjson"), (REQUESTS, "application/json")):
            with socket.create_connection(api.address, timeout=30) as connection:
                head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {api.token()}\r\n"
                rest = f"Idempotency-Key: k\r\nContent-Type: {kind}\r\nContent-Length: 100\r\n\r\n{{"
                connection.sendall((head + rest).encode())
                assert connection.recv(12) == b"HTTP/1.1 408"
