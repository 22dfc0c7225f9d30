"""HTTP connections that cannot be held open, or filled, for nothing: uvicorn's protocol with limits on top.

A head must be complete within `header_seconds` and 64 KiB, a body within `body_seconds` and a second more for each
64 KiB of it; an answer must be read as fast. Connections beyond `connections` are answered with 503 and closed, and
beyond twice as many just closed.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import msgspec
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from supportaccess.server import logs
from supportaccess.server.settings import LimitSettings
from supportaccess.store.wire import ERROR_CODE_HEADER, REQUEST_ID_HEADER, Error, ErrorBody

MOST_HEAD_BYTES = 64 * 1024
RETRY_AFTER = 5
"""Seconds after which a client that found the server full should try again."""

_BYTES_A_SECOND = 64 * 1024
Message = MutableMapping[str, Any]


class LimitedConfig(Config):
    """uvicorn's settings with our limits beside them."""

    def __init__(self, app: Callable[..., Any], limits: LimitSettings, **options: Any) -> None:
        super().__init__(app, **{"http": LimitedProtocol, "ws": "none", **options})
        self.limits = limits


class LimitedProtocol(HttpToolsProtocol):
    """One connection. At most one timer runs: for a head, or for a body; uvicorn has its own between requests."""

    def __init__(
        self,
        config: LimitedConfig,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limits = config.limits
        self._timer: asyncio.TimerHandle | None = None
        self._reader_timer: asyncio.TimerHandle | None = None
        self._in_head = False
        self._head_bytes = 0
        self._body_bytes = 0
        self._body_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's is so
        """Take a connection, unless there are too many."""
        super().connection_made(transport)
        if len(self.connections) > 2 * self._limits.connections:
            transport.abort()
        elif len(self.connections) > self._limits.connections:
            self.app = _full
        self._begin_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_timer()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came, and count it as long as it belongs to a head."""
        if self._timer is None and self._is_idle():
            self._begin_head()
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MOST_HEAD_BYTES and not self.transport.is_closing():
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the head of the request is too large")

    def on_message_begin(self) -> None:
        """Begin to wait for the end of a head."""
        super().on_message_begin()
        if not self._in_head:
            self._begin_head()

    def on_headers_complete(self) -> None:
        """Begin to wait for the end of a body."""
        self._in_head = False
        self._body_bytes = 0
        self._body_since = self.loop.time()
        self._start_timer(self._limits.body_seconds, self._late_body)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Count a part of a body: it earns time."""
        self._body_bytes += len(body)
        if self._is_idle() and self._body_bytes > self._limits.import_bytes:
            self.transport.close()  # it was answered long ago, and goes on all the same
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Stop waiting: a request came whole."""
        self._stop_timer()
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Begin to wait for a client that does not read its answer."""
        super().pause_writing()
        self._reader_timer = self.loop.call_later(self._limits.body_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop waiting: the client reads."""
        if self._reader_timer is not None:
            self._reader_timer.cancel()
            self._reader_timer = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP."""
        self._stop_timer()
        self._refuse(HTTPStatus.BAD_REQUEST, msg)

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: an `Upgrade` header is ignored, as RFC 9110 allows, and would fill the log."""

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _begin_head(self) -> None:
        self._in_head = True
        self._head_bytes = 0
        self._start_timer(self._limits.header_seconds, self._late_head)

    def _late_head(self) -> None:
        if self._is_idle():
            self.transport.close()
        else:  # an earlier request on the same connection is still being answered
            self._start_timer(self._limits.header_seconds, self._late_head)

    def _late_body(self) -> None:
        allowed = self._limits.body_seconds + self._body_bytes / _BYTES_A_SECOND
        left = self._body_since + allowed - self.loop.time()
        if left > 0:
            self._start_timer(left, self._late_body)
        elif self.cycle.response_started:
            self.transport.close()
        else:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "the body of the request came too slowly")

    def _start_timer(self, seconds: float, act: Callable[[], None]) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(seconds, act)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        headers, body = _refusal(status, message)
        lines = [
            f"HTTP/1.1 {status.value} {status.phrase}".encode(),
            *(b": ".join(each) for each in headers),
            b"",
            body,
        ]
        self.transport.write(b"\r\n".join(lines))
        self.transport.close()
        _log(status, headers)


async def _full(scope: Message, receive: Any, send: Callable[[Message], Awaitable[None]]) -> None:  # noqa: ARG001 - ASGI's
    """Answer in place of the application when there are too many connections."""
    headers, body = _refusal(HTTPStatus.SERVICE_UNAVAILABLE, "the server has too many connections; nothing was changed")
    headers.append((b"retry-after", str(RETRY_AFTER).encode()))
    _log(HTTPStatus.SERVICE_UNAVAILABLE, headers)
    await send({"type": "http.response.start", "status": HTTPStatus.SERVICE_UNAVAILABLE, "headers": headers})
    await send({"type": "http.response.body", "body": body})


_CODES = {
    HTTPStatus.BAD_REQUEST: "InvalidInput",
    HTTPStatus.REQUEST_TIMEOUT: "RequestTimeout",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "RequestHeaderFieldsTooLarge",
    HTTPStatus.SERVICE_UNAVAILABLE: "StoreUnavailable",
}


def _log(status: HTTPStatus, headers: list[tuple[bytes, bytes]]) -> None:
    request_id = dict(headers)[REQUEST_ID_HEADER.encode()].decode()
    logs.event("refusedUnread", level=logging.WARNING, requestId=request_id, status=status.value, code=_CODES[status])


def _refusal(status: HTTPStatus, message: str) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Return headers and body of an answer that the application never sees."""
    body = msgspec.json.encode(ErrorBody(error=Error(code=_CODES[status], message=message)))
    headers = {
        "content-type": "application/json",
        "content-length": str(len(body)),
        "connection": "close",
        ERROR_CODE_HEADER: _CODES[status],
        REQUEST_ID_HEADER: str(uuid4()),
    }
    return [(name.encode(), value.encode()) for name, value in headers.items()], body
