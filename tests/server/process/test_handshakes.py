"""TLS handshakes that never end, never begin, fail, or are too many."""

import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.server.process.test_timeouts import GET, dripped, received
from tests.support.certificates import certificate_for_loopback
from tests.support.servers import RunningServer, running_server, settings_file, until

HASTY = "header_seconds = 1"
PATIENT = "header_seconds = 3600\nstop_seconds = 3600\nconnections = 5"
LESS_THAN_DEFAULT = 30
"""Seconds to wait for a server: fewer than the 60 that asyncio would give a handshake."""


def tls_server(folder: Path, limits: str) -> Iterator[RunningServer]:
    certificate_for_loopback(folder)
    settings = settings_file(folder, listen='certificate = "server.pem"\nkey = "server.key"', limits=limits)
    with running_server(folder, settings) as running:
        yield running


@pytest.fixture
def hasty(tmp_path: Path) -> Iterator[RunningServer]:
    """Run a server that gives a handshake a second."""
    yield from tls_server(tmp_path, HASTY)


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[RunningServer]:
    """Run a server that gives a handshake an hour, and takes 5 connections."""
    yield from tls_server(tmp_path, PATIENT)


class Client:
    """A client that says what it has to say when it is told to."""

    def __init__(self, server: RunningServer) -> None:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.connection = socket.create_connection(server.address, timeout=LESS_THAN_DEFAULT)
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out)

    def hello(self) -> bytes:
        """Return the first flight of a handshake."""
        with pytest.raises(ssl.SSLWantReadError):
            self._tls.do_handshake()
        return self._out.read()

    def last_flight(self, *, and_say: bytes) -> bytes:
        """Begin a handshake, and return what would end it, together with the first words after it."""
        self.connection.sendall(self.hello())
        while True:
            self._in.write(self.connection.recv(65536))
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                continue
            self._tls.write(and_say)
            return self._out.read()

    def heard(self) -> bytes:
        """Return the next words of the server."""
        while True:
            try:
                return self._tls.read(65536)
            except ssl.SSLWantReadError:
                self._in.write(self.connection.recv(65536))


def test_no_handshake_at_all(hasty: RunningServer) -> None:
    """A connection that never begins one is cut off after the seconds of a head."""
    with Client(hasty).connection as connection:
        assert received(connection) == b""
    assert hasty.ask("/healthz").status == 200


def test_a_handshake_in_drips(hasty: RunningServer) -> None:
    """Bytes that come one by one earn no time."""
    client = Client(hasty)
    with client.connection as connection:
        assert dripped(connection, client.hello()) == b""


def test_a_handshake_that_is_not_ended(hasty: RunningServer) -> None:
    """A client that goes silent in the middle is cut off."""
    client = Client(hasty)
    with client.connection as connection:
        connection.sendall(client.hello())
        assert received(connection).startswith(b"\x16\x03")  # the server's part of it, and then the end


def test_words_that_come_with_the_end_of_the_handshake(patient: RunningServer) -> None:
    """A request in the same packet as the last of the handshake is answered."""
    client = Client(patient)
    with client.connection as connection:
        connection.sendall(client.last_flight(and_say=GET))
        assert client.heard().startswith(b"HTTP/1.1 200 OK")


def test_handshakes_count(patient: RunningServer) -> None:
    """Whoever only opens connections uses them up: first for requests, then altogether, until they are gone."""
    with ExitStack() as held:
        for _ in range(5):
            held.enter_context(patient.connect())
        until(lambda: patient.ask("/healthz").status == 503)
        for _ in range(5):
            held.enter_context(patient.connect())
        with patient.connect() as connection:
            assert received(connection) == b""

    until(lambda: patient.ask("/healthz").status == 200)


def test_a_connection_counts_once(patient: RunningServer) -> None:
    """With as many connections as are taken, each after its handshake, none is one too many."""
    with ExitStack() as held:
        for _ in range(5):
            client = Client(patient)
            held.enter_context(client.connection)
            client.connection.sendall(client.last_flight(and_say=GET))
            assert client.heard().startswith(b"HTTP/1.1 200 OK")

        assert patient.ask("/healthz").status == 503


def test_failed_handshakes_count_no_more(patient: RunningServer) -> None:
    """What is no handshake ends at once, and leaves its place to others."""
    for words in [b"GET / HTTP/1.1\r\n\r\n", b""] * 10:
        with patient.connect() as connection:
            connection.sendall(words)
            connection.shutdown(socket.SHUT_WR)
            received(connection)

    assert patient.ask("/healthz").status == 200
    assert {line["event"] for line in patient.lines} <= {"certificateEndsSoon", "listening", "request"}


def test_the_server_does_not_wait_for_handshakes(patient: RunningServer) -> None:
    """Told to stop, it ends with one under way, however long that might have taken."""
    with patient.connect():
        assert patient.ask("/healthz").status == 200
        assert patient.stop() == 0


@pytest.mark.parametrize("attempt", range(3))
def test_a_stop_leaves_no_client_waiting(tmp_path: Path, attempt: int) -> None:  # noqa: ARG001 - a race, tried thrice
    """Whoever connects again and again while the server stops is told each time, and the server ends."""
    for server in tls_server(tmp_path, PATIENT.replace("connections = 5", "connections = 50")):
        with ThreadPoolExecutor() as threads:
            clients = [threads.submit(ask_until_refused, server) for _ in range(6)]
            until(lambda server=server: len(server.lines) > 30)  # type: ignore[misc]  # mypy knows no such lambdas
            server.process.terminate()
            ends = [client.result() for client in clients]
        assert TimeoutError not in {type(end) for end in ends}
        assert server.wait() == 0


def ask_until_refused(server: RunningServer) -> OSError:
    """Connect and ask until it fails, and return how."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    while True:
        try:
            with (
                socket.create_connection(server.address, timeout=LESS_THAN_DEFAULT) as plain,
                context.wrap_socket(plain) as connection,
            ):
                connection.sendall(GET)
                connection.recv(65536)
        except OSError as error:
            return error
