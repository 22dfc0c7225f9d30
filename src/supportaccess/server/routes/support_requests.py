"""Support requests: closed by the provider."""

from supportaccess.domain.attempts import Act
from supportaccess.domain.permissions import Permission
from supportaccess.server.web.routing import Call, route
from supportaccess.store.wire import CloseBody, RequestList


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


ROUTES = (close,)
