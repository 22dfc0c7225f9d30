"""A TCP proxy in front of a database that can cut a connection at a chosen moment."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class SwallowingProxy:
    """Passes everything on, until a client sends `word`: then it cuts the connection.

    With `deliver` the database still gets what was sent, and answers; the client does not hear it.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.word: bytes | None = None
        self.deliver = True
        self.cut = 0

    def serve(self) -> None:
        """Take connections until the proxy is closed."""
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listening.close()

    def _connect(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._target)) as server, suppress(OSError):
            back = threading.Thread(target=_pass_on, args=(server, client), daemon=True)
            back.start()
            while data := client.recv(65536):
                if self.word is not None and self.word in data:
                    self.word = None
                    self.cut += 1
                    client.shutdown(socket.SHUT_RDWR)  # before the database answers
                    if self.deliver:
                        server.sendall(data)
                        server.shutdown(socket.SHUT_WR)
                    break
                server.sendall(data)
            back.join(10)


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            with suppress(OSError):
                target.sendall(data)


@contextmanager
def swallowing_proxy(port: int) -> Iterator[SwallowingProxy]:
    """Run a proxy in front of a port of this machine."""
    proxy = SwallowingProxy(port)
    thread = threading.Thread(target=proxy.serve, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
