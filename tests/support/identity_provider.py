"""Identity providers of the tests: tests/identity-provider, one process on Node.js for a whole run."""

import json
import secrets
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
import requests
from tests.support import run
from tests.support.certificates import certificate_for_loopback, client_certificate, client_files, loopback_files
from tests.support.issuer import API, CERTIFIED, CLIENT, DAEMON, FEDERATED, SCOPE
from tests.support.node import install
from tests.support.pages import Reader
from tests.support.people import FOREIGN, HOME, RESOURCE

PROGRAM = Path(__file__).parents[1] / "identity-provider"
AS_ASKED = "urn:supportaccess:tests:as-asked"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
EXCHANGE_AUDIENCE = "api://AzureADTokenExchange"
SECONDS = 30

DAEMON_SECRET = "only for tests"  # noqa: S105  a secret of nothing: it is made up here and known to the tests alone
APPLICATION_ROLES = ("AccessRequests.Read", "AccessRequests.Decide", "AccessRequests.Raise")
ADA, OTTO, NORA, HAL = (f"{name}@contoso.example" for name in ("ada", "otto", "nora", "hal"))
PEOPLE = {
    ADA: {"name": "Ada Administrator", "roles": ["AccessRequests.Read", "AccessRequests.Decide"]},
    OTTO: {"name": "Otto Auditor", "roles": ["AccessRequests.Read", "AuditEvents.Read"]},
    NORA: {"name": "Nora Newcomer"},
    HAL: {"name": "Hal Halfway", "roles": ["AccessRequests.Read", "AccessRequests.Decide"], "tenants": [HOME]},
}
"""Who can sign in, with any password: Nora holds no role, Hal is in the home tenant alone."""


class IdentityProvider:
    """A running identity provider. `authority` is its base URL, without a tenant; `ca_file` is whom to trust for it.

    `server_certificate` is its own, `certificate` what the application CERTIFIED proves itself with.
    """

    def __init__(self, process: "_Process", port: int) -> None:
        self.authority = f"https://localhost:{port}"
        self.ca_file = process.certificate.authority
        self.server_certificate = process.certificate.certificate
        self.certificate = process.proof
        self._process = process
        self._port = port

    def token(
        self,
        tenant_id: str,
        *,
        oid: str,
        name: str | None = None,
        roles: Sequence[str] = (),
        wids: Sequence[str] = (),
        scp: str = SCOPE,
        app_only: bool = False,
        client_id: str = CLIENT,
        lifetime: int = 3600,
        **others: object,
    ) -> str:
        """Return an access token with these claims and no others of this kind: empty ones are left out, as Entra does.

        `lifetime` is in seconds from now; a token with a negative one was issued an hour before it ended. `others` are
        claims over all; one that is None is left out.
        """
        now = int(time.time())
        ends = now + lifetime
        issued = now if lifetime > 0 else ends - 3600
        person = {"name": name, "scp": scp or None}
        claims = {
            "oid": oid,
            "sub": oid,
            "azp": client_id,
            "roles": list(roles) or None,
            "wids": list(wids) or None,
            **({"idtyp": "app", "azpacr": "1"} if app_only else {"azpacr": "0", **person}),
            "iat": issued,
            "nbf": issued,
            "exp": ends,
            **others,
        }
        asked = {"grant_type": AS_ASKED, "client_id": CLIENT, "claims": json.dumps(claims)}
        return str(self.post(tenant_id, "token", **asked)["access_token"])

    def client_credentials(self, tenant_id: str) -> str:
        """Return an access token of the application without a person."""
        asked = {"client_id": DAEMON, "client_secret": DAEMON_SECRET, "scope": f"api://{API}/.default"}
        return str(self.post(tenant_id, "token", grant_type="client_credentials", **asked)["access_token"])

    def post(self, tenant_id: str, endpoint: str, **form: str) -> dict[str, object]:
        """Post a form to an endpoint of a tenant and return its answer. Raises requests.HTTPError when it refuses."""
        url = f"{self.authority}/{tenant_id}/v2.0/{endpoint}"
        answer = self._process.session.post(url, data=form, timeout=SECONDS)
        if not answer.ok:
            raise requests.HTTPError(answer.text, response=answer)
        return dict(answer.json())

    def enter_code(self, verification_uri: str, user_code: str, login: str) -> str:
        """Do what a person does in a browser to let a device sign in, and return the page that they end on."""
        reader = Reader(verification_uri, self.ca_file)
        confirmed: dict[str, str] = {}
        for filled in ({"user_code": user_code}, confirmed, {"login": login, "password": "any"}, confirmed):
            reader.fill(**filled)
        return reader.page.text

    @contextmanager
    def behaving(self, tenant_id: str, **behaviour: object) -> Iterator[None]:
        """Let a tenant behave otherwise while the block runs: tenant.mjs says how it can."""
        self._order(tenant_id, behaviour=behaviour)
        try:
            yield
        finally:
            self._order(tenant_id, behaviour={})

    def revoke_refresh_tokens(self, tenant_id: str) -> None:
        """Take back all refresh tokens of a tenant, as a new password or an administrator does."""
        self._order(tenant_id, refreshTokens="revoke")

    def expire_refresh_tokens(self, tenant_id: str) -> None:
        """Let all refresh tokens of a tenant have ended."""
        self._order(tenant_id, refreshTokens="expire")

    def trust(self, tenant_id: str, issuer: str, subject: str, keys: Sequence[object]) -> None:
        """Let the assertions of another issuer about a subject stand for the proof of FEDERATED, and no others."""
        trusted = {"clientId": FEDERATED, "issuer": issuer, "subject": subject, "keys": list(keys)}
        self._order(tenant_id, trust=[trusted])

    def wait_until_it_holds_one(self, tenant_id: str) -> None:
        """Wait until a tenant that hangs has a request to hang on."""
        ends = time.monotonic() + 2 * SECONDS
        while not self._order(tenant_id)["held"]:
            assert time.monotonic() < ends, "nobody asked"
            time.sleep(0.02)

    def _order(self, tenant_id: str, **order: object) -> dict[str, int]:
        return self._process.ask("order", port=self._port, tenant=tenant_id, **order)


class _Process:
    """The process of the providers, as it was started with a folder. Several test processes may use it."""

    def __init__(self, folder: Path, port: int, secret: str) -> None:
        self.certificate = loopback_files(folder)
        self.proof = client_files(folder)
        self.session = requests.Session()
        self.session.trust_env = False  # a proxy or a CA bundle of the environment is not for loopback
        self.session.verify = str(self.certificate.authority)
        self._url = f"https://localhost:{port}"
        self._secret = {"Authorization": f"Bearer {secret}"}

    def ask(self, what: str, **order: object) -> dict[str, int]:
        """Give an order: server.mjs says which there are."""
        answer = self.session.post(f"{self._url}/{what}", json=order, headers=self._secret, timeout=SECONDS)
        answer.raise_for_status()
        return dict(answer.json())


def _start(folder: Path) -> dict[str, object]:
    """Start the process, which ends with the run, in an empty folder."""
    install(PROGRAM)
    certificate, proof, secret = certificate_for_loopback(folder), client_certificate(folder), secrets.token_urlsafe()
    settings = {
        "certificate": str(certificate.certificate),
        "key": str(certificate.key),
        "secret": secret,
        "audience": API,
        "scope": SCOPE,
        "publicClient": CLIENT,
        "applications": [
            {"clientId": DAEMON, "secret": DAEMON_SECRET, "roles": APPLICATION_ROLES},
            {"clientId": CERTIFIED, "certificate": str(proof.certificate), "roles": APPLICATION_ROLES},
            {"clientId": FEDERATED, "federated": EXCHANGE_AUDIENCE, "roles": APPLICATION_ROLES},
        ],
        "people": PEOPLE,
    }
    printed = run.current().keep(["node", str(PROGRAM / "server.mjs"), json.dumps(settings)], folder)
    ends = time.monotonic() + 2 * SECONDS
    while not (port := printed.read_text()).endswith("\n"):
        assert time.monotonic() < ends, (folder / "log").read_text()
        time.sleep(0.01)
    return {"folder": str(folder), "port": int(port), "secret": secret}


@cache
def _process() -> _Process:
    told = run.current().shared("identity-provider", _start)
    process = _Process(Path(told["folder"]), told["port"], told["secret"])
    run.current().at_end.callback(process.session.close)
    return process


@contextmanager
def new_provider(tenants: Sequence[str] = (HOME, RESOURCE, FOREIGN), *, skew: int = 0) -> Iterator[IdentityProvider]:
    """Run an identity provider of one's own. Its clock is `skew` seconds ahead."""
    process = _process()
    port = process.ask("start", tenants=tenants, skew=skew)["port"]
    try:
        yield IdentityProvider(process, port)
    finally:
        process.ask("stop", port=port)


@pytest.fixture(scope="session")
def identity_provider() -> Iterator[IdentityProvider]:
    """Run one identity provider for all tests of a worker."""
    with new_provider() as provider:
        yield provider


def object_id(name: str) -> str:
    """Return an object ID for somebody, the same each time."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, name))
