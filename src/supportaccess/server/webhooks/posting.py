"""Posts one message: to an address that was looked at, by TLS, within its time, and nowhere else."""

import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse
from threading import Timer
from time import monotonic
from urllib.parse import urlsplit

from supportaccess import __version__
from supportaccess.errors import StoreRefused
from supportaccess.server.settings import WebhookSettings
from supportaccess.server.webhooks.addresses import addresses_of
from supportaccess.server.webhooks.outcomes import Gone, Undelivered

_CONNECT_SECONDS = 5.0
_LONGEST_WAIT = 3600.0


def post(webhook: WebhookSettings, headers: Mapping[str, str], body: bytes) -> None:
    """Post it; a status of 2xx says that it arrived. No redirect is followed, no proxy used, no cookie kept.

    Raises Undelivered, also when that takes longer than the webhook's `timeout_seconds`.
    """
    until = monotonic() + webhook.timeout_seconds
    url = urlsplit(webhook.url)
    host, port = url.hostname or "", url.port or (443 if url.scheme == "https" else 80)
    try:
        with _connected(webhook, host, port, until) as connection:
            answer = _answer(connection, url.netloc, _target(url.path, url.query), headers, body)
            _judge(answer)
    except ssl.SSLError:
        raise Undelivered("tooSlow" if monotonic() >= until else "tls") from None
    except TimeoutError:
        raise Undelivered("tooSlow") from None
    except (OSError, HTTPException, ValueError):
        raise Undelivered("tooSlow" if monotonic() >= until else "connection") from None


def tls_of(webhook: WebhookSettings) -> ssl.SSLContext:
    """Return what TLS is spoken with. Raises StoreRefused for a file of certificates that cannot be used."""
    try:
        context = ssl.create_default_context(cafile=webhook.ca_file)
    except OSError as error:  # of which ssl.SSLError is one
        raise StoreRefused(
            f"webhook {webhook.name}: {webhook.ca_file} cannot be used: {error.strerror or 'it holds no certificate'}",
            hint="Name a PEM file of certificates.",
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


@contextmanager
def _connected(webhook: WebhookSettings, host: str, port: int, until: float) -> Iterator[socket.socket]:
    addresses = addresses_of(host, port, webhook.allowed_networks, seconds=until - monotonic())
    with _reached(addresses, port, until) as reached:
        connection: socket.socket = reached
        if webhook.url.startswith("https:"):
            # The handshake later, when there is something that ends it.
            connection = tls_of(webhook).wrap_socket(reached, server_hostname=host, do_handshake_on_connect=False)
        with closing(connection):
            end = Timer(max(0, until - monotonic()), _cut, [connection])
            end.daemon = True
            end.start()
            try:
                if isinstance(connection, ssl.SSLSocket):
                    connection.do_handshake()
                yield connection
            finally:
                end.cancel()


def _reached(addresses: list[str], port: int, until: float) -> socket.socket:
    """Return a connection to the first address that answers."""
    for address in addresses:
        left = until - monotonic()
        if left <= 0:
            break
        with suppress(OSError):
            return socket.create_connection((address, port), timeout=min(_CONNECT_SECONDS, left))
    raise Undelivered("unreachable")


def _cut(connection: socket.socket) -> None:
    """End whatever is waited for on the connection: byte by byte, an answer never times out by itself."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _answer(connection: socket.socket, host: str, target: str, headers: Mapping[str, str], body: bytes) -> HTTPResponse:
    speaking = HTTPConnection(host)
    speaking.sock = connection
    sent = {
        "Host": host,
        "User-Agent": f"supportaccess/{__version__}",
        "Content-Type": "application/json",
        "Accept-Encoding": "identity",
        "Connection": "close",
        **headers,
    }
    speaking.request("POST", target, body=body, headers=sent)
    return speaking.getresponse()


def _target(path: str, query: str) -> str:
    return (path or "/") + (f"?{query}" if query else "")


def _judge(answer: HTTPResponse) -> None:
    """Raise Undelivered for a status that does not say that it arrived. What else the answer has is not read."""
    if 200 <= answer.status < 300:
        return
    if answer.status == 410:
        raise Gone("gone", status=answer.status)
    raise Undelivered("status", status=answer.status, wait=_wait(answer.headers.get("Retry-After", "")))


def _wait(text: str) -> float:
    if text.isascii() and text.isdigit() and len(text) < 10:
        return min(float(text), _LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(text)
        return min(max(0.0, (moment.astimezone(UTC) - datetime.now(UTC)).total_seconds()), _LONGEST_WAIT)
    except (ValueError, OverflowError):
        return 0
