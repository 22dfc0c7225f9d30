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


class _Asking(threading.local):
    until = 0.0


_asking = _Asking()  # urllib3 hands nothing through to a connection but seconds for a single read


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Let what this thread asks meanwhile be sent and answered within so many seconds."""
    _asking.until = monotonic() + seconds
    yield


class BoundedHTTPConnection(HTTPConnection):
    """A connection without TLS."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.response_class = _Response

    def send(self, data: Any) -> None:
        """Send a part of a request."""
        if self.sock is not None:
            _limit(self.sock)
        super().send(data)


class BoundedHTTPSConnection(BoundedHTTPConnection, HTTPSConnection):
    """A connection with TLS, through a proxy or not; what the proxy answers counts too."""


class _Response(HTTPResponse):
    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp.close()
        self.fp = io.BufferedReader(_Reader(sock))


class _Reader(io.RawIOBase):
    """Reads from a socket until the request is due."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        _limit(self._sock)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def _limit(sock: socket.socket) -> None:
    left = _asking.until - monotonic()
    if left <= 0:
        raise TimeoutError("the answer is due")
    sock.settimeout(left)
