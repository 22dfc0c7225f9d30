"""The outermost layer: what holds for every request and every answer, whatever the path.

Plain ASGI, since it stands in the way of each request.
"""

import asyncio
import time

from litestar import Litestar
from litestar.enums import ScopeType
from litestar.types import HTTPScope, Message, Receive, Scope, Send

from supportaccess.errors import OutcomeUnknown, SupportAccessError
from supportaccess.server import logs
from supportaccess.server.metrics import Metrics
from supportaccess.server.web import traces
from supportaccess.server.web.callers import address_of
from supportaccess.server.web.errors import BadInput, UriTooLong, nothing_at, reply_to
from supportaccess.server.web.headers import all_of
from supportaccess.server.web.traces import Trace
from supportaccess.store.wire import REQUEST_ID_HEADER

LONGEST_URI = 2083
"""Bytes of path and query: Microsoft's REST guidelines, and what every client and proxy can carry."""

_UNMATCHED = "unmatched"
_ON_EVERY_ANSWER = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]


class Edge:
    """Gives every request an ID and every answer its common headers; counts and logs it."""

    def __init__(self, app: Litestar, metrics: Metrics) -> None:
        self.app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != ScopeType.HTTP:
            await self.app(scope, receive, send)
            return
        method = scope["method"]
        scope = as_routed(scope)
        answer = _Answer(send, traces.begin(scope))
        began = time.perf_counter()
        try:
            error = _misaddressed(scope)
            if error is None:
                await self.app(scope, receive, answer.send)
            else:
                await _refuse(error, scope, receive, answer)
        except asyncio.CancelledError:
            # The server stops, and does not wait any longer. What was begun may still be done.
            if answer.status:
                raise
            await _refuse(OutcomeUnknown("the server stopped before it was done"), scope, receive, answer)
        finally:
            self._note(method, scope, answer, time.perf_counter() - began)

    def _note(self, method: str, scope: HTTPScope, answer: "_Answer", seconds: float) -> None:
        route = str(scope.get("path_template") or _UNMATCHED).replace(":str}", "}")
        self._metrics.request(method, route, answer.status, seconds)
        logs.access(_line(method, route, scope, answer, seconds))


async def _refuse(error: SupportAccessError, scope: HTTPScope, receive: Receive, answer: "_Answer") -> None:
    answer.trace.code = error.code
    await reply_to(error, answer.trace.request_id)(scope, receive, answer.send)


def as_routed(scope: HTTPScope) -> HTTPScope:
    """Return the request as the routes see it: HEAD is GET without the body, which the server leaves out.

    The path is matched as it was sent: only a name in it is decoded, so that it may hold an encoded slash.
    """
    routed = scope.copy()
    raw_path = scope.get("raw_path")
    if raw_path:
        routed["path"] = raw_path.decode("latin-1")
    if scope["method"] == "HEAD":
        routed["method"] = "GET"
    return routed


def _misaddressed(scope: HTTPScope) -> SupportAccessError | None:
    """Return what is wrong with the address. The router would pass over empty parts of a path; here they are not."""
    path = scope["path"]
    if len(path) + len(scope["query_string"]) > LONGEST_URI:
        return UriTooLong(f"the path and query are longer than {LONGEST_URI:,} bytes")
    if "//" in path or (path.endswith("/") and path != "/"):
        return nothing_at(path)
    hosts = len(all_of(scope, b"host"))  # RFC 9112, section 3.2; links are made of it once all is done
    if hosts > 1:
        return BadInput("there is more than one Host header", target="Host")
    if not hosts and scope["http_version"] == "1.1":
        return BadInput("there is no Host header", target="Host")
    return None


class _Answer:
    """Sends the answer, and remembers what is to be known of it."""

    def __init__(self, send: Send, trace: Trace) -> None:
        self._send = send
        self._own = [(REQUEST_ID_HEADER.encode(), trace.request_id.encode()), *_ON_EVERY_ANSWER]
        self.trace = trace
        self.status = 0
        self.bytes = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message["headers"], *self._own]
        elif message["type"] == "http.response.body":
            self.bytes += len(message["body"])
        await self._send(message)


def _line(method: str, route: str, scope: HTTPScope, answer: _Answer, seconds: float) -> logs.AccessLine:
    trace = answer.trace
    identity = trace.who.identity if trace.who else None
    parents = all_of(scope, b"traceparent")
    return logs.AccessLine(
        request_id=trace.request_id,
        method=method,
        route=route,
        status=answer.status,
        milliseconds=round(seconds * 1000, 3),
        trace_id=logs.trace_id(parents[0]) if len(parents) == 1 else None,
        tenant_id=identity.caller.tenant_id if identity else None,
        object_id=identity.caller.actor.object_id if identity else None,
        client_id=identity.client_id if identity else None,
        token_id=identity.token_id if identity else None,
        address=address_of(scope),
        code=trace.code,
        reason=trace.reason,
        bytes=answer.bytes,
    )
