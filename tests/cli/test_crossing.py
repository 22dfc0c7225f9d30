"""Approving across two tenants of a shared store: which sign-in is missing is told before the question."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.home import Home
from tests.cli.test_login import good
from tests.cli.test_shared_store import page, remote, server
from tests.e2e.signing_in import raised
from tests.signin.test_access_tokens import token
from tests.store.http.scripted import Server
from tests.support.identity_provider import IdentityProvider, identity_provider
from tests.support.people import HOME, RESOURCE
from tests.support.sign_in import Store, User, running

from supportaccess.domain.records import AccessRequest

__all__ = ["identity_provider", "remote", "server"]

OTHER = "https://other.example.com"
OURS = {"SUPPORTACCESS_ACCESS_TOKEN": token(HOME)}


@pytest.fixture
def crossing(remote: Home) -> AccessRequest:
    """Return a request of contoso about data in fabrikam."""
    record = remote.crossing(RESOURCE)
    (remote.config / "tenants" / f"{RESOURCE}.toml").unlink(missing_ok=True)
    return record


def told(home: Home, server: Server, record: AccessRequest, code: int) -> str:
    """Try to approve, in a pipe and on a terminal; nothing may be asked of the person, and nothing sent."""
    server.will(page([record]), page([record]))
    piped = home.run("approve", record.id, "--yes", env=OURS)
    screen = home.on_terminal("approve", record.id, env=OURS, columns=300)

    assert (piped.code, piped.out, screen.code) == (code, "", code)
    assert "[y/N]" not in screen.text
    assert {asked.method for asked in server.asked} == {"GET"}
    assert f"Try:   supportaccess login --tenant {RESOURCE} --endpoint {server.url}\n" in piped.err
    assert f"supportaccess login --tenant {RESOURCE} --endpoint {server.url}" in screen.text
    return piped.err


def test_without_a_profile(remote: Home, server: Server, crossing: AccessRequest) -> None:
    """Without a profile of the resource tenant: exit 4, and how to sign in there."""
    assert f"there is no sign-in to the resource tenant {RESOURCE}" in told(remote, server, crossing, 4)


@pytest.mark.parametrize(("endpoint", "where"), [(OTHER, OTHER), ("embedded", "the embedded store")])
def test_with_another_endpoint(
    remote: Home, server: Server, crossing: AccessRequest, endpoint: str, where: str
) -> None:
    """A profile for another store is no proof: exit 4, and a sentence that names both stores."""
    remote.run("tenant", "set", RESOURCE, "--alias", "fabrikam", "--endpoint", endpoint)
    err = told(remote, server, crossing, 4)

    assert f"this one is in {server.url}, and the profile of fabrikam ({RESOURCE}) is for {where}" in err


def test_without_a_sign_in(remote: Home, server: Server, crossing: AccessRequest) -> None:
    """A profile without a sign-in: exit 3, before the question."""
    remote.run("tenant", "set", RESOURCE, "--alias", "fabrikam", "--endpoint", server.url)
    err = told(remote, server, crossing, 3)

    assert "takes a sign-in to the resource tenant too: " in err
    assert f"no access token of tenant {RESOURCE}" in err


def test_an_embedded_request_and_a_shared_profile(home: Home) -> None:
    """A request on this machine is not approved by who is of the resource tenant elsewhere; what mends it is told."""
    home.run("tenant", "set", RESOURCE, "--endpoint", OTHER)
    record = home.crossing(RESOURCE)
    refused = home.run("approve", record.id, "--yes")

    assert refused.code == 4
    assert f"this one is in the embedded store, and the profile of {RESOURCE} is for {OTHER}" in refused.err
    assert f"supportaccess tenant set {RESOURCE} --endpoint embedded" in refused.err
    assert home.get(record.id) == record


@pytest.fixture
def store(tmp_path: Path, identity_provider: IdentityProvider) -> Iterator[Store]:
    """Run a store of two tenants, with tokens too short to be used twice."""
    folder = tmp_path / "store"
    folder.mkdir()
    with running(folder, identity_provider) as store:
        yield store


@pytest.mark.process
def test_a_sign_in_that_has_ended(store: Store, tmp_path: Path) -> None:
    """A sign-in to the resource tenant that was revoked is told before the question; a new one opens the way."""
    user: User = store.user(tmp_path / "home")
    good(user.login())
    with store.provider.behaving(RESOURCE, lifetime=200):
        good(user.login(tenant="fabrikam"))
    request = raised(store, "T-1", resource_tenant=RESOURCE)
    store.provider.revoke_refresh_tokens(RESOURCE)
    screen = user.on_terminal("approve", request, "-t", "contoso", columns=300)

    assert (screen.code, "[y/N]" in screen.text) == (3, False)
    assert "takes a sign-in to the resource tenant too: no sign-in to fabrikam" in screen.text
    assert f"supportaccess login --tenant {RESOURCE} --endpoint {store.url}" in screen.text
    good(user.login(tenant="fabrikam"))
    good(user.run("approve", request, "-t", "contoso", "--yes"))
