"""From an empty home: sign in, decide, sign out, in every way that can be tried, on a real store and provider."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.signing_in import SUBJECT, Machine, Vouching, by_browser, by_code, machines, raised, vouching
from tests.support.chromium import Browser, browser, chromium
from tests.support.identity_provider import ADA, IdentityProvider, identity_provider
from tests.support.issuer import CERTIFIED, DAEMON, FEDERATED, Issuer
from tests.support.issuer import running as running_issuer
from tests.support.people import HOME
from tests.support.sign_in import Store, User, running

__all__ = ["browser", "chromium", "identity_provider"]

LOGIN = ("login", "--alias", "contoso", "--tenant", HOME, "--endpoint")
MACHINES = ("client-secret", "certificate", "certificate in PFX", "token-file", "github", "azure-pipelines")


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    """Return an issuer of assertions."""
    with running_issuer(tmp_path_factory.mktemp("issuer")) as issuer:
        yield issuer


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, identity_provider: IdentityProvider) -> Iterator[Store]:
    """Run a store in which these applications may decide, too."""
    deciders = ", ".join(f'"{client}"' for client in (DAEMON, CERTIFIED, FEDERATED))
    folder = tmp_path_factory.mktemp("store")
    with running(folder, identity_provider, f"app_only_may_decide = [{deciders}]") as store:
        yield store


@pytest.fixture
def user(store: Store, tmp_path: Path) -> User:
    """Return an empty home."""
    return store.user(tmp_path / "home")


@pytest.fixture
def jobs(issuer: Issuer, identity_provider: IdentityProvider, tmp_path: Path) -> Iterator[Vouching]:
    """Run the services that vouch for jobs."""
    with vouching(issuer, identity_provider, tmp_path) as jobs:
        yield jobs


class TestAPerson:
    """On a terminal, step by step, with all that is seen there."""

    def test_with_a_browser(self, user: User, browser: Browser) -> None:
        """The page opens by itself; afterwards every command just works, until one signs out."""
        said = by_browser(user, browser, ADA, *LOGIN, user.shared.url, answer="y\n")
        assert (said.code, f"Signed in to contoso ({HOME}) as {ADA}, by browser." in said.text) == (0, True), said.text

        self.decides_and_signs_out(user, "browser")

    def test_with_a_code(self, user: User) -> None:
        """Where no browser can be opened a code is shown, and why; it is entered on the provider's pages."""
        said = by_code(user, ADA, *LOGIN, user.shared.url, answer="y\n")
        assert (said.code, f"Signed in to contoso ({HOME}) as {ADA}, by device-code." in said.text) == (0, True)
        assert "There is no browser here, so the sign-in is by a code." in said.words

        self.decides_and_signs_out(user, "device-code")

    def decides_and_signs_out(self, user: User, method: str) -> None:
        ticket = f"by {method}".replace(" ", "-")
        full = raised(user.shared, ticket)
        me = user.on_terminal("whoami", columns=200)
        assert me.code == 0, me.text
        for shown in ("Ada Administrator", ADA, method, "AccessRequests.Decide, by AccessRequests.Decide"):
            assert shown in me.text
        assert user.run("login", "--check").code == 0

        approved = user.on_terminal("approve", ticket, "--for", "1h", answer="y\n")
        assert approved.code == 0, approved.text
        (row,) = [line for line in user.on_terminal("list", "--approved", columns=200).lines if ticket in line]
        assert "approved" in row
        assert user.on_terminal("revoke", full[:8], answer="y\n").code == 0
        assert user.run("show", full, "-o", "json").json["endedBy"]["displayName"] == "Ada Administrator"

        out = user.on_terminal("logout", columns=200)
        assert (out.code, "Forgot the sign-in to contoso on this machine." in out.text) == (0, True)
        after = user.run("list")
        assert (after.code, after.out) == (3, "")
        assert "supportaccess login --tenant contoso" in after.err


@pytest.mark.parametrize("name", MACHINES)
def test_an_application(user: User, jobs: Vouching, name: str) -> None:
    """In a pipeline: nobody is there, nothing is asked, and the decision is the application's."""
    machine = machines(user.shared.provider, jobs)[name]
    full = raised(user.shared, f"by-{name.replace(' ', '-')}")
    first = machine.login(user)
    assert (first.code, first.out) == (0, ""), first.err
    assert f"Signed in to contoso ({HOME}) as {machine.client_id}" in first.err

    me = user.run("whoami", "-o", "json", env=machine.environment).json
    assert (me["actor"]["kind"], me["clientId"]) == ("application", machine.client_id)
    for arguments in (("approve", full, "--yes"), ("revoke", full, "--yes", "--reason", "done")):
        done = user.run(*arguments, "-o", "json", "--query", "[0].status", env=machine.environment)
        assert done.code == 0, done.err
    listed = user.run("list", "--approved", "-o", "json", env=machine.environment).json
    (record,) = [each for each in listed if each["id"] == full]
    assert (record["status"], record["endedBy"]["kind"]) == ("revoked", "application")
    assert user.run("logout", env=machine.environment).code == 0
    no_secret_is_kept(user, machine)


def no_secret_is_kept(user: User, machine: Machine) -> None:
    kept = b"".join(path.read_bytes() for path in user.folder.rglob("*") if path.is_file())
    for secret in machine.environment.values():
        assert secret.encode() not in kept, secret


def test_the_services_are_asked_as_they_are_documented(user: User, jobs: Vouching) -> None:
    """GitHub is asked with the audience of the exchange, Azure Pipelines for its service connection."""
    for name in ("github", "azure-pipelines"):
        assert machines(user.shared.provider, jobs)[name].login(user).code == 0

    asked = {method: (path, headers) for method, path, headers in jobs.asked}
    path, headers = asked["GET"]
    assert path.endswith("?api-version=2&audience=api%3A%2F%2FAzureADTokenExchange")
    assert headers["Authorization"].lower() == "bearer of the job"
    path, headers = asked["POST"]
    assert path.endswith("?api-version=7.1&serviceConnectionId=a%20service%20connection")
    assert (headers["Authorization"], headers["X-TFS-FedAuthRedirect"]) == ("Bearer of the job", "Suppress")


@pytest.mark.parametrize(
    ("changes", "number"),
    [({"sub": "repo:evil/fork:ref:refs/heads/main"}, "700213"), ({"exp": 2}, "700024"), ({"iss": SUBJECT}, "700213")],
)
def test_an_assertion_that_is_not_taken(user: User, jobs: Vouching, changes: dict[str, object], number: str) -> None:
    """Another repository's, an old one, another issuer's: exit 3, with what to check, and nothing is kept."""
    machine = machines(user.shared.provider, jobs)["token-file"]
    jobs.file().write_text(jobs.assertion(**changes))
    refused = machine.login(user)

    assert refused.code == 3
    assert f"AADSTS{number}" in refused.err
    assert "Try: " in refused.err
    assert not user.profile().exists()
