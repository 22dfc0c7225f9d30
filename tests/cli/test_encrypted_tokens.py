"""Tokens that the operating system encrypts, through msal-extensions and a desktop's secret service."""

from pathlib import Path

import msgspec
import pytest
from tests.cli.home import Home
from tests.store.http.scripted import Certified, answer, certified, serving
from tests.support.issuer import API, CLIENT
from tests.support.kept import sign_in
from tests.support.people import HOME, RESOURCE
from tests.support.secret_service import SecretService

pytestmark = pytest.mark.process  # the interpreter finds the secret service by PYTHONPATH

DOWN = "https://localhost:1"
"""Where nobody listens."""


@pytest.fixture
def desktop(tmp_path: Path) -> SecretService:
    """Return a desktop's secret service, empty."""
    return SecretService(tmp_path)


@pytest.fixture
def certificate(tmp_path: Path) -> Certified:
    """Return a certificate for loopback."""
    return certified(tmp_path)


def keep(home: Home, desktop: SecretService, endpoint: str = DOWN, tenant_id: str = HOME) -> Path:
    """Sign in, with the token cache in the secret service; return the mark of that."""
    sign_in(home.environment, endpoint, tenant_id=tenant_id)
    plain = home.folder / "cache" / "tokens" / f"{tenant_id}.json"
    desktop.put(tenant_id, plain.read_text())
    plain.unlink()
    mark = plain.with_suffix(".libsecret")
    mark.touch(0o600)
    return mark


def test_a_kept_token_is_used(new_home: Home, desktop: SecretService, certificate: Certified) -> None:
    """A command takes the token from the secret service, and no file of ours has it."""
    with serving(certificate.files) as server:
        keep(new_home, desktop, server.url)
        server.will(answer(200, {"value": []}), answer(200, {"count": 0}))
        env = {**desktop.environment, "SSL_CERT_FILE": str(certificate.authority)}
        assert new_home.process("list", "-o", "json", env=env).json == []
        assert server.asked[0].headers["Authorization"] == "Bearer kept.in.cache"
    files = [path.read_text() for path in (new_home.folder / "cache").rglob("*") if path.is_file()]
    assert not [text for text in files if "kept.in.cache" in text]


def test_removing_the_profile_forgets_them(new_home: Home, desktop: SecretService) -> None:
    """`tenant remove` says that it forgets the tokens, and the secret service has none of them any more."""
    mark = keep(new_home, desktop)
    result = new_home.process("tenant", "remove", "contoso", "--yes", env=desktop.environment)

    assert result.code == 0
    assert "Forgot the sign-in to it on this machine." in result.err
    assert desktop.entry(HOME) == ""
    assert not mark.exists()


def test_removing_the_profile_forgets_a_plain_cache_and_what_was_set_aside(new_home: Home) -> None:
    """No file of the token cache is left, neither the cache nor a damaged one; a tenant without any says nothing."""
    sign_in(new_home.environment, DOWN)
    tokens = new_home.folder / "cache" / "tokens"
    (tokens / f"{HOME}.json.damaged-abcdef").write_text("kept.in.cache")
    new_home.add_tenant(RESOURCE, "fabrikam")
    assert "Forgot" not in new_home.run("tenant", "remove", "fabrikam", "--yes").err
    result = new_home.run("tenant", "remove", "contoso", "--yes")

    assert (result.code, "Forgot the sign-in to it on this machine." in result.err) == (0, True)
    assert list(tokens.iterdir()) == []


@pytest.mark.parametrize("command", [("tenant", "remove", "contoso", "--yes"), ("logout",)], ids=["remove", "logout"])
def test_what_cannot_be_forgotten_is_not_said_to_be(
    new_home: Home, desktop: SecretService, command: tuple[str, ...]
) -> None:
    """With the secret service locked nothing claims to be forgotten, and the profile stays, so that it can be later."""
    mark = keep(new_home, desktop)
    result = new_home.process(*command, env=desktop.locked)

    assert result.code == 1
    assert f"the tokens of tenant {HOME} are not forgotten" in result.err
    assert "Forgot " not in result.err
    assert mark.exists()
    assert "contoso" in new_home.run("tenant", "list").out
    assert new_home.process(*command, env=desktop.environment).code == 0
    assert desktop.entry(HOME) == ""


def test_logout_everywhere_goes_on_after_one_that_fails(new_home: Home, desktop: SecretService) -> None:
    """`logout --all` forgets what it can, names that, and fails for the tenant whose tokens stay."""
    mark = keep(new_home, desktop)
    sign_in(new_home.environment, DOWN, tenant_id=RESOURCE, alias="fabrikam")
    result = new_home.process("logout", "--all", env=desktop.locked)

    assert result.code == 1
    assert "Forgot the sign-in to fabrikam on this machine." in result.err
    assert HOME in result.err
    assert [path.name for path in mark.parent.iterdir()] == [mark.name]


def test_damaged_is_set_aside(new_home: Home, desktop: SecretService) -> None:
    """What is no token cache is set aside in one line, means signed out, and is forgotten with the rest."""
    mark = keep(new_home, desktop)
    desktop.put(HOME, "{")
    result = new_home.process("list", env=desktop.environment)

    assert result.code == 3
    assert "it was set aside as" in result.err
    assert "Try:   supportaccess login --tenant contoso" in result.err
    assert not mark.exists()
    assert new_home.process("logout", env=desktop.environment).code == 0
    assert desktop.entry(HOME) == ""
    assert [path for path in mark.parent.iterdir() if path.suffix != ".lock"] == []


def test_locked_is_not_damaged(new_home: Home, desktop: SecretService) -> None:
    """A secret service that is locked now is told, and the sign-in is there again when it is open."""
    mark = keep(new_home, desktop)
    kept = desktop.entry(HOME)
    result = new_home.process("list", env=desktop.locked)

    assert result.code == 3
    assert "the desktop's secret service does not give out the token cache" in result.err
    assert (mark.exists(), desktop.entry(HOME)) == (True, kept)
    assert new_home.process("login", "--check", env=desktop.environment).code == 0


@pytest.mark.parametrize("on_terminal", [True, False])
def test_locked_never_means_plaintext_by_itself(
    new_home: Home, desktop: SecretService, certificate: Certified, on_terminal: bool
) -> None:
    """A login where the secret service is locked asks, or is refused where nobody can answer; nothing is written."""
    document = {
        "apiVersion": "v1",
        "endpoint": "https://store.example.com",
        "authority": "https://login.microsoftonline.com",
        "clientId": CLIENT,
        "scopes": [f"api://{API}/AccessRequests.Use"],
    }
    with serving(certificate.files) as server:
        server.will(answer(200, msgspec.json.encode(document)))
        arguments = ("login", "--endpoint", server.url, "--tenant", HOME, "--with", "device-code")
        env = {**desktop.locked, "SSL_CERT_FILE": str(certificate.authority)}
        if on_terminal:
            screen = new_home.on_terminal(*arguments, answer="n\n", env=env, columns=200)
            code, said = screen.code, screen.text
        else:
            code, _, said = new_home.process(*arguments, env=env)

    assert code == 3
    assert "the desktop's secret service cannot be used: libsecret did not perform properly." in said
    assert "--allow-plaintext-cache" in said
    assert not new_home.config.exists()
    assert [path for path in (new_home.folder / "cache").rglob("*") if path.is_file()] == []
