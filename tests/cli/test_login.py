"""Signing in at a real identity provider, and what a real server makes of it."""

import stat
import tomllib
from pathlib import Path

import msgspec
import pytest
from tests.cli.home import Result
from tests.cli.terminal import CTRL_C
from tests.support.identity_provider import ADA, DAEMON_SECRET, NORA, OTTO, identity_provider
from tests.support.issuer import API, CERTIFIED, CLIENT, DAEMON, SCOPE
from tests.support.people import HOME
from tests.support.sign_in import Store, User, store

__all__ = ["identity_provider", "store"]

pytestmark = pytest.mark.process


@pytest.fixture
def user(store: Store, tmp_path: Path) -> User:
    """Return the home of somebody new."""
    return store.user(tmp_path / "home")


def good(result: Result) -> Result:
    assert result.code == 0, result
    return result


class TestAPerson:
    def test_with_a_browser(self, user: User) -> None:
        """One command signs in; the next ones never ask again, and say who it is and until when."""
        said = good(user.login()).err

        assert f"Signed in to contoso ({HOME}) as {ADA}, by browser.\n" in said
        assert f"Tokens are kept in {user.cache()}, not encrypted.\n" in said
        assert "You may: AccessRequests.Read, AccessRequests.Decide.\n" in said
        me = good(user.run("whoami", "-o", "json")).json
        assert (me["account"], me["signedInBy"], me["clientId"]) == (ADA, "browser", CLIENT)
        assert me["actor"]["displayName"] == "Ada Administrator"
        assert me["tokenFrom"] == f"{user.cache()}, not encrypted"
        assert me["tokenEndsAt"].endswith("Z")
        assert {"permission": "AccessRequests.Decide", "grantedBy": ["AccessRequests.Decide"]} in me["permissions"]
        assert good(user.run("list", "-o", "json")).json == []
        assert "is good until" in good(user.run("login", "--check")).err

    def test_with_a_code(self, user: User) -> None:
        """Without a browser on this machine it is a code, and one line says so."""
        result = user.enter_code(
            "login", "--endpoint", user.shared.url, "--tenant", HOME, "--allow-plaintext-cache", login=OTTO
        )

        assert "There is no browser here, so the sign-in is by a code.\n" in good(result).err
        me = good(user.run("whoami", "-o", "json")).json
        assert (me["account"], me["signedInBy"]) == (OTTO, "device-code")

    def test_what_is_kept_is_for_this_account_alone_and_no_secret_is_in_the_profile(self, user: User) -> None:
        """Files are 0600 and folders 0700; the profile has what the endpoint said, and no token."""
        good(user.login())

        for folder in (user.config, user.folder / "cache"):
            for path in [folder, *folder.rglob("*")]:
                assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
        profile = tomllib.loads(user.profile().read_text())
        assert profile["client_id"] == profile["discovery"]["client_id"] == CLIENT
        assert profile["authority"] == user.shared.provider.authority
        assert profile["scopes"] == [f"api://{API}/{SCOPE}"]
        assert profile["sign_in"] == {"method": "browser", "send_chain": False}
        assert profile["account"]["name"] == ADA
        for secret in secrets(user.cache()):
            assert secret not in user.profile().read_text()

    def test_two_tenants_have_a_sign_in_each(self, user: User) -> None:
        """Each tenant has its own profile, cache and account; forgetting one leaves the other."""
        good(user.login())
        good(user.login(tenant="fabrikam", login=OTTO))

        assert good(user.run("whoami", "-t", "contoso", "-o", "json")).json["account"] == ADA
        assert good(user.run("whoami", "-t", "fabrikam", "-o", "json")).json["account"] == OTTO
        good(user.run("logout", "-t", "fabrikam"))
        assert user.run("list", "-t", "fabrikam").code == 3
        good(user.run("list", "-t", "contoso"))

    def test_somebody_without_a_role(self, user: User) -> None:
        """Who may do nothing there is told so at once."""
        said = good(user.login(login=NORA)).err

        assert "You may nothing there: ask who runs the store for a role.\n" in said

    def test_it_is_declined_on_the_page(self, user: User) -> None:
        """A sign-in that is declined says so, and nothing is kept."""
        result = user.login(login="nobody")

        assert result.code == 3
        assert "the consent was declined (AADSTS65004)" in result.err
        assert not user.profile().exists()
        assert not user.cache().exists()

    def test_ctrl_c_ends_the_wait(self, user: User) -> None:
        """Ctrl-C while the browser is waited for ends with 130."""
        arguments = ("login", "--endpoint", user.shared.url, "--tenant", HOME, "--allow-plaintext-cache")
        with user.terminal(*arguments, "--with", "browser", env={"BROWSER": "true %s &"}) as terminal:
            terminal.wait_for("Ctrl-C gives up.")
            terminal.type(CTRL_C)
            screen = terminal.finish()

        assert screen.code == 130
        assert not user.profile().exists()


class TestWhereTokensAreKept:
    def test_not_without_a_yes(self, user: User) -> None:
        """Where nothing encrypts, a person's sign-in is refused before it begins, with what allows it."""
        result = user.run("login", "--endpoint", user.shared.url, "--tenant", HOME, env=user.browsing())

        assert result.code == 3
        assert "Sign in in the browser" not in result.err
        assert f"supportaccess login --tenant {HOME} --allow-plaintext-cache" in result.err
        assert not user.profile().exists()

    @pytest.mark.parametrize("answer", ["y", "n"])
    def test_an_answer_is_a_yes(self, user: User, answer: str) -> None:
        """On a terminal it is asked, once; a no keeps nothing."""
        arguments = ("login", "--endpoint", user.shared.url, "--tenant", HOME, "--with", "browser")
        screen = user.on_terminal(*arguments, answer=f"{answer}\n", env=user.browsing(), columns=200)

        assert screen.code == (0 if answer == "y" else 3), screen.text
        assert user.cache().exists() == (answer == "y")
        if answer == "y":
            again = user.on_terminal("login", env=user.browsing())
            assert again.code == 0
            assert "[y/N]" not in again.text

    def test_the_setting_is_a_yes(self, user: User) -> None:
        """config.toml can allow it for all tenants."""
        user.config.mkdir(mode=0o700)
        (user.config / "config.toml").write_text("allow_plaintext_cache = true\n")

        good(user.run("login", "--endpoint", user.shared.url, "--tenant", HOME, env=user.browsing()))


class TestAnApplication:
    def test_with_a_secret_from_a_variable(self, user: User) -> None:
        """What is kept is the variable's name; without a cache every command signs in anew."""
        arguments = ("--with", "client-secret", "--client-id", DAEMON, "--secret-env", "MY_SECRET")
        env = {"MY_SECRET": DAEMON_SECRET}
        result = good(user.run("login", "--endpoint", user.shared.url, "--tenant", HOME, *arguments, env=env))

        assert "every command signs in anew" in result.err
        assert DAEMON_SECRET not in user.profile().read_text()
        assert not user.cache().exists()
        me = good(user.run("whoami", "-o", "json", env=env)).json
        assert (me["actor"]["kind"], me["signedInBy"], me["clientId"]) == ("application", "client-secret", DAEMON)
        missing = user.run("whoami")
        assert missing.code == 3
        assert "the variable MY_SECRET has no client secret" in missing.err

    def test_with_a_secret_from_a_file(self, user: User) -> None:
        """A file with the secret is for its owner alone."""
        secret = user.folder / "secret"
        secret.write_text(f"{DAEMON_SECRET}\n")
        secret.chmod(0o644)
        arguments = ("--endpoint", user.shared.url, "--tenant", HOME, "--with", "client-secret", "--client-id", DAEMON)
        refused = user.run("login", *arguments, "--secret-file", "secret")
        assert refused.code == 3
        assert "can be read by others" in refused.err

        secret.chmod(0o600)
        good(user.run("login", *arguments, "--secret-file", "secret", "--allow-plaintext-cache"))
        assert DAEMON_SECRET not in user.cache().read_text()
        secret.unlink()
        good(user.run("list"))  # by the token that is kept

    def test_with_a_secret_from_standard_input(self, user: User) -> None:
        """A piped secret is used once and kept nowhere, so its token has to be."""
        arguments = ("--with", "client-secret", "--client-id", DAEMON, "--secret-file", "-")
        where = ("--endpoint", user.shared.url, "--tenant", HOME)
        refused = user.run("login", *where, *arguments, stdin=DAEMON_SECRET)
        assert (refused.code, user.profile().exists()) == (3, False)

        good(user.run("login", *where, *arguments, "--allow-plaintext-cache", stdin=f"{DAEMON_SECRET}\n"))
        good(user.run("list"))
        assert DAEMON_SECRET not in user.profile().read_text() + user.cache().read_text()

    def test_a_wrong_secret(self, user: User) -> None:
        """A wrong secret is told from other troubles, and never printed."""
        arguments = ("--with", "client-secret", "--client-id", DAEMON, "--secret-env", "MY_SECRET")
        where = ("--endpoint", user.shared.url, "--tenant", HOME)
        result = user.run("login", *where, *arguments, env={"MY_SECRET": "not-the-right-one"})

        assert result.code == 3
        assert "not-the-right-one" not in result.err
        assert not user.profile().exists()

    @pytest.mark.parametrize("kind", ["pem", "pfx"])
    def test_with_a_certificate(self, user: User, kind: str) -> None:
        """A PEM file does, and a PFX file with a passphrase."""
        made = user.shared.provider.certificate
        file = made.pem if kind == "pem" else made.pfx
        passphrase = ("--passphrase-env", "PASS") if kind == "pfx" else ()
        arguments = ("--with", "certificate", "--client-id", CERTIFIED, "--certificate", str(file), *passphrase)
        where = ("--endpoint", user.shared.url, "--tenant", HOME)
        good(user.run("login", *where, *arguments, "--send-chain", env={"PASS": made.passphrase}))

        me = good(user.run("whoami", "-o", "json", env={"PASS": made.passphrase})).json
        assert (me["signedInBy"], me["clientId"]) == ("certificate", CERTIFIED)

    def test_it_says_as_which_application(self, user: User) -> None:
        """An application never signs in as the one in which people do."""
        where = ("--endpoint", user.shared.url, "--tenant", HOME)
        result = user.run("login", *where, "--with", "client-secret", "--secret-env", "S", env={"S": "x"})

        assert result.code == 2
        assert "--client-id ID" in result.err


def secrets(cache: Path) -> list[str]:
    """Return every secret of a token cache."""
    kept = msgspec.json.decode(cache.read_bytes())
    return [entry["secret"] for entries in kept.values() for entry in entries.values() if "secret" in entry]
