"""What an endpoint says of signing in: who is meant without a name, for how long it is good, and when it is down."""

import tomllib
from datetime import timedelta
from pathlib import Path

import pytest
from tests.cli.home import Home
from tests.cli.test_login import good
from tests.support.identity_provider import DAEMON_SECRET, IdentityProvider, identity_provider
from tests.support.issuer import DAEMON
from tests.support.kept import sign_in
from tests.support.people import HOME, RESOURCE
from tests.support.sign_in import User, running

__all__ = ["identity_provider"]

DOWN = "https://nowhere.invalid"
SECRET = {"MY_SECRET": DAEMON_SECRET}
BY_SECRET = ("--with", "client-secret", "--client-id", DAEMON, "--secret-env", "MY_SECRET")


def discovery(user: User) -> dict[str, object]:
    told: dict[str, object] = tomllib.loads(user.profile().read_text())["discovery"]
    return told


@pytest.mark.process
def test_what_the_server_is_set_to_say(tmp_path: Path, identity_provider: IdentityProvider) -> None:
    """Its default tenant is whom a login without a name is for; its seconds are for how long its word is kept.

    When the endpoint is down later, a command goes by what it said, tells so and since when, and signs in.
    """
    (tmp_path / "store").mkdir()
    settings = f'default_tenant = "{RESOURCE.upper()}"\ndiscovery_seconds = 3600'
    with running(tmp_path / "store", identity_provider, settings) as store:
        user = store.user(tmp_path / "home")
        said = good(user.run("login", "--endpoint", store.url, *BY_SECRET, env=SECRET)).err
        assert f"Signed in to {RESOURCE} as {DAEMON}, by client-secret." in said
        text = user.profile(RESOURCE).read_text()
        told = tomllib.loads(text)["discovery"]
        assert told["stale_at"] - told["fetched_at"] == timedelta(hours=1)

        for name in ("fetched_at", "stale_at"):
            kept = told[name].isoformat().replace("+00:00", "Z")
            assert f"{name} = {kept}" in text
            text = text.replace(f"{name} = {kept}", f"{name} = 2026-01-01T00:00:00Z")
        user.profile(RESOURCE).write_text(text.replace(f'store = "{store.url}"', f'store = "{DOWN}"'))
        result = good(user.run("login", "--check", env=SECRET))

    assert f"Going by what {DOWN} said of signing in on 2026-01-01: {DOWN}: there is no such host" in result.err
    assert "is good until" in result.err
    assert "fetched_at = 2026-01-01T00:00:00Z" in user.profile(RESOURCE).read_text()


def test_logout_everywhere(new_home: Home) -> None:
    """`logout --all` forgets every tenant's tokens, also of one without a profile any more; then there are none."""
    sign_in(new_home.environment, DOWN)
    sign_in(new_home.environment, DOWN, tenant_id=RESOURCE, alias="fabrikam")
    (new_home.config / "tenants" / f"{RESOURCE}.toml").unlink()
    both = new_home.run("logout", "--all", "--tenant", "contoso")
    assert (both.code, "cannot be combined" in both.err) == (2, True)
    result = new_home.run("logout", "--all")

    assert result.code == 0
    assert "Forgot the sign-in to " in result.err
    assert "contoso" in result.err
    assert RESOURCE in result.err
    assert list((new_home.folder / "cache" / "tokens").iterdir()) == []
    assert "account" not in (new_home.config / "tenants" / f"{HOME}.toml").read_text()
    again = new_home.run("logout", "--all")
    assert (again.code, "There was no sign-in to forget." in again.err) == (0, True)


@pytest.mark.parametrize(
    "setting", ['default_tenant = "99999999-0000-4000-8000-000000000009"', "discovery_seconds = 59"]
)
def test_settings_that_cannot_be(new_home: Home, setting: str) -> None:
    """A default tenant that is not served, and a word that is good for no minute, are refused by their names."""
    settings = new_home.folder / "server.toml"
    settings.write_text(
        f'[identity]\ntenants = ["{HOME}"]\nclient_id = "{DAEMON}"\n{setting}\n[database]\nsqlite = "store.db"\n'
    )
    result = new_home.run("serve", "--check", "--config", str(settings))

    assert result.code == 2
    assert setting.partition(" ")[0] in result.err
