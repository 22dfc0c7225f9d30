"""No command tells a secret: whatever it is given, whether it works or fails, and with --debug."""

import base64
import json
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import NamedTuple

import pytest
from tests.cli.home import EXAMPLE, TICKET, Home, Result
from tests.signin.test_access_tokens import token
from tests.support.issuer import CLIENT
from tests.support.kept import sign_in
from tests.support.people import HOME, RESOURCE

from supportaccess.cli.app.group import Lazy
from supportaccess.cli.main import COMMANDS

CANARY = "c4nary"
ACCESS_TOKEN = f"{token(HOME)}{CANARY}"
PROXY = f"ada:{CANARY}-proxy"
SECRETS = {
    "SUPPORTACCESS_CLIENT_SECRET": f"{CANARY}-secret",
    "SUPPORTACCESS_CLIENT_CERTIFICATE_PASSPHRASE": f"{CANARY}-passphrase",
    "SUPPORTACCESS_DATABASE": f"postgresql://ada:{CANARY}-database@localhost:1/x",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": f"{CANARY}-job",
    "SYSTEM_ACCESSTOKEN": f"{CANARY}-job",
    "HTTPS_PROXY": f"http://{PROXY}@localhost:1",
}
REQUEST = "7b0f0f9e-3a3e-4f0e-9a44-0d7c0a1e5d11"
ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "login": ("--with", "client-secret", "--client-id", CLIENT, "--secret-env", "SUPPORTACCESS_CLIENT_SECRET"),
    "show": (REQUEST,),
    "approve": (REQUEST, "--yes"),
    "reject": (REQUEST, "--reason", "no", "--yes"),
    "revoke": (REQUEST, "--yes"),
    "watch": ("--once",),
    "import": (str(EXAMPLE),),
    "audit log": ("--checkpoint",),
    "audit receipt": (REQUEST,),
    "audit export": ("log",),
    "audit forget": ("--yes",),
    "provider raise": ("--support-request", TICKET, "--engineer", "Erin", "--reason", "sign-ins fail"),
    "provider withdraw": (REQUEST, "--yes"),
    "provider close": (TICKET, "--yes"),
    "tenant use": ("contoso",),
    "tenant show": ("contoso", "--show-origin"),
    "tenant set": ("contoso", "--alias", "contoso"),
    "tenant rename": ("contoso", "other"),
    "tenant remove": ("contoso", "--yes"),
    "store backup": ("backup.db",),
    "store migrate": ("--check",),
    "serve": ("--check", "--config", "server.toml"),
}
"""What a command is given, beside nothing at all."""
ENDLESS = {"watch", "serve"}
"""Commands that could go on for ever with nothing."""


def leaves(table: Mapping[str, Lazy], before: str = "") -> Iterator[str]:
    """Yield every command of a table of commands, those of its groups with their group's name."""
    for name, lazy in table.items():
        if lazy.commands is None:
            yield f"{before}{name}"
        else:
            yield from leaves(lazy.commands, f"{before}{name} ")


EVERY = tuple(leaves(COMMANDS))


def test_every_command_is_here() -> None:
    """The table's groups were opened, and nothing is given to a command that there is none of."""
    assert {"list", "audit verify", "store key rotate", "doctor"} <= set(EVERY)
    assert set(ARGUMENTS) <= set(EVERY)


class Refusing(ThreadingHTTPServer):
    """A store that takes no token, and notes which it was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.sent: set[str] = set()
        self.url = f"http://localhost:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Refusing

    def do_GET(self) -> None:
        self.server.sent.add(self.headers.get("Authorization", ""))
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        body = json.dumps({"error": {"code": "NotSignedIn", "message": "the token has expired"}}).encode()
        self.send_response(401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 - the name is http.server's

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def store() -> Iterator[Refusing]:
    """Run a store that refuses."""
    with Refusing() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class Told(NamedTuple):
    """How a run ended, and all that anybody could read of it."""

    result: Result
    text: str


def run(home: Home, command: str, *arguments: str, env: Mapping[str, str]) -> Told:
    result = home.run(*command.split(), *arguments, env={**SECRETS, **env})
    kept = (home.folder / "cache" / "tokens", home.folder / "given")
    files = [
        path.read_bytes().decode("utf-8", "replace")
        for path in home.folder.rglob("*")
        if path.is_file() and path.name != "server.toml" and not any(path.is_relative_to(folder) for folder in kept)
    ]
    return Told(result, "\n".join([result.out, result.err, *files]))


def hold(told: Told) -> None:
    """Fail for a secret in anything that could be read, also in the form in which it is sent."""
    for secret in (CANARY, base64.b64encode(PROXY.encode()).decode(), *ACCESS_TOKEN.split(".")[1:]):
        assert secret not in told.text, secret
    assert told.result.out or told.result.err
    assert "Error: the program failed" not in told.result.err


@pytest.fixture
def signed_in(new_home: Home, store: Refusing) -> Home:
    """Return a home with tokens in the cache, access and refresh, and with a server's settings."""
    sign_in(new_home.environment, store.url, token=f"{CANARY}-kept")
    cache = new_home.folder / "cache" / "tokens" / f"{HOME}.json"
    contents = json.loads(cache.read_text())
    contents["RefreshToken"] = {
        "one": {
            "credential_type": "RefreshToken",
            "secret": f"{CANARY}-refresh",
            "home_account_id": "o.t",
            "environment": "login.microsoftonline.com",
            "client_id": CLIENT,
        }
    }
    cache.write_text(json.dumps(contents))
    (new_home.folder / "server.toml").write_text(
        f'[identity]\ntenants = ["{HOME}"]\nclient_id = "{CLIENT}"\n'
        f'[database]\npostgresql = "postgresql://ada:{CANARY}@localhost:1/x"\n[listen]\nport = 0\n'
    )
    return new_home


@pytest.mark.parametrize("command", EVERY)
def test_with_a_token_that_is_kept(signed_in: Home, store: Refusing, command: str) -> None:
    """With the token of the cache, at a store that refuses it; and with nothing given, or what there is none of."""
    without = {**dict.fromkeys(SECRETS, ""), "SUPPORTACCESS_DATABASE": SECRETS["SUPPORTACCESS_DATABASE"]}
    bare = ("--no-such-option",) if command in ENDLESS else ()
    hold(run(signed_in, command, *bare, env=without))
    hold(run(signed_in, command, *ARGUMENTS.get(command, ()), "--debug", env=without))
    if command in {"list", "whoami", "show"}:
        assert f"Bearer {CANARY}-kept" in store.sent


@pytest.mark.parametrize("command", EVERY)
def test_with_tokens_and_secrets_of_variables(signed_in: Home, command: str) -> None:
    """With a token for a store behind a proxy that is not there, and for an authority behind it a client secret."""
    signed_in.run("tenant", "set", RESOURCE, "--alias", "fabrikam", "--endpoint", "https://store.example.com")
    elsewhere = {"SUPPORTACCESS_TENANT": "fabrikam", "SUPPORTACCESS_ACCESS_TOKEN": f"{token(RESOURCE)}{CANARY}"}
    hold(run(signed_in, command, *ARGUMENTS.get(command, ()), "--debug", env=elsewhere))
    hold(run(signed_in, command, *ARGUMENTS.get(command, ()), "--debug", env={"SUPPORTACCESS_TENANT": "contoso"}))


@pytest.mark.parametrize("content", [f"{CANARY}\n", f"{CANARY}.{CANARY}.{CANARY}", f"-----BEGIN {CANARY}-----"])
@pytest.mark.parametrize(
    "variables",
    [
        {"SUPPORTACCESS_ACCESS_TOKEN_FILE": "given"},
        {"SUPPORTACCESS_CLIENT_SECRET_FILE": "given"},
        {"SUPPORTACCESS_CLIENT_CERTIFICATE": "given"},
        {"SUPPORTACCESS_CLIENT_CERTIFICATE": "given", "SUPPORTACCESS_CLIENT_CERTIFICATE_PASSPHRASE_FILE": "given"},
        {"SUPPORTACCESS_SIGN_IN": "token-file", "SUPPORTACCESS_FEDERATED_TOKEN_FILE": "given"},
    ],
    ids=lambda variables: " ".join(variables),
)
def test_of_files(signed_in: Home, variables: dict[str, str], content: str) -> None:
    """What a file holds is told no more than what a variable does, also where it is not what it should be."""
    given = signed_in.folder / "given"
    given.write_text(content)
    given.chmod(0o600)
    env = {**dict.fromkeys(SECRETS, ""), "HTTPS_PROXY": SECRETS["HTTPS_PROXY"], "SUPPORTACCESS_CLIENT_ID": CLIENT}
    told = run(signed_in, "whoami", "--debug", env={**env, **variables})

    hold(told)
    assert told.result.code in {2, 3, 8}
