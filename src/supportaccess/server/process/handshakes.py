"""TLS handshakes that have to end, and count: a connection is one of `limits.connections` from the moment it is made.

With `ssl` given to its server, an event loop tells nobody of a handshake that is under way, and gives it 60 seconds.
So connections are taken without TLS, counted, and only then handed to the loop to begin TLS with.
"""

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from uvicorn.server import ServerState

from supportaccess.server.process import tls
from supportaccess.server.process.timeouts import LimitedConfig, LimitedProtocol
from supportaccess.server.settings import LimitSettings, ListenSettings


class TlsConfig(LimitedConfig):
    """uvicorn's settings for a server with a certificate, which is read in the process that serves."""

    tls: ssl.SSLContext

    def __init__(self, app: Callable[..., Any], limits: LimitSettings, listen: ListenSettings, **options: Any) -> None:
        super().__init__(app, limits, **options)
        self._listen = listen

    def load(self) -> None:
        """Read the certificate too. Raises StoreRefused."""
        self.tls = tls.context(self._listen)
        super().load()
        if os.name == "nt":  # there a socket cannot be handed from one transport to another
            self.ssl = self.tls
        else:
            self.http_protocol_class = Handshake

    def load_certificate_again(self) -> None:
        """Let new connections have a renewed certificate. Raises StoreRefused, and leaves the old one in use."""
        tls.load(self.tls, self._listen)


class Handshake(asyncio.Protocol):
    """One connection until its handshake is done: within `header_seconds`, or it is cut off."""

    def __init__(
        self,
        config: TlsConfig,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._config = config
        self._connections: set[Any] = server_state.connections
        self._loop = _loop or asyncio.get_running_loop()
        self._make_protocol = lambda: _Secured(self, config, server_state, app_state, self._loop)
        self._taken: socket.socket | None = None
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # what servers get
        """Take a connection, unless there are far too many; one that is only too many is told so, which takes TLS."""
        try:
            if len(self._connections) < 2 * self._config.limits.connections:
                # Aborted before it has read anything, the transport leaves a duplicate of the socket as it was.
                self._taken = socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))
                self._connections.add(self)
                self._task = self._loop.create_task(self._shake_hands(self._taken))
        finally:
            transport.abort()

    def shutdown(self) -> None:
        """Break the handshake off: the server stops."""
        if self._taken is not None:
            with suppress(OSError):
                # Not by cancelling the task: uvloop then keeps the connection, and nobody would ever answer on it.
                self._taken.shutdown(socket.SHUT_RDWR)

    async def _shake_hands(self, connection: socket.socket) -> None:
        limits = self._config.limits
        try:
            connection.setblocking(False)
            await self._loop.connect_accepted_socket(
                self._make_protocol,
                connection,
                ssl=self._config.tls,
                ssl_handshake_timeout=limits.header_seconds,
                ssl_shutdown_timeout=limits.body_seconds,
            )
        except OSError:  # a bad handshake, or none
            connection.close()
        finally:
            self._connections.discard(self)


class _Secured(LimitedProtocol):
    """The same connection from the end of its handshake on: it counts in its place."""

    def __init__(self, handshake: Handshake, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._handshake = handshake

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's is so
        """Take the place."""
        self.connections.discard(self._handshake)
        super().connection_made(transport)
