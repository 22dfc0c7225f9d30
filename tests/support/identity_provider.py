"""The identity provider of the tests as a child process: tests/identity-provider, on Node.js."""

import hashlib
import json
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

import pytest
import requests
from filelock import FileLock
from tests.support.certificates import certificate_for_loopback
from tests.support.issuer import API, CLIENT, DAEMON, SCOPE
from tests.support.people import FOREIGN, HOME, RESOURCE
from tests.support.requirements import require

PROGRAM = Path(__file__).parents[1] / "identity-provider"
AS_ASKED = "urn:supportaccess:tests:as-asked"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
SECONDS = 30

DAEMON_SECRET = "only for tests"  # noqa: S105  a secret of nothing: it is made up here and known to the tests alone
DAEMON_ROLES = ("AccessRequests.Raise",)
PEOPLE = {
    "ada@contoso.example": {"name": "Ada Administrator", "roles": ["AccessRequests.Read", "AccessRequests.Decide"]},
    "otto@contoso.example": {"name": "Otto Auditor", "roles": ["AccessRequests.Read", "AuditEvents.Read"]},
}


class IdentityProvider:
    """A running identity provider. `authority` is its base URL, without a tenant; `ca_file` is whom to trust for it."""

    def __init__(self, port: int, ca_file: Path) -> None:
        self.authority = f"https://localhost:{port}"
        self.ca_file = ca_file
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy or a CA bundle of the environment is not for loopback
        self._session.verify = str(ca_file)

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
        browser = requests.Session()
        browser.trust_env = False
        browser.verify = str(self.ca_file)
        page = browser.get(verification_uri, timeout=SECONDS)
        confirmed: dict[str, str] = {}
        for filled in ({"user_code": user_code}, confirmed, {"login": login, "password": "any"}, confirmed):
            form = _Form(page)
            page = browser.post(form.action, data={**form.fields, **filled}, timeout=SECONDS)
            page.raise_for_status()
        return page.text


class _Form(HTMLParser):
    """The form of a page: where it goes, and its fields."""

    def __init__(self, page: requests.Response) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self._page = page
        self.feed(page.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "form":
            self.action = urljoin(self._page.url, found["action"])
        elif tag == "input" and found.get("name"):
            self.fields[str(found["name"])] = found.get("value") or ""


@contextmanager
def running(folder: Path, tenants: Sequence[str] = (HOME, RESOURCE, FOREIGN)) -> Iterator[IdentityProvider]:
    """Run an identity provider with its certificate in a folder."""
    _install()
    certificate = certificate_for_loopback(folder)
    settings = {
        "certificate": str(certificate.certificate),
        "key": str(certificate.key),
        "tenants": list(tenants),
        "audience": API,
        "scope": SCOPE,
        "publicClient": CLIENT,
        "daemon": {"clientId": DAEMON, "secret": DAEMON_SECRET, "roles": DAEMON_ROLES},
        "people": PEOPLE,
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
            yield IdentityProvider(int(port), certificate.authority)
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


def _install() -> None:
    """Install what the lockfile says, unless that was done before. Several test processes may come here at once."""
    require(_node_is_new_enough() and shutil.which("npm"), "Node.js 20.16 or newer with npm on the PATH")
    locked = hashlib.sha256((PROGRAM / "package-lock.json").read_bytes()).hexdigest()
    modules = PROGRAM / "node_modules"
    stamp = modules / ".installed"
    with FileLock(PROGRAM / ".install.lock"):
        if stamp.exists() and stamp.read_text() == locked:
            return
        done = subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=PROGRAM,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        require(done.returncode == 0, f"the npm registry: npm ci failed with {done.stderr[-500:]}")
        stamp.write_text(locked)


def _node_is_new_enough() -> bool:
    """Tell whether Node.js has what oidc-provider 9 calls."""
    if shutil.which("node") is None:
        return False
    return subprocess.run(["node", "-e", "process.exit(URL.parse ? 0 : 1)"], check=False).returncode == 0
