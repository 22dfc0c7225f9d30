"""What becomes of a sign-in: renewed by many at once, ended, damaged, asked for more; and a hostile endpoint."""

import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import yaml
from tests.cli.home import Home
from tests.cli.test_login import good, secrets
from tests.store.http.scripted import answer, certified, serving
from tests.support.identity_provider import DAEMON_SECRET, EXCHANGE_AUDIENCE, IdentityProvider, identity_provider
from tests.support.issuer import API, CLIENT, DAEMON, FEDERATED, Issuer
from tests.support.issuer import running as running_issuer
from tests.support.people import HOME
from tests.support.program import installed_program
from tests.support.sign_in import Store, User, running, store

__all__ = ["identity_provider", "store"]

pytestmark = pytest.mark.process

SHORT = 200
"""Seconds for which a token is too short to be used: fewer than five minutes."""


@pytest.fixture
def user(store: Store, tmp_path: Path) -> User:
    """Return the home of somebody new."""
    return store.user(tmp_path / "home")


@pytest.fixture
def ending(user: User) -> User:
    """Return somebody whose access token has ended, and whose sign-in has not."""
    with user.shared.provider.behaving(HOME, lifetime=SHORT):
        good(user.login())
    return user


class TestRenewal:
    def test_twenty_at_once(self, ending: User) -> None:
        """Twenty commands that all need a new token all get one, and the cache is whole."""
        before = secrets(ending.cache())
        processes = [
            subprocess.Popen(
                [installed_program(), "list", "-o", "json"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=ending.environment,
                text=True,
            )
            for _ in range(20)
        ]
        ended = [(*process.communicate(timeout=240), process.returncode) for process in processes]

        assert {(out, code) for out, _, code in ended} == {("[]\n", 0)}, ended
        assert not [err for _, err, _ in ended if "Warning" in err or "locked" in err or "damaged" in err]
        tokens = msgspec.json.decode(ending.cache().read_bytes())["AccessToken"]
        assert len(tokens) == 1
        assert next(iter(tokens.values()))["secret"] not in before
        good(ending.run("login", "--check"))

    @pytest.mark.parametrize("how", ["revoke", "expire"])
    def test_a_sign_in_that_has_ended(self, ending: User, how: str) -> None:
        """Exit 3, why, the command that mends it, and the authority's names for the attempt."""
        provider = ending.shared.provider
        (provider.revoke_refresh_tokens if how == "revoke" else provider.expire_refresh_tokens)(HOME)
        for arguments in (["list"], ["login", "--check"], ["whoami"]):
            result = ending.run(*arguments)

            assert result.code == 3
            assert "Error: no sign-in to contoso: " in result.err
            assert "Try:   supportaccess login --tenant contoso\n" in result.err
            assert not [secret for secret in secrets(ending.cache()) if secret in result.err]

    def test_an_authority_that_cannot_be_reached(self, ending: User) -> None:
        """An authority whose certificate is unknown is told by its name, with 8, and the sign-in stays."""
        text = ending.profile().read_text()
        trusted = ending.folder / "store-alone.pem"
        trusted.write_bytes(
            ending.trusted.read_bytes().partition(b"-----END CERTIFICATE-----\n")[0] + b"-----END CERTIFICATE-----\n"
        )
        result = ending.run("list", env={"SSL_CERT_FILE": str(trusted)})

        assert result.code == 8
        assert f"{ending.shared.provider.authority} has a certificate that is not trusted" in result.err
        assert ending.profile().read_text() == text
        good(ending.run("list"))

    @pytest.mark.parametrize("contents", [b"", b"{", b"[]", b'{"AccessToken": 1}', b"\x00\xff" * 50, b"[" * 100_000])
    def test_a_damaged_cache_means_signed_out(self, ending: User, contents: bytes) -> None:
        """It is set aside, said in one line, and never a traceback; a login mends it."""
        ending.cache().write_bytes(contents)
        result = ending.run("list")

        assert result.code == 3
        assert "Traceback" not in result.err
        assert result.err.count("set aside") == bool(contents)
        assert [path.name for path in ending.tokens.iterdir() if "damaged" in path.name] != [] or not contents
        good(ending.login())
        good(ending.run("list"))

    def test_a_folder_in_the_place_of_the_lock(self, ending: User) -> None:
        """A damaged lock is put aside too."""
        lock = ending.tokens / f"{HOME}.lock"
        lock.unlink()
        lock.mkdir()

        good(ending.run("list"))
        assert lock.is_file()

    def test_a_cache_that_others_can_read(self, user: User) -> None:
        """Tokens that others may have read are not used."""
        good(user.login())
        user.cache().chmod(0o644)
        result = user.run("list")

        assert result.code == 3
        assert "can be read by others" in result.err


class TestASecondLook:
    def stale(self, user: User, **changes: str) -> None:
        """Let what the endpoint said be old, and have been something else."""
        text = user.profile().read_text()
        discovery = tomllib.loads(text)["discovery"]
        for name in ("fetched_at", "stale_at"):
            text = text.replace(
                f"{name} = {discovery[name].isoformat().replace('+00:00', 'Z')}", f"{name} = 2026-01-01T00:00:00Z"
            )
        head, _, tail = text.partition("[discovery]")
        for name, value in changes.items():
            tail = tail.replace(str(discovery[name]), value)
        user.profile().write_text(f"{head}[discovery]{tail}")

    def test_it_is_asked_again_after_a_day(self, ending: User) -> None:
        """With an old word and a token to renew, the endpoint is asked, and its word kept anew."""
        self.stale(ending)
        good(ending.run("list"))

        assert tomllib.loads(ending.profile().read_text())["discovery"]["fetched_at"].year > 2025
        assert "2026-01-01" not in ending.profile().read_text()

    def test_not_while_the_token_is_good(self, user: User) -> None:
        """A command with a good token asks nothing but what it is for."""
        good(user.login())
        self.stale(user)
        good(user.run("list"))

        assert "2026-01-01" in user.profile().read_text()

    def test_a_change_takes_a_login(self, ending: User) -> None:
        """When the endpoint leads elsewhere than before, nothing is sent there until somebody signs in anew."""
        self.stale(ending, client_id="99999999-0000-4000-8000-000000000009")
        result = ending.run("list")

        assert result.code == 3
        assert f"now says to sign in otherwise: client ID {CLIENT} (before: 99999999" in result.err
        assert "supportaccess login --tenant contoso" in result.err
        good(ending.login())
        good(ending.run("list"))


HOSTILE = {
    "another authority": {"authority": "https://login.evil.example"},
    "a look-alike": {"authority": "https://login.microsoftonline.com.evil.example"},
    "http": {"authority": "http://login.microsoftonline.com"},
    "Graph": {"scopes": ["https://graph.microsoft.com/.default"]},
    "Graph by its ID": {"scopes": ["api://00000003-0000-0000-c000-000000000000/.default"]},
    "more than one": {"scopes": [f"api://{API}/Use", "https://graph.microsoft.com/.default"]},
    "no scope": {"scopes": []},
    "no client": {"clientId": "me"},
}


@pytest.mark.parametrize("changes", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_endpoint_gets_nobody_to_sign_in(tmp_path: Path, changes: dict[str, object]) -> None:
    """No authority of a stranger's, and no token for another service: refused before anything else is asked."""
    certificate = certified(tmp_path)
    document = {
        "apiVersion": "v1",
        "endpoint": "https://store.example.com",
        "authority": "https://login.microsoftonline.com",
        "clientId": CLIENT,
        "scopes": [f"api://{API}/AccessRequests.Use"],
        **changes,
    }
    home = Home(tmp_path / "home")
    home.folder.mkdir()
    with serving(certificate.files) as server:
        server.will(answer(200, msgspec.json.encode(document)))
        arguments = ("--endpoint", server.url, "--tenant", HOME, "--with", "device-code", "--allow-plaintext-cache")
        result = home.run("login", *arguments, env={"SSL_CERT_FILE": str(certificate.authority)})

        assert len(server.asked) == 1
    assert result.code in {2, 3}
    assert "enter the code" not in result.err
    assert not (home.config / "tenants").exists()


class TestAStrongerSignIn:
    @pytest.fixture
    def strict(self, tmp_path: Path, identity_provider: IdentityProvider) -> Iterator[User]:
        """Return somebody who signed in to a store that asks for more before a decision, with a request to decide."""
        folder = tmp_path / "store"
        folder.mkdir()
        with running(folder, identity_provider, 'decision_auth_context = "c1"') as strict:
            user = strict.user(tmp_path / "home")
            good(user.login())
            yield user

    def raised(self, user: User) -> str:
        secret = {"SUPPORTACCESS_CLIENT_ID": DAEMON, "SUPPORTACCESS_CLIENT_SECRET": DAEMON_SECRET}
        arguments = (
            "--support-request",
            "2603010050001234",
            "--engineer",
            "Erin",
            "--reason",
            "sign-ins fail",
        )
        return str(good(user.run("provider", "raise", *arguments, "-o", "json", env=secret)).json[0]["id"])

    def test_it_is_met_once_at_a_terminal(self, strict: User) -> None:
        """The decision waits for the new sign-in, is sent again, and stands; the next one asks for nothing."""
        request = self.raised(strict)
        screen = strict.on_terminal("reject", request, "--reason", "no", "--yes", env=strict.browsing(), columns=200)

        assert screen.code == 0, screen.text
        assert "asks for a stronger sign-in to contoso" in screen.text
        assert good(strict.run("show", request, "-o", "json")).json["status"] == "rejected"

    def test_without_a_person_it_is_refused(self, strict: User) -> None:
        """Off a terminal nobody can sign in: exit 3, why, and nothing is decided."""
        request = self.raised(strict)
        result = strict.run("reject", request, "--reason", "no", "--yes")

        assert result.code == 3
        assert "that needs a person" in result.err
        assert good(strict.run("show", request, "-o", "json")).json["status"] == "pending"


class TestAPipeline:
    def test_variables_alone(self, user: User) -> None:
        """Without a profile, an application signs in by what the environment says, and leaves nothing behind."""
        env = {
            "SUPPORTACCESS_ENDPOINT": user.shared.url,
            "SUPPORTACCESS_TENANT": HOME,
            "SUPPORTACCESS_CLIENT_ID": DAEMON,
            "SUPPORTACCESS_CLIENT_SECRET": DAEMON_SECRET,
        }
        assert good(user.run("list", "-o", "json", env=env)).json == []
        assert good(user.run("whoami", "-o", "json", env=env)).json["signedInBy"] == "client-secret"
        assert not user.config.exists()
        assert not user.tokens.exists()

    @pytest.mark.parametrize("way", ["github", "azure-pipelines", "token-file"])
    def test_an_assertion_of_where_it_runs(self, user: User, tmp_path: Path, way: str) -> None:
        """Each kind of assertion is got where the platform has it, and signs in."""
        (tmp_path / "issuer").mkdir()
        with running_issuer(tmp_path / "issuer") as issuer, serving() as platform:
            user.shared.provider.trust(HOME, issuer.authority, "repo:contoso/audit", issuer.keys)
            assertion = assertion_of(issuer)
            (tmp_path / "assertion").write_text(assertion)
            body = {"github": {"value": assertion}, "azure-pipelines": {"oidcToken": assertion}}.get(way)
            platform.will(*[answer(200, msgspec.json.encode(body))] * (body is not None))
            env = {
                "SUPPORTACCESS_ENDPOINT": user.shared.url,
                "SUPPORTACCESS_TENANT": HOME,
                "SUPPORTACCESS_CLIENT_ID": FEDERATED,
                "SUPPORTACCESS_SIGN_IN": way,
                "SUPPORTACCESS_SERVICE_CONNECTION": "the connection",
                "SUPPORTACCESS_FEDERATED_TOKEN_FILE": str(tmp_path / "assertion"),
                "ACTIONS_ID_TOKEN_REQUEST_URL": f"{platform.url}/token?api-version=2",
                "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "of the job",
                "SYSTEM_OIDCREQUESTURI": f"{platform.url}/oidc",
                "SYSTEM_ACCESSTOKEN": "of the job",
            }
            me = good(user.run("whoami", "-o", "json", env=env)).json

            assert (me["signedInBy"], me["clientId"]) == (way, FEDERATED)
            if body is not None:
                (asked,) = platform.asked
                assert asked.headers["Authorization"].lower() == "bearer of the job"
                expected = {
                    "github": "/token?api-version=2&audience=api%3A%2F%2FAzureADTokenExchange",
                    "azure-pipelines": "/oidc?api-version=7.1&serviceConnectionId=the%20connection",
                }
                assert asked.path == expected[way]

    def test_a_managed_identity(self, user: User, identity_provider: IdentityProvider) -> None:
        """The machine's address is asked for the store's API, without a proxy."""
        token = identity_provider.client_credentials(HOME)
        body = msgspec.json.encode({"access_token": token, "expires_in": "3600", "token_type": "Bearer"})
        with serving() as machine:
            machine.will(answer(400, b"{}"), answer(200, body))
            env = {
                "SUPPORTACCESS_ENDPOINT": user.shared.url,
                "SUPPORTACCESS_TENANT": HOME,
                "SUPPORTACCESS_SIGN_IN": "managed-identity",
                "SUPPORTACCESS_MANAGED_IDENTITY": f"client_id={DAEMON}",
                "AZURE_POD_IDENTITY_AUTHORITY_HOST": machine.url,
                "HTTP_PROXY": "http://127.0.0.1:1",
                "NO_PROXY": "",
            }
            me = good(user.run("whoami", "-o", "json", env=env)).json

            assert me["signedInBy"] == "managed-identity"
            assert f"resource=api%3A%2F%2F{API}&client_id={DAEMON}" in machine.asked[1].path

    def test_no_machine_of_azures(self, user: User) -> None:
        """Off Azure it does not hang: what answers nowhere is told."""
        env = {
            "SUPPORTACCESS_ENDPOINT": user.shared.url,
            "SUPPORTACCESS_TENANT": HOME,
            "SUPPORTACCESS_SIGN_IN": "managed-identity",
            "AZURE_POD_IDENTITY_AUTHORITY_HOST": "http://127.0.0.1:1",
        }
        result = user.run("list", env=env)

        assert result.code == 3
        assert "this machine has no managed identity" in result.err

    def test_the_broker_is_an_extra(self, user: User) -> None:
        """Without its extra, the broker says what to install; at another authority, that it is Microsoft's alone."""
        result = user.run(
            "login", "--endpoint", user.shared.url, "--tenant", HOME, "--with", "broker", "--allow-plaintext-cache"
        )

        assert result.code == 3
        assert "Microsoft's clouds alone" in result.err


def test_the_examples_are_yaml_and_say_how_to_sign_in() -> None:
    """Both pipelines of docs/sign-in.md parse, and set what a sign-in without a profile takes."""
    page = (Path(__file__).parents[2] / "docs" / "sign-in.md").read_text()
    github, azure = (yaml.safe_load(block.partition("```")[0]) for block in page.split("```yaml\n")[1:])

    job = github["jobs"]["audit"]
    needed = {"SUPPORTACCESS_ENDPOINT", "SUPPORTACCESS_TENANT", "SUPPORTACCESS_CLIENT_ID", "SUPPORTACCESS_SIGN_IN"}
    assert needed == set(job["env"])
    assert github["permissions"]["id-token"] == "write"
    assert needed | {"SUPPORTACCESS_SERVICE_CONNECTION"} == set(azure["variables"])
    assert azure["steps"][1]["env"] == {"SYSTEM_ACCESSTOKEN": "$(System.AccessToken)"}
    assert "id-token" in page


def assertion_of(issuer: Issuer) -> str:
    """Return an assertion about the repository, as the provider is told to trust it."""
    claims = {"iss": issuer.authority, "sub": "repo:contoso/audit", "aud": EXCHANGE_AUDIENCE}
    return issuer.token(claims={**claims, "iat": 1, "nbf": 1, "exp": 2**31})
