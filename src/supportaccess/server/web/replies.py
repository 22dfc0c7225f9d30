"""What is sent back, as plain ASGI: a body that is there as bytes."""

from collections.abc import Sequence
from http import HTTPStatus

from litestar.types import Receive, Scope, Send

Headers = Sequence[tuple[str, str]]

JSON = "application/json"
_WITHOUT_BODY = {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}


class Reply:
    """One answer. A 204 and a 304 have no body, and with it neither type nor length."""

    __slots__ = ("_body", "_headers", "_status")

    def __init__(
        self, body: bytes = b"", *, status: int = HTTPStatus.OK, media_type: str = JSON, headers: Headers = ()
    ) -> None:
        self._body = body
        self._status = int(status)
        self._headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        if status not in _WITHOUT_BODY:
            self._headers.append((b"content-type", media_type.encode("latin-1")))
            self._headers.append((b"content-length", b"%d" % len(body)))

    def add(self, headers: Headers) -> None:
        """Give it further headers."""
        self._headers += [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - the shape of ASGI
        """Send it."""
        await send({"type": "http.response.start", "status": self._status, "headers": self._headers})
        await send({"type": "http.response.body", "body": self._body, "more_body": False})
