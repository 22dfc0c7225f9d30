"""People and applications who sign in to a shared store by the program itself, as they do it."""

import http.server
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.cli.home import Result
from tests.cli.terminal import Screen, Terminal
from tests.support.chromium import Browser
from tests.support.identity_provider import DAEMON_SECRET, EXCHANGE_AUDIENCE, IdentityProvider, object_id
from tests.support.issuer import CERTIFIED, DAEMON, FEDERATED, Issuer
from tests.support.people import HOME
from tests.support.sign_in import Store, User

PROVIDERS_ROLES = ("AccessRequests.Read", "AccessRequests.Raise")
SUBJECT = "repo:contoso/access-reviews:ref:refs/heads/main"


def raised(store: Store, ticket: str, *, resource_tenant: str | None = None, **others: object) -> str:
    """Raise a request in the home tenant without the command line, and return its ID."""
    token = store.provider.token(HOME, oid=object_id("Provider"), roles=PROVIDERS_ROLES, app_only=True)
    asked = {"supportRequestId": ticket, "engineer": {"displayName": "Erin Engineer"}, "reason": "sign-ins fail"}
    if resource_tenant:
        asked["resourceTenantId"] = resource_tenant
    answer = store.server.ask(
        "/v1/access-requests",
        method="POST",
        token=token,
        body=json.dumps({**asked, **others}).encode(),
        headers={"Idempotency-Key": f"for {ticket}"},
    )
    assert answer.status == 201, answer.body
    return str(answer.json["id"])


@contextmanager
def at_terminal(user: User, *arguments: str, env: Mapping[str, str] | None = None) -> Iterator[Terminal]:
    """Run the program on a terminal that is wide enough for any line."""
    with user.terminal(*arguments, env=env, columns=200, rows=50) as terminal:
        yield terminal


def by_browser(user: User, browser: Browser, login: str, *arguments: str, answer: str = "") -> Screen:
    """Run the program on a terminal, sign in on the page that it opens, and return the screen at the end."""
    with at_terminal(user, *arguments, env={"BROWSER": str(browser.program)}) as terminal:
        if answer:
            terminal.wait_for("[y/N]")
            terminal.type(answer)
        browser.open_what_is_asked_for()
        browser.sign_in(login)
        return terminal.finish()


def by_code(user: User, login: str, *arguments: str, answer: str = "") -> Screen:
    """Run the program on a terminal, enter the code that it shows on the pages that it names, and return the screen."""
    with at_terminal(user, *arguments) as terminal:
        if answer:
            terminal.wait_for("[y/N]")
            terminal.type(answer)
        found = re.search(
            r"Open (\S+) in any browser and enter the code (\S+)\.", terminal.wait_for("Ctrl-C gives up.")
        )
        assert found is not None
        user.shared.provider.enter_code(found[1], found[2], login)
        return terminal.finish()


@dataclass(frozen=True)
class Machine:
    """How an application signs in: the arguments of `login`, and what it finds in its environment."""

    client_id: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)

    def login(self, user: User, *more: str) -> Result:
        """Sign in to the home tenant for the first time."""
        where = ("--endpoint", user.shared.url, "--tenant", HOME, "--alias", "contoso")
        return user.run("login", *where, "--client-id", self.client_id, *self.arguments, *more, env=self.environment)


class Vouching:
    """An issuer that vouches for jobs: in a file, and at the loopback endpoints of two build services."""

    def __init__(self, issuer: Issuer, provider: IdentityProvider, folder: Path) -> None:
        self._issuer = issuer
        self._folder = folder
        self.asked: list[tuple[str, str, Mapping[str, str]]] = []
        self.url = ""
        provider.trust(HOME, self._named, SUBJECT, issuer.keys)

    @property
    def _named(self) -> str:
        return f"{self._issuer.authority}/jobs"

    def assertion(self, audience: str = EXCHANGE_AUDIENCE, /, **changes: object) -> str:
        """Return an assertion about the job."""
        claims = {"iss": self._named, "sub": SUBJECT, "aud": audience, "iat": 1, "nbf": 1, "exp": 2**31, **changes}
        return self._issuer.token(claims=claims)

    def file(self) -> Path:
        """Return a file with an assertion, as Kubernetes mounts it."""
        path = self._folder / "assertion"
        path.write_text(f"{self.assertion()}\n")
        return path


class _Jobs(http.server.BaseHTTPRequestHandler):
    """What both services answer: https://docs.github.com/actions/reference/openid-connect-reference for one."""

    server: "_JobServer"

    def do_GET(self) -> None:
        audience = parse_qs(urlsplit(self.path).query)["audience"][0]
        self._answer({"value": self.server.vouching.assertion(audience)})

    def do_POST(self) -> None:
        self._answer({"oidcToken": self.server.vouching.assertion()})

    def _answer(self, told: Mapping[str, str]) -> None:
        self.server.vouching.asked.append((self.command, self.path, dict(self.headers)))
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Print nothing."""


class _JobServer(http.server.ThreadingHTTPServer):
    vouching: Vouching


@contextmanager
def vouching(issuer: Issuer, provider: IdentityProvider, folder: Path) -> Iterator[Vouching]:
    """Run the endpoints of the build services."""
    server = _JobServer(("127.0.0.1", 0), _Jobs)
    server.vouching = found = Vouching(issuer, provider, folder)
    found.url = f"http://127.0.0.1:{server.server_address[1]}/idtoken"
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    serving.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        serving.join()


def machines(provider: IdentityProvider, jobs: Vouching) -> Mapping[str, Machine]:
    """Return every way in which an application signs in here, by its name."""
    certificate, github = provider.certificate, {"ACTIONS_ID_TOKEN_REQUEST_TOKEN": "of the job"}
    pfx = ("--with", "certificate", "--certificate", str(certificate.pfx), "--passphrase-env", "PASSPHRASE")
    return {
        "client-secret": Machine(
            DAEMON, ("--with", "client-secret", "--secret-env", "DAEMON_SECRET"), {"DAEMON_SECRET": DAEMON_SECRET}
        ),
        "certificate": Machine(CERTIFIED, ("--with", "certificate", "--certificate", str(certificate.pem))),
        "certificate in PFX": Machine(CERTIFIED, pfx, {"PASSPHRASE": certificate.passphrase}),
        "token-file": Machine(FEDERATED, ("--with", "token-file", "--token-file", str(jobs.file()))),
        "github": Machine(
            FEDERATED, ("--with", "github"), {**github, "ACTIONS_ID_TOKEN_REQUEST_URL": f"{jobs.url}?api-version=2"}
        ),
        "azure-pipelines": Machine(
            FEDERATED,
            ("--with", "azure-pipelines", "--service-connection", "a service connection"),
            {"SYSTEM_OIDCREQUESTURI": jobs.url, "SYSTEM_ACCESSTOKEN": "of the job"},
        ),
    }
