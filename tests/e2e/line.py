"""A line between clients and a server, on which something happens at a chosen moment."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from select import select

_BYTES = 65536


class Line:
    """Passes on what both sides say, until the first request with certain bytes in it.

    Before that is passed on (moment `request`), or before its answer is (`answer`), `act` is called and both sides are
    hung up on. Then `cut` is set, and later connections are passed on whole, as soon as there is a server again.
    """

    def __init__(self, server: tuple[str, int], request: bytes, moment: str, act: Callable[[], object]) -> None:
        self.cut = threading.Event()
        self._server, self._request, self._moment, self._act = server, request, moment, act
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def serve(self) -> None:
        """Take connections until closed."""
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._pass_on, args=[client], daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _pass_on(self, client: socket.socket) -> None:
        awaited = False
        with client, suppress(OSError), socket.create_connection(self._server) as server:
            while True:
                for source in select([client, server], [], [])[0]:
                    data = source.recv(_BYTES)
                    awaited = awaited or (source is client and self._request in data and not self.cut.is_set())
                    if awaited and (self._moment == "request" or source is server):
                        self._act()
                        self.cut.set()
                        return
                    if not data:
                        return
                    (server if source is client else client).sendall(data)


@contextmanager
def line_to(server: tuple[str, int], request: bytes, moment: str, act: Callable[[], object]) -> Iterator[Line]:
    """Run a line to a server while the block runs."""
    line = Line(server, request, moment, act)
    serving = threading.Thread(target=line.serve)
    serving.start()
    try:
        yield line
    finally:
        line.close()
        serving.join()
