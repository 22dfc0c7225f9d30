"""Where people have to meet an authentication context to decide: asked at that moment, once, as they signed in."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.signing_in import at_terminal, by_browser, by_code, raised
from tests.support.chromium import Browser, browser, chromium
from tests.support.identity_provider import ADA, DAEMON_SECRET, HAL, IdentityProvider, identity_provider, object_id
from tests.support.issuer import DAEMON
from tests.support.people import HOME, RESOURCE
from tests.support.sign_in import Store, User, running

__all__ = ["browser", "chromium", "identity_provider"]

ASKS = "asks for a stronger sign-in to {} for this."


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, identity_provider: IdentityProvider) -> Iterator[Store]:
    """Run a store whose operator asks for a context, from people."""
    settings = f'decision_auth_context = "c1"\napp_only_may_decide = ["{DAEMON}"]'
    with running(tmp_path_factory.mktemp("store"), identity_provider, settings) as store:
        yield store


@pytest.fixture
def user(store: Store, tmp_path: Path) -> User:
    """Return an empty home."""
    return store.user(tmp_path / "home")


def to(user: User, tenant_id: str = HOME, alias: str = "contoso") -> tuple[str, ...]:
    where = ("--endpoint", user.shared.url, "--tenant", tenant_id, "--alias", alias)
    return ("login", *where, "--allow-plaintext-cache")


def stays_pending(user: User, full: str) -> None:
    assert user.run("show", full, "-o", "json").json["status"] == "pending"


def test_a_browser_is_opened_for_it_once(user: User, browser: Browser) -> None:
    """Reading asks for nothing; the first decision opens the page, and the next one is made with the same sign-in."""
    full = raised(user.shared, "by-browser")
    assert by_browser(user, browser, ADA, *to(user)).code == 0
    assert user.run("list", "--pending").code == 0

    with at_terminal(user, "approve", full, env={"BROWSER": str(browser.program)}) as terminal:
        terminal.wait_for("[y/N]")
        terminal.type("y\n")
        terminal.wait_for(ASKS.format("contoso"))
        browser.open_what_is_asked_for()
        assert browser.asks_who_it_is
        browser.sign_in(ADA)
        screen = terminal.finish()
    assert (screen.code, screen.text.count("stronger sign-in")) == (0, 1), screen.text

    revoked = user.on_terminal("revoke", full, answer="y\n")
    assert (revoked.code, "stronger" in revoked.text) == (0, False), revoked.text


def test_a_code_is_shown_for_it(user: User) -> None:
    """Who signed in with a code is asked with a code."""
    full = raised(user.shared, "by-code")
    assert by_code(user, ADA, *to(user)).code == 0

    screen = by_code(user, ADA, "approve", full, answer="y\n")
    assert (screen.code, ASKS.format("contoso") in screen.words) == (0, True), screen.text
    assert user.run("show", full, "-o", "json").json["status"] == "approved"


def test_in_a_pipe_nobody_can_be_asked(user: User) -> None:
    """Off a terminal the command ends with 3, says why and what mends it, and decides nothing."""
    full = raised(user.shared, "in-a-pipe")
    assert by_code(user, ADA, *to(user)).code == 0
    piped = user.run("approve", full, "--yes")

    assert (piped.code, piped.out) == (3, "")
    assert "the server asks for a stronger sign-in, and that needs a person" in piped.err
    assert "Run it on a terminal: it then asks you to sign in for this." in piped.err
    stays_pending(user, full)
    assert user.run("list").code == 0  # the sign-in that was there is as good as before


def test_it_can_be_declined(user: User, browser: Browser) -> None:
    """Cancel on the page: exit 3, nothing decided, and the sign-in that was there still reads."""
    full = raised(user.shared, "declined")
    assert by_browser(user, browser, ADA, *to(user)).code == 0
    with at_terminal(user, "approve", full, "--yes", env={"BROWSER": str(browser.program)}) as terminal:
        browser.open_what_is_asked_for()
        browser.cancel()
        screen = terminal.finish()

    assert (screen.code, "was declined" in screen.words) == (3, True), screen.text
    stays_pending(user, full)


def test_it_is_for_the_same_person(user: User, browser: Browser) -> None:
    """Somebody else who signs in at that moment does not decide in the first one's command."""
    full = raised(user.shared, "somebody-else")
    assert by_browser(user, browser, ADA, *to(user)).code == 0
    browser.forget()
    screen = by_browser(user, browser, HAL, "approve", full, "--yes")

    assert (screen.code, "that was another account" in screen.words) == (3, True), screen.text
    stays_pending(user, full)
    assert user.run("whoami", "-o", "json").json["account"] == ADA


def test_each_of_two_tenants_asks_once(user: User, browser: Browser) -> None:
    """An approval across tenants is asked for by both, one after the other, and made once."""
    full = raised(user.shared, "two-tenants", resource_tenant=RESOURCE)
    assert by_browser(user, browser, ADA, *to(user)).code == 0
    assert by_browser(user, browser, ADA, *to(user, RESOURCE, "fabrikam")).code == 0

    with at_terminal(
        user, "approve", full, "--tenant", "contoso", "--yes", env={"BROWSER": str(browser.program)}
    ) as terminal:
        for name in ("contoso", "fabrikam"):
            terminal.wait_for(ASKS.format(name))
            browser.open_what_is_asked_for()
            browser.sign_in(ADA)
        screen = terminal.finish()
    assert (screen.code, screen.text.count("stronger sign-in")) == (0, 2), screen.text
    assert user.run("show", full, "--tenant", "fabrikam", "-o", "json").json["status"] == "approved"


def test_an_application_is_not_asked(user: User) -> None:
    """One that may decide signs in as ever, and decides."""
    full = raised(user.shared, "application")
    secret = ("--with", "client-secret", "--client-id", DAEMON, "--secret-env", "SECRET")
    environment = {"SECRET": DAEMON_SECRET}
    assert user.run(*to(user), *secret, env=environment).code == 0
    done = user.run("approve", full, "--yes", env=environment)

    assert done.code == 0, done.err


def test_a_token_that_somebody_else_got(user: User) -> None:
    """A token of a client that cannot be asked is refused with what would do: exit 4."""
    full = raised(user.shared, "of-another-client")
    token = user.shared.provider.token(
        HOME, oid=object_id("Ada"), roles=["AccessRequests.Read", "AccessRequests.Decide"]
    )
    environment = {"SUPPORTACCESS_ACCESS_TOKEN": token, "SUPPORTACCESS_ENDPOINT": user.shared.url}
    refused = user.run("approve", full, "--yes", "--tenant", HOME, env=environment)

    assert refused.code == 4, refused.err
    assert re.search("authentication context c1.*cp1", refused.err, re.DOTALL)
