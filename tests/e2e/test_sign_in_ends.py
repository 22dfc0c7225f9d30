"""Sign-ins that end, or never come about: each says why, what mends it, and ends with its exit code, and in time."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.cli.home import Result
from tests.cli.terminal import CTRL_C
from tests.e2e.signing_in import at_terminal, by_browser, by_code, raised
from tests.support.chromium import Browser, browser, chromium
from tests.support.identity_provider import (
    ADA,
    DAEMON_SECRET,
    HAL,
    NORA,
    IdentityProvider,
    identity_provider,
    new_provider,
)
from tests.support.issuer import DAEMON
from tests.support.people import FOREIGN, HOME, RESOURCE
from tests.support.sign_in import Store, User, running

__all__ = ["browser", "chromium", "identity_provider"]

UNKNOWN = "99999999-9999-4999-8999-999999999999"
ALIASES = {HOME: "contoso", RESOURCE: "fabrikam", FOREIGN: "foreign", UNKNOWN: "unknown"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, identity_provider: IdentityProvider) -> Iterator[Store]:
    """Run a store of two tenants."""
    with running(tmp_path_factory.mktemp("store"), identity_provider) as store:
        yield store


@pytest.fixture
def user(store: Store, tmp_path: Path) -> User:
    """Return an empty home."""
    return store.user(tmp_path / "home")


def to(user: User, tenant_id: str = HOME) -> tuple[str, ...]:
    """Return the first login to a tenant, which is allowed to keep its tokens."""
    where = ("--endpoint", user.shared.url, "--tenant", tenant_id, "--alias", ALIASES[tenant_id])
    return ("login", *where, "--allow-plaintext-cache")


def signed_in(user: User, login: str = ADA) -> User:
    """Return the user once they have signed in with a code."""
    said = by_code(user, login, *to(user))
    assert said.code == 0, said.text
    return user


def refused(result: Result, code: int, *words: str) -> None:
    """Hold that a command ended with a code, said these words and no traceback, and nothing where data goes."""
    assert (result.code, result.out) == (code, ""), result
    said = " ".join(result.err.split())
    for each in words:
        assert each in said
    assert "Traceback" not in result.err


def test_a_token_that_ended_is_renewed_unnoticed(user: User) -> None:
    """With a refresh token nobody is asked again, and nothing is said of it."""
    with user.shared.provider.behaving(HOME, lifetime=60):
        signed_in(user)
    renewed = user.run("whoami", "-o", "json")

    assert (renewed.code, renewed.err) == (0, "")
    assert datetime.fromisoformat(renewed.json["tokenEndsAt"]) > datetime.now(UTC) + timedelta(minutes=30)


@pytest.mark.parametrize(
    ("end", "number", "why"),
    [("revoke", 50173, "the sign-in was revoked"), ("expire", 700082, "was not used for too long")],
)
def test_a_refresh_token_that_ended(user: User, browser: Browser, end: str, number: int, why: str) -> None:
    """Revoked or unused for too long: exit 3 with the command that mends it, and that command does."""
    provider = user.shared.provider
    with provider.behaving(HOME, lifetime=60):
        signed_in(user)
        getattr(provider, f"{end}_refresh_tokens")(HOME)
        for command in (["list"], ["login", "--check"], ["show", "abcd"]):
            refused(user.run(*command), 3, why, f"AADSTS{number}", "Try: supportaccess login --tenant contoso ")

    again = by_browser(user, browser, ADA, "login", "--tenant", "contoso", "--with", "browser")
    assert again.code == 0, again.text
    assert user.run("list").code == 0


class TestAWrongTenant:
    """Four ways in which the tenant is not the right one."""

    def test_the_account_is_not_in_it(self, user: User, browser: Browser) -> None:
        """The page says so; whoever cancels there is back at the prompt, and nothing was kept."""
        with at_terminal(user, *to(user, RESOURCE), env={"BROWSER": str(browser.program)}) as terminal:
            browser.open_what_is_asked_for()
            assert "AADSTS50034" in browser.try_to_sign_in(HAL)
            browser.cancel()
            screen = terminal.finish()

        assert screen.code == 3
        assert "no sign-in to fabrikam: the consent was declined" in screen.words
        assert not user.profile(RESOURCE).exists()

    def test_there_is_no_such_tenant(self, user: User) -> None:
        """The authority does not know it: exit 3, and what to check."""
        refused(user.run(*to(user, UNKNOWN)), 3, UNKNOWN)
        assert not user.profile(UNKNOWN).exists()

    def test_the_store_does_not_serve_it(self, user: User) -> None:
        """The sign-in is good, and the store does not take it: exit 3, and who can mend that."""
        said = by_code(user, ADA, *to(user, FOREIGN))

        assert said.code == 3
        assert "its tenant (tid) is not one that this server serves" in said.words

    def test_the_token_is_of_another(self, user: User) -> None:
        """A token that says it is of another tenant is not taken for this one's."""
        with user.shared.provider.behaving(HOME, claims={"tid": RESOURCE}):
            said = by_code(user, ADA, *to(user))

        assert said.code == 3
        assert "Traceback" not in said.text


def test_a_missing_role(user: User) -> None:
    """Somebody without a role signs in, is told at once, and every command says which role would do: exit 4."""
    said = by_code(user, NORA, *to(user))
    assert (said.code, "You may nothing there" in said.words) == (0, True)

    full = raised(user.shared, "without-a-role")
    refused(user.run("list"), 4, "AccessRequests.Read", "app role")
    refused(user.run("approve", full, "--yes"), 4)


@pytest.mark.parametrize(("skew", "why"), [(600, "not valid yet"), (-7200, "it has expired")])
def test_clocks_that_differ(tmp_path: Path, skew: int, why: str) -> None:
    """Where the authority's clock is wrong the store takes no token, and says that it is about time: exit 3."""
    (tmp_path / "store").mkdir()
    with new_provider(skew=skew) as provider, running(tmp_path / "store", provider) as store:
        user = store.user(tmp_path / "home")
        secret = ("--with", "client-secret", "--client-id", DAEMON, "--secret-env", "SECRET")
        refused(user.run(*to(user), *secret, env={"SECRET": DAEMON_SECRET}), 3, why)


def test_clocks_that_differ_a_little(tmp_path: Path) -> None:
    """Half a minute does no harm."""
    (tmp_path / "store").mkdir()
    with new_provider(skew=30) as provider, running(tmp_path / "store", provider) as store:
        assert signed_in(store.user(tmp_path / "home")).run("list").code == 0


class TestAProviderThatHangs:
    """It takes the connection and says nothing."""

    def test_a_login_ends_in_time(self, user: User) -> None:
        """Exit 8 with what did not answer, and nothing is kept."""
        provider = user.shared.provider
        with provider.behaving(HOME, hangs=True):
            refused(user.run(*to(user)), 8, provider.authority)
        assert not user.profile().exists()

    def test_a_renewal_ends_in_time(self, user: User) -> None:
        """A command that needs a new token ends with 8, and works again when the provider does."""
        provider = user.shared.provider
        with provider.behaving(HOME, lifetime=60):
            signed_in(user)
        with provider.behaving(HOME, hangs=True):
            refused(user.run("list"), 8, provider.authority)
        assert user.run("list").code == 0

    def test_ctrl_c_ends_the_wait(self, user: User) -> None:
        """Nobody has to wait for it: exit 130, without a traceback."""
        provider = user.shared.provider
        with provider.behaving(HOME, lifetime=60):
            signed_in(user)
        with provider.behaving(HOME, hangs=True), at_terminal(user, "list") as terminal:
            provider.wait_until_it_holds_one(HOME)
            terminal.type(CTRL_C)
            screen = terminal.finish()
        assert (screen.code, "Traceback" in screen.text) == (130, False)
        assert user.run("list").code == 0


def test_a_provider_whose_certificate_is_unknown(store: Store, tmp_path: Path) -> None:
    """Who trusts the store alone is told whose certificate it is, and what mends it: exit 8."""
    user = store.user(tmp_path / "home")
    user = replace(user, trusted=user.trusted.with_name("authority.pem"))

    refused(user.run(*to(user)), 8, store.provider.authority, "certificate", "SSL_CERT_FILE")
    assert not user.profile().exists()


def test_every_sign_in_is_forgotten(user: User) -> None:
    """`logout --all` leaves no token of any tenant, and the profiles say how to sign in again."""
    signed_in(user)
    assert by_code(user, ADA, *to(user, RESOURCE)).code == 0
    out = user.run("logout", "--all")

    assert out.code == 0
    assert all(name in out.err for name in ("contoso", "fabrikam"))
    assert list(user.tokens.glob("*.json")) == []
    for name in ("contoso", "fabrikam"):
        refused(user.run("list", "--tenant", name), 3, f"supportaccess login --tenant {name}")
