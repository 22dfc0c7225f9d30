"""A server on loopback that does with each request what a test says, and notes what it was sent."""

import json
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple

from tests.support.certificates import certificate_for_loopback

SECONDS = 30


class Asked(NamedTuple):
    """A request as it came."""

    method: str
    path: str
    headers: Message
    body: bytes


Step = Callable[["Handler"], None]


class Server(ThreadingHTTPServer):
    """Does one step a request, in their order; one that is not expected is a failure of the test."""

    daemon_threads = True

    def __init__(self, certificate: tuple[Path, Path] | None, host: str) -> None:
        super().__init__((host, 0), Handler)
        self.steps: list[Step] = []
        self.asked: list[Asked] = []
        self.unexpected: list[Asked] = []
        self._is_given_up = False
        self.over = Event()
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        scheme = "http" if certificate is None else "https"
        self.url = f"{scheme}://localhost:{self.server_port}"

    def will(self, *steps: Step) -> None:
        """Add steps."""
        self._is_given_up = False
        self.steps += steps

    def give_up(self) -> None:
        """Expect nothing any more: the client did not wait, and a busy machine brings its request late or never."""
        self._is_given_up = True
        self.steps.clear()

    def take(self, asked: Asked) -> Step | None:
        """Return the step for a request, if there is one."""
        self.asked.append(asked)
        if not self.steps:
            if not self._is_given_up:
                self.unexpected.append(asked)
            return None
        return self.steps.pop(0)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: that connections break is what is tested."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    timeout = SECONDS
    server: Server

    def do_GET(self) -> None:
        """Do the next step."""
        length = int(self.headers.get("Content-Length", "0"))
        asked = Asked(self.command, self.path, self.headers, self.rfile.read(length))
        step = self.server.take(asked)
        if step is None:
            self.close_connection = True
            return
        step(self)

    do_POST = do_CONNECT = do_GET  # noqa: N815 - the names are http.server's

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def answer(status: int = 200, body: object = b"", headers: Mapping[str, str] | None = None) -> Step:
    """Answer; what is not bytes goes as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()

    def step(handler: Handler) -> None:
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(data)

    return step


def refuse(
    status: int, code: str, message: str = "no", headers: Mapping[str, str] | None = None, **more: object
) -> Step:
    """Refuse as a server of ours does."""
    own = {"x-ms-request-id": "request-1", **(headers or {})}
    return answer(status, {"error": {"code": code, "message": message, **more}}, own)


def cut(handler: Handler) -> None:
    """Take the request and close the connection without an answer."""
    handler.close_connection = True
    with suppress(OSError):
        handler.connection.shutdown(socket.SHUT_RDWR)


def cut_in_the_middle(handler: Handler) -> None:
    """Close the connection in the middle of an answer."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"{")
    cut(handler)


def silence(handler: Handler) -> None:
    """Take the request and never answer."""
    handler.server.over.wait(SECONDS)
    handler.close_connection = True


def drip(handler: Handler) -> None:
    """Answer a byte at a time, each soon enough for a time limit of a single read."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    while not handler.server.over.wait(0.05):
        try:
            handler.wfile.write(b" ")
        except OSError:
            return


def drip_head(handler: Handler) -> None:
    """Answer with a head that never ends, a byte at a time."""
    with suppress(OSError):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Much: ")
        for _ in range(SECONDS * 20):
            if handler.server.over.wait(0.05):
                break
            handler.wfile.write(b"x")
    handler.close_connection = True


def endless(handler: Handler) -> None:
    """Answer with more than anybody can hold."""
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    piece = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    while not handler.server.over.is_set():
        try:
            handler.wfile.write(piece)
        except OSError:
            return


@contextmanager
def serving(certificate: tuple[Path, Path] | None = None, *, host: str = "127.0.0.1") -> Iterator[Server]:
    """Run a server; at the end every step must have been taken, and no request been without one."""
    server = Server(certificate, host)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
        assert server.unexpected == []
        assert server.steps == []
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
        thread.join(SECONDS)


class Certified(NamedTuple):
    """Files of a certificate for loopback."""

    files: tuple[Path, Path]
    authority: Path


def certified(folder: Path) -> Certified:
    """Make a certificate for loopback with its own authority."""
    made = certificate_for_loopback(folder)
    return Certified((made.certificate, made.key), made.authority)
