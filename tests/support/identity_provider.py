"""The identity provider of the tests as a child process: tests/identity-provider, on Node.js."""

import json
import subprocess
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from tests.support.certificates import (
    ClientCertificate,
    ServerCertificate,
    certificate_for_loopback,
    client_certificate,
)
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

    def __init__(
        self, process: "subprocess.Popen[str]", port: int, own: ServerCertificate, certificate: ClientCertificate
    ) -> None:
        self.authority = f"https://localhost:{port}"
        self.ca_file = own.authority
        self.server_certificate = own.certificate
        self.certificate = certificate
        self._process = process
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy or a CA bundle of the environment is not for loopback
        self._session.verify = str(self.ca_file)

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
        answer = self._session.post(url, data=form, timeout=SECONDS)
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
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"tenant": tenant_id, **order}) + "\n")
        self._process.stdin.flush()
        carried_out: dict[str, int] = json.loads(self._process.stdout.readline())
        return carried_out


@contextmanager
def running(
    folder: Path, tenants: Sequence[str] = (HOME, RESOURCE, FOREIGN), *, skew: int = 0
) -> Iterator[IdentityProvider]:
    """Run an identity provider with its certificate in a folder. Its clock is `skew` seconds ahead."""
    install(PROGRAM)
    certificate, proof = certificate_for_loopback(folder), client_certificate(folder)
    settings = {
        "certificate": str(certificate.certificate),
        "key": str(certificate.key),
        "tenants": list(tenants),
        "audience": API,
        "scope": SCOPE,
        "publicClient": CLIENT,
        "applications": [
            {"clientId": DAEMON, "secret": DAEMON_SECRET, "roles": APPLICATION_ROLES},
            {"clientId": CERTIFIED, "certificate": str(proof.certificate), "roles": APPLICATION_ROLES},
            {"clientId": FEDERATED, "federated": EXCHANGE_AUDIENCE, "roles": APPLICATION_ROLES},
        ],
        "people": PEOPLE,
        "skew": skew,
    }
    log = folder / "identity-provider.log"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            ["node", PROGRAM / "server.mjs", json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        assert process.stdin is not None
        port = process.stdout.readline().strip()
        assert port.isdigit(), log.read_text()
        try:
            yield IdentityProvider(process, int(port), certificate, proof)
        finally:
            process.stdin.close()  # at which it ends


@pytest.fixture(scope="session")
def identity_provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IdentityProvider]:
    """Run one identity provider for all tests of a worker."""
    with running(tmp_path_factory.mktemp("identity-provider")) as provider:
        yield provider


def object_id(name: str) -> str:
    """Return an object ID for somebody, the same each time."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, name))
