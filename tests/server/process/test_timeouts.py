"""Connections that send slowly, too much, or are too many."""

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.support.servers import SECONDS, RunningServer, running_server, settings_file, until

PATIENT = "connections = 5"
QUICK = "header_seconds = 1\nbody_seconds = 1\nidle_seconds = 1\nconnections = 5"
POST = b"POST /v1/access-requests HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
GET = b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Run a server that has little patience."""
    folder = tmp_path_factory.mktemp("server")
    with running_server(folder, settings_file(folder, limits=QUICK)) as running:
        yield running


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[RunningServer]:
    """Run a server that takes 5 connections."""
    with running_server(tmp_path, settings_file(tmp_path, limits=PATIENT)) as running:
        yield running


def received(connection: socket.socket) -> bytes:
    """Return what the server sends until it closes the connection."""
    data = bytearray()
    try:
        while part := connection.recv(65536):
            data += part
    except ConnectionResetError:
        pass
    return bytes(data)


def served(connection: socket.socket) -> None:
    """Ask for something, and take the whole answer."""
    connection.sendall(GET)
    data = b""
    while not data.endswith(b"}"):
        part = connection.recv(65536)
        assert part
        data += part
    assert data.startswith(b"HTTP/1.1 200 OK")


def dripped(connection: socket.socket, data: bytes) -> bytes:
    """Send a byte every tenth of a second until the server closes, and return what it sent."""
    connection.settimeout(0.1)
    answered = bytearray()
    end = time.monotonic() + SECONDS
    for byte in data:
        assert time.monotonic() < end
        try:
            connection.send(bytes([byte]))
            part = connection.recv(65536)
        except TimeoutError:
            continue
        except OSError:
            return bytes(answered)
        if not part:
            return bytes(answered)
        answered += part
    raise AssertionError("the server took it all")


def test_nothing_at_all(server: RunningServer) -> None:
    """A connection that never says anything is closed."""
    with server.connect() as connection:
        assert received(connection) == b""


def test_a_head_in_drips(server: RunningServer) -> None:
    """Bytes that come one by one earn no time: the whole head has its seconds."""
    with server.connect() as connection:
        assert dripped(connection, b"GET /healthz HTTP/1.1\r\nX: " + b"a" * 600) == b""


def test_a_second_head_in_drips(server: RunningServer) -> None:
    """After a first request the same holds, also for empty lines before the second."""
    with server.connect() as connection:
        served(connection)

        assert dripped(connection, b"\r\n" * 300) == b""


def test_idle_connections_are_closed(server: RunningServer) -> None:
    """A connection that was served and says no more is closed."""
    with server.connect() as connection:
        connection.sendall(GET)
        assert received(connection).startswith(b"HTTP/1.1 200 OK")


def test_a_body_in_drips(server: RunningServer) -> None:
    """A body that comes too slowly is answered with 408 or closed, and never served."""
    with server.connect() as connection:
        connection.sendall(POST + b"Content-Length: 600\r\n\r\n")
        answered = dripped(connection, b"a" * 600)

    assert b" 200 " not in answered
    assert b" 201 " not in answered


def test_trailers_without_end(server: RunningServer) -> None:
    """Trailers after a chunked body belong to it, and share its time."""
    with server.connect() as connection:
        connection.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n")
        answered = dripped(connection, b"X: y\r\n" * 100)

    assert b" 20" not in answered[:16]


def test_a_head_that_is_too_large(patient: RunningServer) -> None:
    """A head beyond 64 KiB is refused before it is whole, however fast it comes."""
    with patient.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n" + (b"X: " + b"a" * 8000 + b"\r\n") * 9)
        answered = received(connection)

    assert answered.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
    assert b'"code":"RequestHeaderFieldsTooLarge"' in answered
    told = patient.wait_for("refusedUnread", of=lambda line: line["status"] == 431)
    assert told["requestId"].encode() in answered


def test_a_body_that_goes_on_after_its_answer(tmp_path: Path) -> None:
    """What is sent on after a refusal is thrown away, and beyond the largest body the connection is closed."""
    settings = settings_file(tmp_path, limits="import_bytes = 1048576")
    with running_server(tmp_path, settings) as server, server.connect() as connection:
        connection.sendall(POST + b"Content-Length: 99999999999\r\n\r\n")
        assert b" 401 " in connection.recv(65536)
        sent = 0
        with suppress(OSError):
            while sent < 64 * 1024**2:
                connection.sendall(bytes(65536))
                sent += 65536

    assert sent < 64 * 1024**2


def test_an_answer_that_nobody_reads(tmp_path: Path) -> None:
    """A client that asks and asks, and reads nothing, is cut off instead of filling the memory."""
    limits = "body_seconds = 1\nheader_seconds = 60\nidle_seconds = 60"
    with running_server(tmp_path, settings_file(tmp_path, limits=limits)) as server, server.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        ask = b"GET /openapi.json HTTP/1.1\r\nHost: h\r\n\r\n" * 100
        end = time.monotonic() + SECONDS
        connection.settimeout(0.5)
        cut_off = False
        while not cut_off:
            assert time.monotonic() < end
            try:
                connection.sendall(ask)
            except TimeoutError:
                continue
            except OSError:
                cut_off = True


def test_what_is_not_http(patient: RunningServer) -> None:
    """It is answered with an error of our shape, and closed."""
    with patient.connect() as connection:
        connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        answered = received(connection)

    assert answered.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"x-ms-request-id: " in answered
    assert b'{"error":{"code":"InvalidInput"' in answered


def test_too_many_connections(patient: RunningServer) -> None:
    """Connections beyond the cap get 503 with Retry-After; when others go, there is room again."""
    held = [patient.connect() for _ in range(5)]
    for connection in held:
        served(connection)
    with patient.connect() as connection:
        connection.sendall(GET)
        answered = received(connection)
    for connection in held:
        connection.close()

    assert answered.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"retry-after: " in answered
    assert b'"code":"StoreUnavailable"' in answered
    until(lambda: patient.ask("/healthz").status == 200)


def test_an_upgrade_is_not_taken(patient: RunningServer) -> None:
    """A request to change the protocol is answered as the plain request that it also is."""
    with patient.connect() as connection:
        connection.sendall(
            b"GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK")
