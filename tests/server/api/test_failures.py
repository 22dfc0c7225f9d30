"""What is told when the server or its store fails, to the client and to the log."""

import json
import logging
import time
from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from tests.server.api.acts import ASKING, REQUESTS, new_key, raised
from tests.support.apis import Api

from supportaccess.errors import OutcomeUnknown, StoreFull, StoreRefused, StoreUnavailable

INSIDE = "host db.internal, password hunter2"
KEY = {"Idempotency-Key": "k"}


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (StoreUnavailable(INSIDE, hint=INSIDE), 503, "StoreUnavailable"),
        (OutcomeUnknown(INSIDE, hint=INSIDE), 503, "OutcomeUnknown"),
        (StoreRefused(INSIDE, hint=INSIDE), 500, "StoreRefused"),
        (StoreFull(INSIDE, hint=INSIDE), 507, "StoreFull"),
        (RuntimeError(INSIDE), 500, "Failed"),
        (RecursionError(INSIDE), 500, "Failed"),
    ],
)
def test_what_a_client_is_told(
    own_api: Api, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, code: str
) -> None:
    """A failure has its code, a time to wait where waiting helps, and nothing of what is inside."""

    async def fail(_: Any, **__: Any) -> NoReturn:
        raise error

    monkeypatch.setattr(own_api.services.database, "write", fail)

    answer = own_api.ask("POST", REQUESTS, json_body=ASKING, headers=KEY)

    assert (answer.status, answer.error["code"], answer.headers["x-ms-error-code"]) == (status, code, code)
    assert ("retry-after" in answer.headers) == (status == 503)
    assert (answer.headers["x-ms-request-id"] in answer.error["message"]) == (status == 500)
    assert "hunter2" not in str(answer)
    if code == "OutcomeUnknown":
        assert "same Idempotency-Key" in answer.error["hint"]


def test_a_full_disk_is_told_as_one(own_api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without room a change is refused as what it is, without a path; reading goes on, and with room changes do."""
    record = raised(own_api)
    (most_pages,) = own_api.engine.connection.execute("PRAGMA page_count").fetchone()
    write = own_api.services.database.write

    async def cramped(act: Callable[[Any], Any], **more: Any) -> Any:
        def with_little_room(engine: Any) -> Any:
            engine.connection.execute(f"PRAGMA max_page_count = {most_pages}")
            return act(engine)

        return await write(with_little_room, **more)

    monkeypatch.setattr(own_api.services.database, "write", cramped)
    large = {**ASKING, "reason": "x" * 900}
    for _ in range(1000):
        refused = own_api.ask("POST", REQUESTS, json_body=large, headers={"Idempotency-Key": new_key()})
        if refused.status != 201:
            break

    assert (refused.status, refused.error["code"]) == (507, "StoreFull")
    assert "nothing was changed" in refused.error["message"]
    assert "make room" in refused.error["hint"]
    assert "store.db" not in str(refused)
    assert own_api.ask("GET", f"{REQUESTS}/{record['id']}").json == record
    most_pages *= 10
    assert own_api.ask("POST", REQUESTS, json_body=large, headers={"Idempotency-Key": new_key()}).status == 201


@pytest.mark.parametrize("part", ["database", "keys"])
def test_a_server_that_is_not_ready(own_api: Api, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    """It says which part is missing and no more, while the process itself is well."""

    async def wrong() -> str:
        return INSIDE

    if part == "database":
        monkeypatch.setattr(own_api.services.database, "ready", wrong)
    else:
        monkeypatch.setattr(own_api.services.authenticator, "ready", lambda: {"a tenant": INSIDE})

    answer = own_api.ask("GET", "/readyz", token=None)

    assert (answer.status, answer.error["code"]) == (503, "NotReady")
    assert f"not ready: {part};" in answer.error["message"]
    assert "hunter2" not in str(answer)
    assert own_api.ask("GET", "/healthz", token=None).status == 200


def test_the_line_in_the_log(own_api: Api, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    """A request is one line: its ID, its route without what stood in its place, who asked, and the error's code."""
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    record = raised(own_api)
    with caplog.at_level(logging.INFO, "supportaccess"):
        found = own_api.ask(
            "GET", f"{REQUESTS}/{record['id']}", headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
        )
        missing = own_api.ask("HEAD", f"{REQUESTS}/secret-name?x=1")
        lost = own_api.ask("GET", "/secret/path", token=None)
        asked = [answer.headers["x-ms-request-id"] for answer in (found, missing, lost)]
        lines = _lines(capfd, asked)

    first, second, third = (lines[request_id] for request_id in asked)
    assert (first["route"], first["status"], first["traceId"]) == ("/v1/access-requests/{request_id}", 200, trace)
    assert first["bytes"] == len(found.body)
    assert first["objectId"]
    assert (second["method"], second["code"]) == ("HEAD", "InvalidInput")
    assert (third["route"], third["code"]) == ("unmatched", "NotFound")
    assert "secret" not in json.dumps(lines)


def _lines(capfd: pytest.CaptureFixture[str], request_ids: list[str]) -> dict[str, Any]:
    """Return the lines of the log by request ID. Each is written once its answer is sent: it may take a moment."""
    lines: dict[str, Any] = {}
    for _ in range(600):
        lines |= {line["requestId"]: line for line in map(json.loads, capfd.readouterr().err.splitlines())}
        if lines.keys() >= set(request_ids):
            break
        time.sleep(0.05)
    return lines


def test_a_failure_in_the_log(own_api: Api, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """What failed is told under the request's ID: where it was, not what it says."""

    def fail(_: str) -> NoReturn:
        raise RuntimeError(INSIDE)

    monkeypatch.setattr(own_api.services.authenticator, "recall", fail)

    answer = own_api.ask("GET", "/v1/me")

    (line,) = map(json.loads, capfd.readouterr().err.splitlines())
    assert (line["event"], line["requestId"]) == ("failed", answer.headers["x-ms-request-id"])
    assert "RuntimeError" in json.dumps(line)
    assert "hunter2" not in json.dumps(line)


def test_what_is_counted(own_api: Api) -> None:
    """Requests are counted by route and status, decisions by what became of them."""
    raised(own_api)
    own_api.ask("POST", f"{REQUESTS}/x/approve", headers={**KEY, "If-Match": '"x"'})

    counted = own_api.ask("GET", "/metrics", token=None).body.decode()

    route = 'route="/v1/access-requests/{request_id}/approve"'
    assert f'supportaccess_requests_total{{method="POST",{route},status="404"}} 1.0' in counted
    assert 'supportaccess_decisions_total{outcome="NotFound",verb="approve"} 1.0' in counted
