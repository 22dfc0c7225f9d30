"""What `supportaccess doctor` says of the sign-in to a shared store, and of the tokens that are kept."""

from pathlib import Path

import pytest
from tests.cli.home import Home
from tests.cli.test_doctor_shared import READER, certificate, discovery, failures, named, remote, run, server
from tests.cli.test_login import good, secrets, user
from tests.signin.test_access_tokens import token
from tests.store.http.scripted import Certified, Server, answer
from tests.support.identity_provider import ADA, DAEMON_SECRET, identity_provider
from tests.support.issuer import DAEMON
from tests.support.people import HOME
from tests.support.sign_in import User, store

__all__ = ["certificate", "identity_provider", "remote", "server", "store", "user"]

pytestmark = pytest.mark.process

NOBODY = {"SUPPORTACCESS_ACCESS_TOKEN": ""}
ENDS = 4_000_000_000  # 2096-10-02 09:06 where the tests are


def kept(home: Home, suffix: str, mode: int = 0o600) -> Path:
    """Put a token cache where it would be; what is in it is nobody's business here."""
    path = home.folder / "cache" / "tokens" / f"{HOME}{suffix}"
    for folder in (path.parent.parent, path.parent):
        folder.mkdir(0o700)
    path.write_text("canary")
    path.chmod(mode)
    return path


def allowed(server: Server) -> None:
    server.will(discovery(server), answer(200, READER), answer(200, {"count": 1}))


class TestTokenCache:
    def test_none_yet(self, remote: Home, server: Server, certificate: Certified) -> None:
        """Before the first login there is nothing to protect; how to sign in is told."""
        server.will(discovery(server))
        check = named(run(remote, certificate, env=NOBODY))["token cache"]

        assert (check["result"], check["mend"]) == ("skipped", "supportaccess login --tenant contoso")

    def test_none_is_needed(self, remote: Home, server: Server, certificate: Certified) -> None:
        """Whoever brings a token keeps none, and is not told to log in."""
        allowed(server)
        check = named(run(remote, certificate))["token cache"]

        assert check["result"] == "skipped"
        assert "SUPPORTACCESS_ACCESS_TOKEN" in check["message"]
        assert "mend" not in check

    def test_unencrypted_by_choice(self, remote: Home, server: Server, certificate: Certified) -> None:
        """A file for this account alone passes, and says that nothing encrypts it, in a pipe and on a terminal."""
        path = kept(remote, ".json")
        allowed(server)
        result = run(remote, certificate)
        check = named(result)["token cache"]

        assert (result.code, check["result"]) == (0, "passed")
        assert check["message"] == f"{path}, not encrypted, by explicit choice; it is for your account alone (0600)"

        allowed(server)
        env = {"SUPPORTACCESS_ACCESS_TOKEN": token(HOME), "SSL_CERT_FILE": str(certificate.authority)}
        screen = remote.on_terminal("doctor", env=env, columns=250)
        assert screen.code == 0
        assert "passed   token cache" in screen.text
        assert "not encrypted, by explicit choice" in screen.text

    @pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
    def test_that_others_can_read(self, remote: Home, server: Server, certificate: Certified, mode: int) -> None:
        """A file that is open to others fails, with the mode that mends it and the login that makes new tokens."""
        path = kept(remote, ".json", mode)
        allowed(server)
        result = run(remote, certificate)
        check = named(result)["token cache"]

        assert (result.code, check["result"]) == (1, "failed")
        assert f"{mode:04o}" in check["message"]
        assert check["mend"].startswith(f"chmod 600 {path} ")
        assert check["mend"].endswith("supportaccess login --tenant contoso")

        path.chmod(0o600)
        allowed(server)
        assert failures(run(remote, certificate)) == []

    @pytest.mark.parametrize(
        ("suffix", "by"),
        [
            (".bin", "a file that Windows encrypts for this account"),
            (".keychain", "the Keychain"),
            (".libsecret", "the desktop's secret service"),
        ],
    )
    def test_encrypted(self, remote: Home, server: Server, certificate: Certified, suffix: str, by: str) -> None:
        """What encrypts the tokens is named."""
        kept(remote, suffix)
        allowed(server)
        check = named(run(remote, certificate))["token cache"]

        assert (check["result"], check["message"]) == ("passed", f"encrypted: it is in {by}")

    def test_is_checked_where_the_store_is_not_reached(self, new_home: Home, certificate: Certified) -> None:
        """What lies on this machine is looked at also when nobody answers."""
        new_home.run("tenant", "set", HOME, "--endpoint", "https://localhost:1")
        kept(new_home, ".json", 0o644)

        assert "token cache" in {check["name"] for check in failures(run(new_home, certificate))}


class TestSignIn:
    def test_by_a_token_from_elsewhere(self, remote: Home, server: Server, certificate: Certified) -> None:
        """As whom, where the token is from and when it says that it ends."""
        allowed(server)
        given = {"SUPPORTACCESS_ACCESS_TOKEN": token(HOME, exp=ENDS)}
        message = named(run(remote, certificate, env=given))["sign-in"]["message"]

        assert message == (
            "you are Ada (ada-id) there, by an access token that somebody else got; "
            "the token is from SUPPORTACCESS_ACCESS_TOKEN, good until 2096-10-02 09:06 +02:00"
        )

    def test_of_a_person(self, user: User) -> None:
        """Who signed in, by what, where the token is kept and until when; no part of a token, also on a terminal."""
        good(user.login())
        result = good(user.run("doctor", "-o", "json"))
        message = named(result)["sign-in"]["message"]

        assert (
            f", signed in by browser as {ADA}; the token is from {user.cache()}, not encrypted, good until 2" in message
        )
        assert message.startswith("you are Ada Administrator (")
        assert named(result)["token cache"]["result"] == "passed"
        screen = user.on_terminal("doctor", columns=300)
        assert (screen.code, f"signed in by browser as {ADA}" in screen.text) == (0, True)
        assert not [secret for secret in secrets(user.cache()) if secret in result.out + result.err + screen.text]

    def test_of_an_application(self, user: User) -> None:
        """A pipeline's sign-in is told with how, and that it keeps no token."""
        env = {
            "SUPPORTACCESS_ENDPOINT": user.shared.url,
            "SUPPORTACCESS_TENANT": HOME,
            "SUPPORTACCESS_CLIENT_ID": DAEMON,
            "SUPPORTACCESS_CLIENT_SECRET": DAEMON_SECRET,
        }
        result = user.run("doctor", "-o", "json", env=env)
        checks = named(result)

        assert "signed in by client-secret; the token is from this command's own" in checks["sign-in"]["message"]
        assert checks["token cache"]["message"].endswith("one signs in by client-secret")
        assert DAEMON_SECRET not in result.out + result.err
