"""Who webhooks are posted to: a real server on loopback, which verifies with the library of Standard Webhooks."""

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from standardwebhooks import Webhook

SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SECONDS = 60


class Message(NamedTuple):
    """A message that came, and whose signature held."""

    id: str
    payload: Any

    @property
    def what(self) -> str:
        """What happened."""
        return str(self.payload["data"]["what"])

    @property
    def tenant_id(self) -> str:
        """The tenant that is told."""
        return str(self.payload["data"]["tenantId"])


Answer = Callable[["_Handler"], None]


class Receiver(ThreadingHTTPServer):
    """Takes messages. `answers` are given first; then 204, and what that answers is `taken`: once, as it came first.

    `asked` has each that came, as often as it came. `overlapping` has those that came before an earlier one of the same
    tenant was answered with 204, for which the receiver takes `seconds`.
    """

    daemon_threads = True

    def __init__(self, certificate: tuple[Path, Path] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[Answer] = []
        self.asked: list[Message] = []
        self.taken: list[Message] = []
        self.seconds = 0.0
        self.overlapping: list[Message] = []
        self.unanswered: list[Message] = []
        self.signatures: list[str] = []
        self.paths: list[str] = []
        self.came = threading.Condition()
        self.over = threading.Event()
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"{'https' if certificate else 'http'}://localhost:{self.server_port}/hook?key=hunter2"

    def wait_for(self, number: int, *, asked: bool = False) -> list[Message]:
        """Return the messages once so many were taken; `asked` counts those that were refused, too."""
        with self.came:
            came = self.asked if asked else self.taken
            assert self.came.wait_for(lambda: len(came) >= number, SECONDS), f"{len(came)} of {number} messages came"
            return list(came)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: that connections break is what is tested."""


class _Handler(BaseHTTPRequestHandler):
    server: Receiver
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        Webhook(SECRET).verify(body, dict(self.headers.items()))  # raises unless it holds
        message = Message(self.headers["webhook-id"], json.loads(body))
        with self.server.came:
            self.server.asked.append(message)
            self.server.signatures.append(self.headers["webhook-signature"])
            self.server.paths.append(self.path)
            if any(each.tenant_id == message.tenant_id for each in self.server.unanswered):
                self.server.overlapping.append(message)
            answer = self.server.answers.pop(0) if self.server.answers else None
            if answer is None:
                self.server.unanswered.append(message)
                if message.id not in {each.id for each in self.server.taken}:
                    self.server.taken.append(message)
            self.server.came.notify_all()
        if answer is None:
            time.sleep(self.server.seconds)
            with self.server.came:  # before it is answered: afterwards the next one may be here already
                self.server.unanswered.remove(message)
            answer = status(204)
        answer(self)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def status(code: int, **headers: str) -> Answer:
    """Answer with a status."""

    def answer(handler: _Handler) -> None:
        handler.send_response(code)
        for name, value in {"Content-Length": "0", **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()

    return answer


def silence(handler: _Handler) -> None:
    """Never answer."""
    handler.server.over.wait(SECONDS)
    handler.close_connection = True


def drip(handler: _Handler) -> None:
    """Answer byte by byte, and never to the end."""
    with suppress(OSError):
        while not handler.server.over.wait(0.05):
            handler.wfile.write(b"x")
            handler.wfile.flush()


def cut(handler: _Handler) -> None:
    """Hang up."""
    handler.close_connection = True
    handler.connection.close()


@contextmanager
def receiving(certificate: tuple[Path, Path] | None = None) -> Iterator[Receiver]:
    """Run a receiver while the block runs."""
    with Receiver(certificate) as receiver:
        serving = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.05})
        serving.start()
        try:
            yield receiver
        finally:
            receiver.over.set()
            receiver.shutdown()
            serving.join()
