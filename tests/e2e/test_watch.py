"""`watch` over a shared store that goes away, and with a sign-in that ends."""

from pathlib import Path

import pytest
from tests.cli.watching.watcher import BEGUN, watching
from tests.e2e.shared_store import ADMINISTRATOR, PROVIDER, OnSqlite, Person, SharedStore
from tests.support.identity_provider import IdentityProvider
from tests.support.people import HOME, RESOURCE


@pytest.fixture
def store(identity_provider: IdentityProvider, tmp_path: Path) -> SharedStore:
    """Return a store whose server is not running yet."""
    return SharedStore(tmp_path, OnSqlite(tmp_path), identity_provider)


def test_a_store_that_goes_away_is_waited_for(store: SharedStore) -> None:
    """It is said once that the store is away and once that it is back, and nothing is lost or told twice."""
    with store.running() as server:
        port = server.address[1]
        person = store.person("Ada", ADMINISTRATOR)
        watcher_context = watching(person, "--all-tenants", "--name", "all")
        watcher = watcher_context.__enter__()
        watcher.wait_for(BEGUN)
        store.raised("1")
        assert watcher.event()["supportRequestId"] == "1"
    try:
        away = [watcher.wait_for("http://") for _ in range(2)]
        with store.running(port=port):
            store.raised("2")
            assert watcher.event()["supportRequestId"] == "2"
            code, rest, said = watcher.end()
    finally:
        watcher_context.__exit__(None, None, None)

    assert sorted(tenant for line in away for tenant in (HOME, RESOURCE) if f"({tenant})" in line) == [HOME, RESOURCE]
    assert all("Waiting for it" in line for line in away)
    assert sum(line.startswith("http://") for line in [*watcher.said, *said.splitlines()]) == 2
    assert "The store answers again" in "\n".join([*watcher.said, said])
    assert (code, rest) == (0, [])


def test_a_sign_in_that_ends_is_exit_code_3(store: SharedStore) -> None:
    """Without a token, and once the token in the file is none any more, the watch ends and says what mends it."""
    with store.running():
        person = store.person("Ada", ADMINISTRATOR)
        tokens = person.folder / "tokens"
        tokens.write_text(person.tokens)
        tokens.chmod(0o600)
        signed_out = Person(person.folder, "", None)
        at_once = signed_out.run("watch", "--once")
        env = {"SUPPORTACCESS_ACCESS_TOKEN": "", "SUPPORTACCESS_ACCESS_TOKEN_FILE": str(tokens)}
        with watching(person, env=env) as watcher:
            watcher.wait_for(BEGUN)
            tokens.write_text("")
            code, _, said = watcher.finish()

    assert (at_once.code, code) == (3, 3)
    assert "there is no sign-in" in at_once.err
    assert "there is no sign-in" in said


def test_it_takes_the_right_to_read(store: SharedStore) -> None:
    """Who may not read requests is told so; of several tenants the others are watched on."""
    with store.running():
        nobody = store.person("Nobody", [])
        provider = store.person("Provider", PROVIDER, tenants=[HOME])
        refused = nobody.run("watch", "--once")
        some = provider.run("watch", "--once", "--all-tenants")

    assert refused.code == 4
    assert some.code == 7
    assert "fabrikam" in some.err
