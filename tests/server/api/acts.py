"""Short ways to bring a server into a state."""

import itertools
from collections.abc import Iterator
from typing import Any

from tests.support.apis import Answer, Api
from tests.support.people import HOME

from supportaccess.store.wire import AUXILIARY_HEADER

REQUESTS = "/v1/access-requests"
ASKING: dict[str, Any] = {
    "supportRequestId": "2603010050001234",
    "engineer": {"displayName": "Erin Engineer"},
    "reason": "Sign-in fails for guests",
    "requestedSeconds": 8 * 3600,
}

_numbers: Iterator[int] = itertools.count()


def new_key() -> str:
    """Return an idempotency key that was not used yet."""
    return f"key-{next(_numbers)}"


def new_ticket() -> str:
    """Return a support request ID that was not used yet."""
    return f"T{next(_numbers)}"


def raised(api: Api, tenant_id: str = HOME, *, key: str | None = None, **asked: Any) -> Any:
    """Return a new pending request."""
    answer = api.ask(
        "POST",
        REQUESTS,
        token=api.token(tenant_id),
        json_body={**ASKING, "supportRequestId": new_ticket(), **asked},
        headers={"Idempotency-Key": key or new_key()},
    )
    assert answer.status == 201, answer
    return answer.json


def decide(
    api: Api,
    verb: str,
    record: Any,
    body: object = None,
    *,
    also: str | None = None,
    key: str | None = None,
    token: str = "",
) -> Answer:
    """Decide a request as it was shown."""
    headers = {"Idempotency-Key": key or new_key(), "If-Match": record["etag"]}
    if also is not None:
        headers[AUXILIARY_HEADER] = f"Bearer {also}"
    return api.ask("POST", f"{REQUESTS}/{record['id']}/{verb}", token=token, json_body=body, headers=headers)


def approved(api: Api, tenant_id: str = HOME, **asked: Any) -> Any:
    """Return a new request that was approved."""
    answer = decide(api, "approve", raised(api, tenant_id, **asked), token=api.token(tenant_id))
    assert answer.status == 200, answer
    return answer.json
