"""A token issuer for one benchmark: what a server asks of an authority, over TLS on loopback, and tokens for it."""

import json
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import Thread
from typing import Any

import jwt
from benchmarks import stores
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from supportaccess.domain.permissions import Permission

CLIENT_ID = "5b0f7c1e-2f55-4c4a-9d0e-7a0c6f8b1d21"
SCOPE = "AccessRequests.Use"
_ADDRESS = "127.0.0.1"
_KEY_ID = "benchmark"
_LIFETIME = timedelta(hours=12)


class Issuer:
    """The issuer at a base URL. `ca_file` is the certificate to trust."""

    def __init__(self, base: str, ca_file: Path, key: RSAPrivateKey) -> None:
        self.base = base
        self.ca_file = ca_file
        self._key = key

    def token(self, tenant_id: str) -> str:
        """Return a person's access token with every app role."""
        now = int(time.time())
        claims = {
            "aud": CLIENT_ID,
            "iss": f"{self.base}/{tenant_id}/v2.0",
            "iat": now,
            "nbf": now,
            "exp": now + int(_LIFETIME.total_seconds()),
            "azp": CLIENT_ID,
            "name": "Olga Owner",
            "oid": stores.OBJECT_ID,
            "roles": list(Permission),
            "scp": SCOPE,
            "sub": stores.OBJECT_ID,
            "tid": tenant_id,
            "ver": "2.0",
        }
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": _KEY_ID})

    def document(self, path: str) -> dict[str, Any]:
        """Return what is published at a path: a tenant's discovery document, or the keys."""
        if path == "/keys":
            public = jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
            return {"keys": [{**public, "kid": _KEY_ID, "use": "sig"}]}
        tenant_id, _, rest = path.removeprefix("/").partition("/")
        version = "/v2.0" if rest.startswith("v2.0") else "/"
        return {"issuer": f"{self.base}/{tenant_id}{version}", "jwks_uri": f"{self.base}/keys"}


@contextmanager
def issuer(folder: Path) -> Iterator[Issuer]:
    """Run an issuer in this process; its certificate is written to the folder."""
    key = generate_private_key(public_exponent=65537, key_size=2048)
    certificate = folder / "issuer.pem"
    certificate.write_bytes(_certificate(key) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    server = ThreadingHTTPServer((_ADDRESS, 0), _Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    _Handler.issuer = Issuer(f"https://{_ADDRESS}:{server.server_port}", certificate, key)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield _Handler.issuer
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    issuer: Issuer

    def do_GET(self) -> None:
        body = json.dumps(self.issuer.document(self.path)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _certificate(key: RSAPrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issuer of a benchmark")])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(_ADDRESS))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
        .public_bytes(Encoding.PEM)
    )
