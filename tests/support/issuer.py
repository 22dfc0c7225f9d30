"""An issuer of tokens on loopback, over TLS, that signs anything and can misbehave in what it publishes."""

import base64
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from tests.support.certificates import certificate_for_loopback
from tests.support.people import HOME

API = "aaaaaaaa-0000-4000-8000-00000000a711"
"""Client ID of the REST server, which is the audience of its tokens."""
CLIENT = "cccccccc-0000-4000-8000-0000000000c1"
"""Client ID of an application in which people sign in."""
DAEMON = "dddddddd-0000-4000-8000-00000000dae0"
"""Client ID of an application without a person."""
CERTIFIED = "dddddddd-0000-4000-8000-00000000ce27"
"""Client ID of one that proves itself with a certificate."""
FEDERATED = "dddddddd-0000-4000-8000-0000000fede2"
"""Client ID of one for which another issuer vouches."""
SCOPE = "AccessRequests.Use"
ADA = "0da00000-0000-4000-8000-0000000000a1"
"""Object ID of a person."""
ROBOT = "0b070000-0000-4000-8000-0000000000b2"
"""Object ID of an application."""
UTI = "kvzNHhPRTEmN2Xw3gPQAAA"
"""Entra's ID of the tokens."""
NOW = 1_800_000_000
"""The time at which tokens are issued unless told otherwise."""


def private_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """Return the key of this name, the same one within a process."""
    return _generated(name, bits)


@cache
def _generated(_name: str, bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def encoded(value: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def published(name: str, *, bits: int = 2048, **members: object) -> dict[str, object]:
    """Return a key as a key set has it. A member that is None is left out."""
    numbers = private_key(name, bits).public_key().public_numbers()
    n, e = (encoded(number.to_bytes((number.bit_length() + 7) // 8, "big")) for number in (numbers.n, numbers.e))
    entry = {"kty": "RSA", "use": "sig", "kid": name, "x5t": name, "n": n, "e": e, **members}
    return {member: value for member, value in entry.items() if value is not None}


def signed(header: Mapping[str, object], payload: bytes, key: str) -> str:
    """Sign anything with RSA and SHA-256."""
    start = f"{encoded(json.dumps(header).encode())}.{encoded(payload)}"
    return f"{start}.{encoded(private_key(key).sign(start.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


class Issuer:
    """The issuer. `keys` are the entries of its key sets, `asked` the paths that were fetched.

    `answers` holds what to do instead of the usual for a path that ends so.
    """

    def __init__(self, port: int, ca_file: Path) -> None:
        self.authority = f"https://localhost:{port}"
        self.ca_file = ca_file
        self.keys: list[object] = [published("first", issuer=f"{self.authority}/{{tenantid}}/v2.0"), published("plain")]
        self.asked: list[str] = []
        self.answers: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        self.over = threading.Event()

    def fetches(self) -> int:
        """Return how often a key set was fetched, or asked for."""
        return sum("/discovery" in path for path in self.asked)

    def issuer_of(self, tenant: str, version: str = "2.0") -> str:
        """Return the issuer: that of version 1.0 is on a host of its own, as Entra's."""
        return f"{self.authority}/{tenant}/v2.0" if version == "2.0" else f"https://sts.localhost/{tenant}/"

    def claims(self, tenant: str = HOME, version: str = "2.0", *, app_only: bool = False) -> dict[str, object]:
        """Return the claims of a good token of a person, or of an application."""
        client = {"2.0": "azp", "1.0": "appid"}[version]
        common = {
            "aud": API if version == "2.0" else f"api://{API}",
            "iss": self.issuer_of(tenant, version),
            "iat": NOW,
            "nbf": NOW,
            "exp": NOW + 4000,
            "tid": tenant,
            "uti": UTI,
            "ver": version,
        }
        if app_only:
            own = {"idtyp": "app", "oid": ROBOT, "sub": ROBOT, client: DAEMON, f"{client}acr": "1"}
            return {**common, **own, "roles": ["AccessRequests.Raise"]}
        own = {"oid": ADA, "sub": "pairwise-of-ada", client: CLIENT, f"{client}acr": "0", "name": "Ada Administrator"}
        return {**common, **own, "scp": f"openid {SCOPE}", "roles": ["AccessRequests.Read", "AccessRequests.Decide"]}

    def token(
        self,
        tenant: str = HOME,
        version: str = "2.0",
        *,
        app_only: bool = False,
        key: str = "first",
        header: Mapping[str, object] | None = None,
        without: Sequence[str] = (),
        claims: Mapping[str, object] | None = None,
        **also: object,
    ) -> str:
        """Sign a good token, with these claims (`also`, too) and header members over the usual ones, without some."""
        payload = {**self.claims(tenant, version, app_only=app_only), **(claims or {}), **also}
        kept = {name: value for name, value in payload.items() if name not in without}
        head = {"alg": "RS256", "typ": "JWT", "kid": key, **(header or {})}
        return signed(
            {name: value for name, value in head.items() if value is not None}, json.dumps(kept).encode(), key
        )

    def document(self, path: str) -> dict[str, object] | None:
        """Return what is published at a path."""
        tenant = path.split("/")[1]
        version = "2.0" if "v2.0" in path else "1.0"
        if path.endswith("/.well-known/openid-configuration"):
            keys = f"{self.authority}/{tenant}/discovery{'/v2.0' if version == '2.0' else ''}/keys"
            return {"issuer": self.issuer_of(tenant, version), "jwks_uri": keys}
        return {"keys": self.keys} if path.endswith("/keys") else None


def answer(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    """Send one answer."""
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    issuer: Issuer
    tls: ssl.SSLContext

    def finish_request(self, request: object, client_address: object) -> None:
        # Here, in a thread of its own, a client that is slow at shaking hands holds up nobody.
        assert isinstance(request, ssl.SSLSocket)
        request.do_handshake()
        super().finish_request(request, client_address)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that go away are what is tested."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        issuer = self.server.issuer
        path = urlsplit(self.path).path
        issuer.asked.append(path)
        for end, act in list(issuer.answers.items()):
            if path.endswith(end):
                act(self)
                return
        document = issuer.document(path)
        answer(self, json.dumps(document).encode(), 200 if document is not None else 404)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Print nothing."""


@contextmanager
def running(folder: Path) -> Iterator[Issuer]:
    """Run an issuer with its certificate in a folder."""
    certificate = certificate_for_loopback(folder)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate.certificate, certificate.key)
    server = _Server(("127.0.0.1", 0), _Handler)
    server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.issuer = Issuer(server.server_address[1], certificate.authority)
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    serving.start()
    try:
        yield server.issuer
    finally:
        server.issuer.over.set()
        server.shutdown()
        server.server_close()
        serving.join()
