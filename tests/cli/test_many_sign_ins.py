"""Several tenants side by side, at a terminal: whoever would have to sign in is never asked to in the middle of it."""

from base64 import b64encode, urlsafe_b64decode
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.cli.test_doctor_shared import discovery
from tests.cli.test_login import good, user
from tests.store.http.scripted import Handler, Server, Step, answer, refuse, serving
from tests.support.identity_provider import identity_provider
from tests.support.people import HOME, RESOURCE
from tests.support.sign_in import User, store

__all__ = ["identity_provider", "store", "user"]

pytestmark = pytest.mark.process

CLAIMS = b'{"access_token":{"acrs":{"essential":true,"value":"c1"}}}'
CHALLENGE = f'Bearer realm="", error="insufficient_claims", claims="{b64encode(CLAIMS).decode()}"'
STRONGER = refuse(401, "NotSignedIn", "more than that", {"WWW-Authenticate": CHALLENGE})
EMPTY = answer(200, {"value": []})
LOGIN = "supportaccess login --tenant contoso"


@pytest.fixture
def server() -> Iterator[Server]:
    """Return a server that says what a test wants."""
    with serving() as server:
        yield server


@pytest.fixture
def both(user: User, server: Server) -> User:
    """Return somebody who signed in to two tenants by a browser, and whose stores ask what a test wants."""
    for tenant, tenant_id in (("contoso", HOME), ("fabrikam", RESOURCE)):
        good(user.login(tenant=tenant))
        path = user.profile(tenant_id)
        path.write_text(path.read_text().replace(user.shared.url, server.url))
    return user


def by_tenant(handler: Handler) -> None:
    """Ask contoso for more, and answer fabrikam."""
    payload = handler.headers["Authorization"].split(".")[1]
    claims = msgspec.json.decode(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    (STRONGER if claims["tid"] == HOME else EMPTY)(handler)


def opened(user: User) -> list[Path]:
    """Return the traces of browsers that were opened since."""
    found = sorted(user.folder.glob("browser-*.log"))
    for path in found:
        path.unlink()
    return found


@pytest.mark.parametrize("command", ["list", "audit log"])
def test_a_stronger_sign_in_is_that_tenants_failure(both: User, server: Server, command: str) -> None:
    """No browser is opened; the tenant fails with the login to run, the other one is listed, and the exit code is 7."""
    opened(both)
    server.will(by_tenant, by_tenant)
    screen = both.on_terminal(*command.split(), "--all-tenants", env=both.browsing(), columns=300)

    assert screen.code == 7, screen.text
    assert "that needs a person" in screen.text
    assert f"Try:   {LOGIN}" in screen.text
    assert "asks for a stronger sign-in to" not in screen.text
    assert opened(both) == []
    assert "1 of 2 tenants failed" in screen.text


def test_the_doctor_asks_nobody(both: User, server: Server) -> None:
    """The doctor, which looks from other threads, tells that check as failed with the login, and opens nothing."""
    opened(both)
    steps: list[Step] = [discovery(server), STRONGER]
    server.will(*steps)
    screen = both.on_terminal("doctor", "--tenant", "contoso", env=both.browsing(), columns=300)

    assert screen.code == 1, screen.text
    assert "failed   sign-in" in screen.text
    assert LOGIN in screen.text
    assert opened(both) == []


def test_one_tenant_alone_is_asked(both: User, server: Server) -> None:
    """A command for one tenant, at the same terminal, does let its person sign in."""
    opened(both)
    server.will(STRONGER, EMPTY, answer(200, {"count": 0}))
    screen = both.on_terminal("list", "--tenant", "contoso", env=both.browsing(), columns=300)

    assert (screen.code, "asks for a stronger sign-in to contoso" in screen.text) == (0, True), screen.text
    assert len(opened(both)) == 1


def test_a_sign_in_that_has_ended_is_that_tenants_failure(user: User) -> None:
    """A sign-in that was revoked fails for its tenant alone, with the login to run and exit 7, also at a terminal."""
    good(user.login(tenant="fabrikam"))
    with user.shared.provider.behaving(HOME, lifetime=200):
        good(user.login())
    opened(user)
    user.shared.provider.revoke_refresh_tokens(HOME)
    screen = user.on_terminal("list", "--all-tenants", env=user.browsing(), columns=300)

    assert screen.code == 7, screen.text
    assert f"Try:   {LOGIN}" in screen.text
    assert "1 of 2 tenants failed" in screen.text
    assert opened(user) == []
