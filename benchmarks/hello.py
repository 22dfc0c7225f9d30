"""The least that an ASGI server can serve: the floor of a server's start, and of what it costs to send an answer."""

from collections.abc import Awaitable, Callable
from typing import Any


async def application(scope: Any, receive: Any, send: Callable[[Any], Awaitable[None]]) -> None:  # noqa: ARG001 - ASGI's
    """Answer with as many bytes as the path says, such as `/1000`; with none at any other path."""
    if scope["type"] == "http":
        size = scope["path"][1:]
        body = b" " * (int(size) if size.isdecimal() else 0)
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})
