"""Access requests: read, raised and decided; and support requests, which their provider closes."""

from typing import cast
from urllib.parse import unquote_plus

import msgspec

from supportaccess.domain.attempts import Act
from supportaccess.domain.events import EventPage
from supportaccess.domain.permissions import Permission
from supportaccess.domain.records import AccessRequest
from supportaccess.server.web.queries import EventQuery, FindQuery, RequestCountQuery, RequestListQuery
from supportaccess.server.web.routing import Call, route
from supportaccess.store.wire import (
    ApproveBody,
    AuditList,
    CloseBody,
    Count,
    RaiseBody,
    ReasonBody,
    RejectBody,
    RequestList,
    SourceEventList,
)
from supportaccess.structs import Struct

_ALL = "/v1/access-requests"
_ONE = f"{_ALL}/{{request_id}}"
_DECISION = ("Conflict", "DecidedElsewhere")


class _ListInJson(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """A RequestList whose records are in JSON already."""

    value: msgspec.Raw
    next_link: str | msgspec.UnsetType


@route("GET", _ALL, "List access requests", permission=Permission.READ_REQUESTS, act=Act.LIST)
async def page(call: Call, query: RequestListQuery) -> RequestList:
    """Return a page: what needs attention first, unless asked otherwise."""
    found, following = await call.read(lambda store: store.page_in_json(query, top=query.top, cursor=query.skip_token))
    return cast("RequestList", _ListInJson(value=found, next_link=next_link(call, following)))


@route("GET", f"{_ALL}/count", "Count access requests", permission=Permission.READ_REQUESTS, act=Act.COUNT)
async def count(call: Call, query: RequestCountQuery) -> Count:
    """Return how many requests a list would have, counted no further than asked."""
    return Count(count=await call.read(lambda store: store.count(query, at_most=query.at_most)))


@route("GET", f"{_ALL}/find", "Find access requests by ID", permission=Permission.READ_REQUESTS, act=Act.FIND)
async def find(call: Call, query: FindQuery) -> RequestList:
    """Return the requests whose ID begins with the text (4 characters or more), or whose support request ID it is."""
    return RequestList(value=await call.read(lambda store: store.find(query.text, top=query.top)))


@route(
    "GET",
    f"{_ALL}/events",
    "Follow what happens to access requests",
    permission=Permission.READ_REQUESTS,
    act=Act.EVENTS,
)
async def events(call: Call, query: EventQuery) -> EventPage:
    """Return what happened from a place in the audit log on; without a place, nothing but where that now is."""
    return await call.read(lambda store: store.events(after=query.after, top=query.top))


@route("GET", _ONE, "Get an access request", permission=Permission.READ_REQUESTS, act=Act.GET)
async def get(call: Call, request_id: str) -> AccessRequest:
    """Return one request."""
    return await call.read(lambda store: store.get(request_id))


@route(
    "GET",
    f"{_ONE}/history",
    "Get the history of an access request",
    permission=Permission.READ_REQUESTS,
    act=Act.HISTORY,
)
async def history(call: Call, request_id: str) -> AuditList:
    """Return the audit entries of one request, oldest first; none for one that does not exist."""
    return AuditList(value=await call.read(lambda store: store.history(request_id)))


@route(
    "GET",
    f"{_ONE}/source-events",
    "Get what a mirror was read from",
    permission=Permission.READ_REQUESTS,
    act=Act.SOURCE_EVENTS,
)
async def source_events(call: Call, request_id: str) -> SourceEventList:
    """Return the provider's events that a mirror was rebuilt from, oldest first; none for any other request."""
    return SourceEventList(value=await call.read(lambda store: store.source_events(request_id)))


@route(
    "POST",
    _ALL,
    "Raise an access request",
    permission=Permission.RAISE,
    act=Act.RAISE,
    status=201,
    refusals=("Conflict",),
)
async def raise_request(call: Call, key: str, body: RaiseBody) -> AccessRequest:
    """Create a pending request in the caller's tenant, as the provider."""
    asked = body.asked()
    return await call.change(lambda store: store.raise_request(asked, key=key))


@route(
    "POST",
    f"{_ONE}/approve",
    "Approve an access request",
    permission=Permission.DECIDE,
    refusals=_DECISION,
    act=Act.APPROVE,
    takes_other_tokens=True,
)
async def approve(call: Call, request_id: str, etag: str, key: str, body: ApproveBody | None) -> AccessRequest:
    """Open the access. A cross-tenant request takes a token of the resource tenant too, beside the caller's own."""
    asked = body or ApproveBody()
    limit = asked.limit.limit() if asked.limit else None
    return await call.change(
        lambda store: store.approve(request_id, etag=etag, key=key, limit=limit, reason=asked.reason)
    )


@route(
    "POST",
    f"{_ONE}/reject",
    "Reject an access request",
    permission=Permission.DECIDE,
    refusals=_DECISION,
    act=Act.REJECT,
)
async def reject(call: Call, request_id: str, etag: str, key: str, body: RejectBody) -> AccessRequest:
    """Refuse a pending request, with a reason."""
    return await call.change(lambda store: store.reject(request_id, etag=etag, key=key, reason=body.reason))


@route("POST", f"{_ONE}/revoke", "Revoke access", permission=Permission.DECIDE, refusals=_DECISION, act=Act.REVOKE)
async def revoke(call: Call, request_id: str, etag: str, key: str, body: ReasonBody | None) -> AccessRequest:
    """End open access before its time, in the tenant whose data is read."""
    reason = body.reason if body else None
    return await call.change(lambda store: store.revoke(request_id, etag=etag, key=key, reason=reason))


@route(
    "POST",
    f"{_ONE}/withdraw",
    "Withdraw an access request",
    permission=Permission.RAISE,
    refusals=_DECISION,
    act=Act.WITHDRAW,
)
async def withdraw(call: Call, request_id: str, etag: str, key: str, body: ReasonBody | None) -> AccessRequest:
    """Take a pending request back, as the provider."""
    reason = body.reason if body else None
    return await call.change(lambda store: store.withdraw(request_id, etag=etag, key=key, reason=reason))


def next_link(call: Call, skip_token: str | None) -> str | msgspec.UnsetType:
    """Return the address of the next page, with every parameter of this one; none on the last page."""
    if skip_token is None:
        return msgspec.UNSET
    pairs = call.scope["query_string"].decode("ascii").split("&")
    kept = [pair for pair in pairs if pair and unquote_plus(pair.partition("=")[0]) != "skipToken"]
    return f"{call.base_url}{call.scope['path']}?{'&'.join([*kept, f'skipToken={skip_token}'])}"


@route(
    "POST",
    "/v1/support-requests/{support_request_id}/close",
    "Close a support request",
    permission=Permission.RAISE,
    refusals=("Conflict",),
    act=Act.CLOSE,
)
async def close(call: Call, support_request_id: str, key: str, body: CloseBody | None) -> RequestList:  # noqa: ARG001 - it is empty, and is checked to be
    """Close a support request, and return its access requests that ended by it."""
    return RequestList(value=await call.change(lambda store: store.close(support_request_id, key=key)))


ROUTES = (
    page,
    count,
    find,
    events,
    get,
    history,
    source_events,
    raise_request,
    approve,
    reject,
    revoke,
    withdraw,
    close,
)
