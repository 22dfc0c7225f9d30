"""Connections whose requests end when they are due: not only each wait for a byte, but all of them together.

A time limit of a socket is one for a single read or write, so a byte now and then would keep a request alive for ever.
Here the socket's limit is set anew before each of them, to what is left.
"""

import io
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from time import monotonic
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError

_A_MOMENT = 0.001  # a socket takes 0 for "do not wait at all"


class _Limit(threading.local):
    until: float | None = None


_limit = _Limit()  # urllib3 hands nothing through to a connection but seconds for a single read


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Limit everything that this thread asks in the block to so many seconds together.

    In the block of another one, the earlier end counts. Outside, a connection has its own timeouts and no others.
    """
    outer, until = _limit.until, monotonic() + seconds
    _limit.until = until if outer is None else min(outer, until)
    try:
        yield
    finally:
        _limit.until = outer


def seconds_left() -> float | None:
    """Return the seconds left of this thread's limit: 0 when it is over, None without a limit."""
    return None if _limit.until is None else max(0.0, _limit.until - monotonic())


def _shortened(timeout: float | None) -> float | None:
    """Return the timeout, or what is left if that is less. Raises TimeoutError when nothing is left."""
    left = seconds_left()
    if left is None:
        return timeout
    if left == 0:
        raise TimeoutError("the answer is due")
    return left if timeout is None else min(left, timeout)


class BoundedHTTPConnection(HTTPConnection):
    """A connection without TLS."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.response_class = _Response

    def _new_conn(self) -> socket.socket:
        """Connect, and leave to the TLS handshake what is left of the time."""
        try:
            self.timeout = _shortened(self.timeout)
        except TimeoutError as error:
            raise ConnectTimeoutError(self, str(error)) from error
        sock = super()._new_conn()
        left = seconds_left()
        if left is not None:
            sock.settimeout(min(self.timeout or left, max(left, _A_MOMENT)))
        return sock

    def send(self, data: Any) -> None:
        """Send a part of a request."""
        if self.sock is not None and seconds_left() is not None:
            self.sock.settimeout(_shortened(None))
        super().send(data)


class BoundedHTTPSConnection(BoundedHTTPConnection, HTTPSConnection):
    """A connection with TLS, through a proxy or not; what the proxy answers counts too."""


class _Response(HTTPResponse):
    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp.close()
        self.fp = io.BufferedReader(_Reader(sock))


class _Reader(io.RawIOBase):
    """Reads from a socket until the request is due, and waits for no single byte longer than the socket would."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._timeout = sock.gettimeout()
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(_shortened(self._timeout))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()
