"""The least that an ASGI server can serve: the floor of a server's start."""

from collections.abc import Awaitable, Callable
from typing import Any


async def application(scope: Any, receive: Any, send: Callable[[Any], Awaitable[None]]) -> None:  # noqa: ARG001 - ASGI's
    """Answer anything with nothing."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})
