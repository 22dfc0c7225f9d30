"""Where Windows and macOS encrypt token caches: msal-extensions' classes over systems that are not here."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest
from tests.support.issuer import API, CLIENT
from tests.support.people import HOME

from supportaccess.errors import NotSignedIn, StoreRefused
from supportaccess.settings.sign_in import Method, SignIn
from supportaccess.signin.cache import TokenCache
from supportaccess.signin.method import Request, sign_in
from supportaccess.signin.registration import Registration
from supportaccess.signin.renewal import memory
from supportaccess.signin.token_storage import DataProtection, Keychain, PlainFile, encrypted, forget_all, found

CACHE = '{"AccessToken": {}}'


class Windows:
    """What encrypts for one account: here by turning bytes around, with a mark in front."""

    account = b"ada:"

    def protect(self, message: str) -> bytes:
        return self.account + message.encode()[::-1]

    def unprotect(self, cipher_text: bytes) -> str:
        if not cipher_text.startswith(self.account):
            raise OSError(13, "The data is invalid.")
        return cipher_text.removeprefix(self.account)[::-1].decode()


class KeychainError(OSError):
    ITEM_NOT_FOUND = -25300

    def __init__(self, exit_status: int) -> None:
        super().__init__(f"exit status {exit_status}")
        self.exit_status = exit_status


class TheKeychain:
    """What the Keychain holds, by service and account."""

    items: ClassVar[dict[tuple[str, str], str]] = {}
    refuses = 0

    def __enter__(self) -> "TheKeychain":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def get_generic_password(self, service: str, account_name: str) -> str:
        if self.refuses or (service, account_name) not in self.items:
            raise KeychainError(self.refuses or KeychainError.ITEM_NOT_FOUND)
        return self.items[service, account_name]

    def set_generic_password(self, service: str, account_name: str, value: str) -> None:
        if self.refuses:
            raise KeychainError(self.refuses)
        self.items[service, account_name] = value


@pytest.fixture(autouse=True)
def systems(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let msal-extensions find what Windows and macOS have."""
    windows: Any = ModuleType("msal_extensions.windows")
    windows.WindowsDataProtectionAgent = Windows
    mac: Any = ModuleType("msal_extensions.osx")
    mac.Keychain, mac.KeychainError = TheKeychain, KeychainError
    monkeypatch.setitem(sys.modules, "msal_extensions.windows", windows)
    monkeypatch.setitem(sys.modules, "msal_extensions.osx", mac)
    monkeypatch.setattr(TheKeychain, "items", {})


class TestDataProtection:
    def test_what_is_kept_is_encrypted(self, tmp_path: Path) -> None:
        """It comes back as it was, the file has it encrypted, and forgetting removes that."""
        place, why = encrypted(tmp_path, HOME, system="win32")
        assert isinstance(place, DataProtection)
        assert (why, place.load()) == ("", "")
        place.save(CACHE)

        again = found(tmp_path, HOME)
        assert isinstance(again, DataProtection)
        assert again.load() == CACHE
        assert b"AccessToken" not in again.path.read_bytes()
        assert forget_all(tmp_path, HOME)
        assert not again.path.exists()

    def test_of_another_account_is_set_aside(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What cannot be decrypted any more is set aside, said once, and means signed out."""
        place, _ = encrypted(tmp_path, HOME, system="win32")
        assert place is not None
        place.save(CACHE)
        monkeypatch.setattr(Windows, "account", b"otto:")
        said: list[str] = []

        assert TokenCache(place, said.append).read() == ""
        assert len(said) == 1
        assert "cannot be decrypted" in said[0]
        assert "You are signed out there." in said[0]
        assert (place.path.exists(), len(place.asides())) == (False, 1)

    def test_what_is_not_encrypted_is_not_written(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """When Windows encrypts nothing, the tokens are kept nowhere, and the command goes on."""
        place, _ = encrypted(tmp_path, HOME, system="win32")
        assert place is not None

        def fails(_: object, __: str) -> bytes:
            raise OSError(5, "Access is denied.")

        monkeypatch.setattr(Windows, "protect", fails)
        said: list[str] = []
        TokenCache(place, said.append).write(CACHE)

        assert "good for this command alone" in said[0]
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


class TestKeychain:
    def test_it_is_kept_under_our_own_name(self, tmp_path: Path) -> None:
        """The Keychain has it under this program's name and the tenant's; the file is an empty mark."""
        place, why = encrypted(tmp_path, HOME, system="darwin")
        assert isinstance(place, Keychain)
        assert (why, place.load()) == ("", "")
        place.save(CACHE)

        assert TheKeychain.items == {("supportaccess", HOME): CACHE}
        assert place.path.read_bytes() == b""
        again = found(tmp_path, HOME)
        assert isinstance(again, Keychain)
        assert again.load() == CACHE
        assert forget_all(tmp_path, HOME)
        assert TheKeychain.items == {("supportaccess", HOME): ""}
        assert not place.path.exists()

    def test_an_entry_that_somebody_removed_is_none(self, tmp_path: Path) -> None:
        """A mark without an entry means signed out."""
        place, _ = encrypted(tmp_path, HOME, system="darwin")
        assert place is not None
        place.save(CACHE)
        TheKeychain.items.clear()

        assert place.load() == ""

    def test_one_that_refuses(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """One that is locked keeps what it has: reading, writing and forgetting fail, and nothing is set aside."""
        place, _ = encrypted(tmp_path, HOME, system="darwin")
        assert place is not None
        place.save(CACHE)
        monkeypatch.setattr(TheKeychain, "refuses", -25308)
        said: list[str] = []

        with pytest.raises(NotSignedIn, match="-25308"):
            TokenCache(place, said.append).read()
        TokenCache(place, said.append).write("{}")
        with pytest.raises(StoreRefused, match="not forgotten"):
            forget_all(tmp_path, HOME)
        assert ["good for this command alone" in text for text in said] == [True]
        assert place.path.exists()
        assert TheKeychain.items == {("supportaccess", HOME): CACHE}
        assert not PlainFile(place.path.parent, HOME).path.exists()


@pytest.mark.parametrize("system", ["darwin", "linux"])
def test_a_system_without_its_store_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str) -> None:
    """Where the store's library is missing there is no encrypted place, and the reason names what is missing."""
    monkeypatch.setitem(sys.modules, "msal_extensions.osx", None)
    monkeypatch.setitem(sys.modules, "msal_extensions.libsecret", None)
    place, why = encrypted(tmp_path, HOME, system=system)

    assert place is None
    assert {"darwin": "the Keychain", "linux": "PyGObject"}[system] in why


def test_a_broker_without_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the broker's library the message says what to install; nothing is asked over the network."""
    monkeypatch.setitem(sys.modules, "pymsalruntime", None)
    microsofts = Registration(HOME, CLIENT, "https://login.microsoftonline.com", (f"api://{API}/Use",))
    said: list[str] = []

    with pytest.raises(NotSignedIn, match="not installed") as refused:
        sign_in(
            Request(
                how=SignIn(method=Method.BROKER),
                registration=microsofts,
                cache=memory(""),
                environment={},
                say=said.append,
            )
        )
    assert refused.value.hint == "pip install 'supportaccess[broker]'"
    assert said == []
