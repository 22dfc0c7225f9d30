"""A shared store that always answers the same: what a client costs does not depend on what the server does."""

import ssl
import threading
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

from tests.support.certificates import certificate_for_loopback


class Shared(NamedTuple):
    """Where the store is, and whom to trust for it."""

    endpoint: str
    authority: Path


def token(tenant_id: str) -> str:
    """Return what looks like an access token of a tenant, of the usual size."""
    claims = urlsafe_b64encode(f'{{"tid": "{tenant_id}", "filler": "{"x" * 900}"}}'.encode()).decode().rstrip("=")
    return f"{'h' * 120}.{claims}.{'s' * 342}"


@contextmanager
def serving(folder: Path, records: bytes) -> Iterator[Shared]:
    """Answer every question over TLS with a page that has these records (a JSON array)."""
    body = b'{"value": ' + records + b"}"

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    certificate = certificate_for_loopback(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate, certificate.key)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield Shared(f"https://localhost:{server.server_port}", certificate.authority)
        finally:
            server.shutdown()
            serving.join()
