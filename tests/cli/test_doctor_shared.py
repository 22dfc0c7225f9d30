"""`supportaccess doctor` for tenants whose store is a shared one."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from threading import Barrier
from typing import Any

import msgspec
import pytest
from tests.cli.home import Home, Result, now
from tests.signin.test_access_tokens import token
from tests.store.http.scripted import SECONDS, Certified, Handler, Server, Step, answer, certified, refuse, serving
from tests.support.certificates import certificate_for_loopback
from tests.support.people import FOREIGN, HOME, RESOURCE

from supportaccess.store.wire import Discovery

TOKENS = {"SUPPORTACCESS_ACCESS_TOKEN": f"{token(HOME)} {token(RESOURCE)} {token(FOREIGN)}"}
READER = {
    "tenantId": HOME,
    "actor": {"kind": "user", "objectId": "ada-id", "displayName": "Ada"},
    "permissions": [{"permission": "AccessRequests.Read", "grantedBy": ["Global Reader"]}],
    "lacking": [
        {"permission": "AccessRequests.Decide", "message": "Directory roles that give it: Global Administrator."}
    ],
}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certified:
    """Return a certificate for loopback."""
    return certified(tmp_path_factory.mktemp("doctor"))


@pytest.fixture
def server(certificate: Certified) -> Iterator[Server]:
    """Return a server with TLS that says what a test wants."""
    with serving(certificate.files) as server:
        yield server


@pytest.fixture
def remote(new_home: Home, server: Server) -> Home:
    """Return a home whose only tenant, contoso, has its store at the server."""
    assert new_home.run("tenant", "set", HOME, "--alias", "contoso", "--endpoint", server.url).code == 0
    return new_home


def discovery(server: Server, *, ago: timedelta = timedelta(), **changes: str) -> Step:
    told = Discovery(
        api_version="v1",
        endpoint=server.url,
        authority="https://login.microsoftonline.com",
        client_id="aaaaaaaa-0000-4000-8000-00000000a711",
        scopes=("api://aaaaaaaa-0000-4000-8000-00000000a711/access",),
    )
    told = msgspec.structs.replace(told, **changes)
    return answer_at(format_datetime(now() - ago, usegmt=True), msgspec.json.encode(told))


def answer_at(date: str | None, body: bytes) -> Step:
    """Answer with another Date than the server's own."""

    def step(handler: Handler) -> None:
        handler.send_response_only(200)
        if date is not None:
            handler.send_header("Date", date)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return step


def run(home: Home, certificate: Certified, *arguments: str, env: Mapping[str, str] | None = None) -> Result:
    trust = {"SSL_CERT_FILE": str(certificate.authority)}
    return home.run("doctor", *arguments, "-o", "json", env={**TOKENS, **trust, **(env or {})})


def named(result: Result) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in result.json}


def failures(result: Result) -> list[dict[str, Any]]:
    return [check for check in result.json if check["result"] == "failed"]


class TestWhatWorks:
    def test_passes_each_check(self, remote: Home, server: Server, certificate: Certified) -> None:
        """The way, the endpoint and the sign-in pass, and no token is sent before the endpoint is known."""
        steps = (discovery(server), answer(200, READER), answer(200, {"count": 1}))
        server.will(*steps)
        result = run(remote, certificate)

        assert (result.code, failures(result)) == (0, []), result.out
        checks = named(result)
        passing = ["proxy", "name", "TLS", "certificate", "discovery", "API version", "clock", "sign-in", "store"]
        assert [checks[name]["result"] for name in passing] == ["passed"] * len(passing)
        assert f"trusted by SSL_CERT_FILE ({certificate.authority})" in checks["TLS"]["message"]
        assert "good until 2" in checks["certificate"]["message"]
        assert "Ada (ada-id)" in checks["sign-in"]["message"]
        assert server.asked[0].headers["Authorization"] is None

        server.will(*steps)
        screen = remote.on_terminal("doctor", env={**TOKENS, "SSL_CERT_FILE": str(certificate.authority)})
        assert screen.code == 0
        assert "passed   permission: list, show" in screen.text

    def test_tells_each_permission_and_its_role(self, remote: Home, server: Server, certificate: Certified) -> None:
        """What is allowed names the role, what is not names the roles that would do."""
        server.will(discovery(server), answer(200, READER), answer(200, {"count": 1}))
        checks = named(run(remote, certificate))

        assert checks["permission: list, show"]["message"] == "AccessRequests.Read, by Global Reader"
        deciding = checks["permission: approve, reject, revoke"]
        assert deciding["result"] == "skipped"
        assert deciding["mend"] == "Directory roles that give it: Global Administrator."
        assert sum(name.startswith("permission: ") for name in checks) == 5


class TestWhatFails:
    def test_a_token_that_is_refused(self, remote: Home, server: Server, certificate: Certified) -> None:
        """A token that is refused is why nothing works: the check fails, with what mends it."""
        server.will(discovery(server), refuse(401, "NotSignedIn", "the token is refused: it has expired"))
        result = run(remote, certificate)

        assert result.code == 1
        (failed,) = failures(result)
        assert failed["name"] == "sign-in"
        assert "expired" in failed["message"]
        assert "get a new one" in failed["mend"]

    def test_no_token(self, remote: Home, server: Server, certificate: Certified) -> None:
        """Without a sign-in that check fails, with how to sign in."""
        server.will(discovery(server))
        result = run(remote, certificate, env={"SUPPORTACCESS_ACCESS_TOKEN": ""})

        assert result.code == 1
        (failed,) = failures(result)
        assert failed["name"] == "sign-in"
        assert failed["mend"]

    def test_nothing_is_allowed(self, remote: Home, server: Server, certificate: Certified) -> None:
        """Somebody who may do nothing hears which role would do."""
        server.will(discovery(server), answer(200, {**READER, "permissions": []}), answer(200, {"count": 1}))
        result = run(remote, certificate)

        assert result.code == 1
        assert named(result)["sign-in"]["mend"] == "Directory roles that give it: Global Administrator."
        assert named(result)["permission: list, show"]["result"] == "failed"

    def test_something_that_is_no_store(self, remote: Home, server: Server, certificate: Certified) -> None:
        """A web server that is no store fails the check, with what mends it."""
        server.will(answer(404, b"<html>", {"Content-Type": "text/html"}))
        result = run(remote, certificate)

        assert result.code == 1
        (failed,) = failures(result)
        assert failed["name"] == "discovery"
        assert "--endpoint" in failed["mend"]

    def test_another_version(self, remote: Home, server: Server, certificate: Certified) -> None:
        """Another version of the API is told."""
        server.will(discovery(server, api_version="v2"), answer(200, READER), answer(200, {"count": 1}))
        (failed,) = failures(run(remote, certificate))

        assert (failed["name"], "v2" in failed["message"]) == ("API version", True)
        assert failed["mend"] == "pip install --upgrade supportaccess"

    def test_another_address(self, remote: Home, server: Server, certificate: Certified) -> None:
        """An endpoint that calls itself something else is told: its links would lead away."""
        told = discovery(server, endpoint="https://store.example.com")
        server.will(told, answer(200, READER), answer(200, {"count": 1}))
        (failed,) = failures(run(remote, certificate))

        assert failed["name"] == "discovery"
        assert "supportaccess tenant set contoso --endpoint https://store.example.com" in failed["mend"]

    @pytest.mark.parametrize(
        ("ago", "told"), [(timedelta(minutes=-10), "behind the server's"), (timedelta(minutes=10), "ahead of")]
    )
    def test_a_clock_that_is_off(
        self, remote: Home, server: Server, certificate: Certified, ago: timedelta, told: str
    ) -> None:
        """A clock that the server's tokens would not stand fails, with which way and how far."""
        server.will(discovery(server, ago=ago), answer(200, READER), answer(200, {"count": 1}))
        (failed,) = failures(run(remote, certificate))

        assert failed["name"] == "clock"
        assert told in failed["message"]
        assert "Set the clock" in failed["mend"]

    def test_a_server_without_a_date(self, remote: Home, server: Server, certificate: Certified) -> None:
        """Where the server does not say what time it is the clock cannot be checked, and that is no failure."""
        told = msgspec.json.encode(
            Discovery(api_version="v1", endpoint=server.url, authority="https://a.example", client_id="c", scopes=())
        )
        server.will(answer_at(None, told), answer(200, READER), answer(200, {"count": 1}))
        result = run(remote, certificate)

        assert (result.code, named(result)["clock"]["result"]) == (0, "skipped")

    def test_a_certificate_that_is_not_trusted(self, remote: Home, tmp_path: Path) -> None:
        """A certificate of an authority that nobody knows fails; nothing is sent to whoever has it."""
        other = certified(tmp_path)
        result = run(remote, other)

        assert result.code == 1
        (failed,) = failures(result)
        assert failed["name"] == "TLS"
        assert "not trusted" in failed["message"]
        assert "SSL_CERT_FILE" in failed["mend"]
        assert named(result)["discovery"]["result"] == "skipped"

    @pytest.mark.parametrize(
        ("term", "left", "result"),
        [
            (timedelta(days=100), timedelta(days=6), "failed"),
            (timedelta(days=100), timedelta(days=8), "passed"),
            (timedelta(days=30), timedelta(days=4), "passed"),
            (timedelta(days=30), timedelta(days=2), "failed"),
            (timedelta(days=2), timedelta(hours=2), "failed"),
        ],
    )
    def test_a_certificate_that_ends(
        self, new_home: Home, tmp_path: Path, term: timedelta, left: timedelta, result: str
    ) -> None:
        """One that should have been renewed by now fails, with until when it is good; the rest is checked all the same.

        Due is what has less than a week left, or less than a tenth of its term.
        """
        made = certificate_for_loopback(tmp_path, begins=left - term, ends=left)
        files = Certified((made.certificate, made.key), made.authority)
        with serving(files.files) as server:
            new_home.run("tenant", "set", HOME, "--endpoint", server.url)
            server.will(discovery(server), answer(200, READER), answer(200, {"count": 1}))
            checked = run(new_home, files)

        check = named(checked)["certificate"]
        assert check["result"] == result, check
        assert check["message"].startswith("good until 2")
        assert checked.code == (1 if result == "failed" else 0)
        if result == "failed":
            assert failures(checked) == [check]
            assert "not renewed yet" in check["message"]
            assert check["mend"] == "Ask who runs the store to renew it."
        assert named(checked)["sign-in"]["result"] == "passed"

    def test_a_host_that_does_not_exist(self, new_home: Home, certificate: Certified) -> None:
        """A name that cannot be looked up fails as that."""
        new_home.run("tenant", "set", HOME, "--endpoint", "https://nowhere.invalid")
        result = run(new_home, certificate)

        assert result.code == 1
        assert "name" in {check["name"] for check in failures(result)}

    def test_nobody_listens(self, new_home: Home, certificate: Certified) -> None:
        """Where nobody listens the connection fails, within seconds."""
        new_home.run("tenant", "set", HOME, "--endpoint", "https://localhost:1")
        (failed,) = failures(run(new_home, certificate))

        assert failed["name"] == "TLS"
        assert "cannot be reached: Connection refused" in failed["message"]


class TestProxy:
    def test_is_named_without_its_password(self, new_home: Home, certificate: Certified) -> None:
        """Which proxy is used is told, and that it refuses, and never the password that it was given."""
        new_home.run("tenant", "set", HOME, "--endpoint", "https://store.example.com")
        with serving() as proxy:
            proxy.will(answer(407, b""))
            env = {"HTTPS_PROXY": f"http://ada:canary@localhost:{proxy.server_port}"}
            result = run(new_home, certificate, env=env)

            assert result.code == 1
            checks = named(result)
            where = f"http://localhost:{proxy.server_port}, with a name and a password"
            assert checks["proxy"]["message"] == f"store.example.com is asked through {where}"
            assert checks["name"]["result"] == "skipped"
            assert "the proxy does not let through to store.example.com: status 407" in checks["TLS"]["message"]
            assert proxy.asked[0].headers["Proxy-Authorization"].startswith("Basic ")
        assert "canary" not in result.out + result.err

    @pytest.mark.parametrize("proxy", ["socks5://ada:canary@localhost:1", "http://ada:canary@localhost:x", "canary://"])
    def test_that_cannot_be_used(self, new_home: Home, certificate: Certified, proxy: str) -> None:
        """A proxy of another kind, or no URL, fails without any of it being shown."""
        new_home.run("tenant", "set", HOME, "--endpoint", "https://store.example.com")
        result = run(new_home, certificate, env={"HTTPS_PROXY": proxy})

        assert result.code == 1
        assert failures(result)[0]["name"] == "proxy"
        assert "canary" not in result.out + result.err


SECRETS = {
    "SUPPORTACCESS_ACCESS_TOKEN": f"{token(HOME)}canary-token",
    "SUPPORTACCESS_CLIENT_SECRET": "canary-secret",
    "SUPPORTACCESS_CLIENT_CERTIFICATE_PASSPHRASE": "canary-passphrase",
    "SUPPORTACCESS_DATABASE": "postgresql://ada:canary-database@localhost/x",
    "HTTPS_PROXY": "http://ada:canary-proxy@localhost:1",
    "https_proxy": "http://ada:canary-proxy@localhost:1",
}


@pytest.mark.parametrize("output", ["table", "json", "csv", "tsv", "yaml"])
@pytest.mark.parametrize("works", [True, False], ids=["works", "fails"])
def test_no_secret_is_printed(remote: Home, server: Server, certificate: Certified, output: str, works: bool) -> None:
    """Tokens, secrets, passphrases and the passwords of proxies are in no output, whether or not it works."""
    env = {**SECRETS, "SSL_CERT_FILE": str(certificate.authority), "SUPPORTACCESS_DEBUG": "1"}
    remote.run("tenant", "set", RESOURCE, "--endpoint", "https://store.example.com")
    if works:
        server.will(discovery(server), answer(200, READER), answer(200, {"count": 1}))
    else:
        server.will(discovery(server), refuse(401, "NotSignedIn", "refused"))
    result = remote.run("doctor", "--all-tenants", "-o", output, env=env)

    assert result.code == 7
    assert token(HOME) not in result.out + result.err
    assert "canary" not in result.out + result.err


def test_tenants_are_checked_side_by_side(new_home: Home, server: Server, certificate: Certified) -> None:
    """Every tenant's endpoint is asked before any has answered; the checks come tenant by tenant."""
    tenants = {HOME: "contoso", RESOURCE: "fabrikam", FOREIGN: "tailspin"}
    for tenant_id, alias in tenants.items():
        new_home.run("tenant", "set", tenant_id, "--alias", alias, "--endpoint", server.url)
    together = Barrier(len(tenants))
    told = discovery(server)

    def once_all_asked(handler: Handler) -> None:
        together.wait(SECONDS)
        told(handler)

    def any_of_the_rest(handler: Handler) -> None:
        step = answer(200, READER) if handler.path == "/v1/me" else answer(200, {"count": 1})
        step(handler)

    server.will(*[once_all_asked] * 3, *[any_of_the_rest] * 6)
    result = run(new_home, certificate, "--all-tenants")

    assert (result.code, failures(result)) == (0, [])
    order = list(dict.fromkeys(check["tenantId"] for check in result.json if "tenantId" in check))
    assert order == list(tenants)
