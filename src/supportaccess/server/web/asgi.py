"""The ASGI application: the routes behind the edge."""

from collections import defaultdict
from typing import Any

from litestar import Litestar, Request, Response
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp

from supportaccess.errors import SupportAccessError
from supportaccess.server import logs
from supportaccess.server.routes import access_requests, audit_events, service, source_events
from supportaccess.server.services import Services
from supportaccess.server.web.errors import (
    BadInput,
    MethodNotAllowed,
    code_of,
    is_failure,
    nothing_at,
    reason_of,
    reply_to,
)
from supportaccess.server.web.middleware import Edge
from supportaccess.server.web.replies import Reply
from supportaccess.server.web.routing import Operation
from supportaccess.server.web.traces import trace_of

OPERATIONS: tuple[Operation, ...] = (
    *access_requests.ROUTES,
    *audit_events.ROUTES,
    *source_events.ROUTES,
    *service.ROUTES,
)
"""Every route that is described; beside them are the description itself and the page to read it."""


def build(services: Services) -> Edge:
    """Return the application. Any ASGI server can host it."""
    operations = (*OPERATIONS, *service.routes(OPERATIONS))
    app = Litestar(
        # OPTIONS first: where it is missing, Litestar puts in one that knows nothing of HEAD.
        [*_options(operations), *(_handler(services, operation) for operation in operations)],
        exception_handlers={Exception: _refused},
        openapi_config=None,
        logging_config=None,
        debug=False,
        pdb_on_exception=False,
    )
    return Edge(app, services.metrics)


def _handler(services: Services, operation: Operation) -> HTTPRouteHandler:
    async def handle(request: Request[Any, Any, Any]) -> ASGIApp:
        return await operation.reply(services, request.scope, request.receive)

    return _registered(operation.method, operation.path, handle)


def _options(operations: tuple[Operation, ...]) -> list[HTTPRouteHandler]:
    """Return what answers to OPTIONS: which methods a path has. Nothing for browsers of other origins (CORS)."""
    methods = defaultdict[str, list[str]](list)
    for operation in operations:
        methods[operation.path].append(operation.method)
    return [_registered("OPTIONS", path, _allowing(_allowed(there))) for path, there in methods.items()]


def _registered(method: str, path: str, handle: Any) -> HTTPRouteHandler:
    registered: HTTPRouteHandler = HTTPRouteHandler(path.replace("}", ":str}"), http_method=[method])(handle)  # type: ignore[list-item]  # a method's name is one of Litestar's literals
    return registered


def _allowing(allowed: str) -> Any:
    async def options() -> ASGIApp:
        return Reply(status=204, headers=[("allow", allowed)])

    return options


def _allowed(methods: list[str]) -> str:
    head = ["HEAD"] if "GET" in methods else []
    return ", ".join(sorted({*methods, *head, "OPTIONS"}))


def _refused(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Return the answer to what was refused or failed, and note its code for the log."""
    trace = trace_of(request.scope)
    if isinstance(error, HTTPException):
        error = _of_protocol(error, request.scope["path"])
    trace.code, trace.reason = code_of(error), reason_of(error)
    if is_failure(error):
        logs.failure(error, request_id=trace.request_id)
    return _Ready(reply_to(error, trace.request_id))


def _of_protocol(error: HTTPException, path: str) -> SupportAccessError:
    """Return what Litestar's router refused, in our words."""
    match error.status_code:
        case 404:
            return nothing_at(path)
        case 405:
            there = (error.headers or {}).get("allow", "").split(", ")
            return MethodNotAllowed("this is not done with that method", allowed=_allowed(there))
        case _:
            return BadInput("the Host header is not one", target="Host")


class _Ready(Response[bytes]):
    """A reply, where Litestar wants a Response of its own."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(content=b"")
        self._reply = reply

    def to_asgi_response(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG002 - all is decided already
        """Return the reply."""
        return self._reply
