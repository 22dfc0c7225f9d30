"""Where a tenant's token cache is kept: encrypted by the operating system, or as plain text after an explicit yes."""

import os
import stat
import sys
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from supportaccess.errors import NotSignedIn, StoreRefused, SupportAccessError
from supportaccess.private_files import make_folder, refused, write_private

_LARGEST = 4 * 1024 * 1024
_SERVICE = "supportaccess"


class Damaged(SupportAccessError):
    """What is kept there is no token cache, or cannot be decrypted any more."""


class Place(ABC):
    """Where the token cache of one tenant is. `path` is the file, or a mark that the system's own store has it."""

    suffix: ClassVar[str]
    title: ClassVar[str]
    is_encrypted: ClassVar[bool] = True

    def __init__(self, folder: Path, tenant_id: str) -> None:
        self.tenant_id = tenant_id
        self.path = folder / f"{tenant_id}{self.suffix}"

    @property
    def description(self) -> str:
        """What to call it to a person."""
        return self.title

    @abstractmethod
    def load(self) -> str:
        """Return what is kept; nothing at all is the empty text. Raises Damaged, StoreRefused, NotSignedIn."""

    @abstractmethod
    def save(self, text: str) -> None:
        """Keep it instead of what was there. Raises StoreRefused."""

    def forget(self) -> None:
        """Keep nothing any more. Raises StoreRefused."""
        _unlink(self.path)

    def set_aside(self) -> Path:
        """Put what is damaged out of the way, and return where it is now."""
        aside = self.path.with_name(f"{self.path.name}.damaged-{os.urandom(3).hex()}")
        with suppress(OSError):
            self.path.replace(aside)
        return aside

    def asides(self) -> list[Path]:
        """Return what was put out of the way."""
        return list(self.path.parent.glob(f"{self.path.name}.damaged-*"))


class PlainFile(Place):
    """A file that this account alone may read, and everything that runs as it can."""

    suffix = ".json"
    title = "a file that is not encrypted"
    is_encrypted = False

    @property
    def description(self) -> str:
        """What to call it to a person."""
        return f"{self.path}, not encrypted"

    def load(self) -> str:
        """Return what is kept."""
        return _read(self.path).decode("utf-8", "replace")

    def save(self, text: str) -> None:
        """Keep it instead of what was there."""
        make_folder(self.path.parent)
        write_private(self.path, text.encode())


class DataProtection(Place):
    """A file that Windows encrypts for this account on this machine (DPAPI)."""

    suffix = ".bin"
    title = "a file that Windows encrypts for this account"

    def load(self) -> str:
        """Return what is kept."""
        data = _read(self.path)
        try:
            return str(self._agent().unprotect(data)) if data else ""
        except OSError as error:  # another account, another machine, or a password that was reset
            raise Damaged(f"{self.path} cannot be decrypted: {error}") from error

    def save(self, text: str) -> None:
        """Keep it instead of what was there."""
        make_folder(self.path.parent)
        try:
            data = self._agent().protect(text)
        except OSError as error:
            raise refused(self.path, "encrypted", error) from error
        write_private(self.path, data)

    def _agent(self) -> Any:
        from msal_extensions.windows import WindowsDataProtectionAgent

        return WindowsDataProtectionAgent()


class _SystemStore(Place):
    """A secret store of the operating system, reached by msal-extensions. The file is a mark, and holds no secret."""

    def load(self) -> str:
        """Return what is kept."""
        if not self.path.exists():
            return ""
        from msal_extensions.persistence import PersistenceNotFound

        try:
            return str(self.persistence().load())
        except PersistenceNotFound:
            return ""
        except Exception as error:  # each system raises its own; locked is not damaged, so nothing is set aside
            raise NotSignedIn(
                f"{self.title} does not give out the token cache: {_first_line(error)}",
                hint="Unlock it, or sign in anew: supportaccess login",
            ) from error

    def save(self, text: str) -> None:
        """Keep it instead of what was there."""
        make_folder(self.path.parent)
        # The mark is made here: what msal-extensions makes has the rights of the umask.
        os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600))
        try:
            self.persistence().save(text)
        except Exception as error:
            raise NotSignedIn(f"{self.title} does not take the token cache: {_first_line(error)}") from error

    def forget(self) -> None:
        """Keep nothing any more. Neither system has a way to remove an entry here: an empty one holds nothing."""
        try:
            self.save("")
        except SupportAccessError as error:  # the mark stays: what it stands for is still there
            raise StoreRefused(
                f"the tokens of tenant {self.tenant_id} are not forgotten: {error.message}",
                hint=f"Try again where {self.title} is open; or remove its entry {_SERVICE!r} there, and {self.path}.",
            ) from error
        super().forget()

    @abstractmethod
    def persistence(self) -> Any:
        """Return msal-extensions' way to the store. Raises what it raises where there is none."""


class Keychain(_SystemStore):
    """The Keychain of macOS."""

    suffix = ".keychain"
    title = "the Keychain"

    def persistence(self) -> Any:
        """Return msal-extensions' way to the Keychain, under our own service name."""
        from msal_extensions.persistence import KeychainPersistence

        return KeychainPersistence(str(self.path), service_name=_SERVICE, account_name=self.tenant_id)


class Libsecret(_SystemStore):
    """The secret service of a Linux desktop."""

    suffix = ".libsecret"
    title = "the desktop's secret service"

    def persistence(self) -> Any:
        """Return msal-extensions' way to the secret service."""
        from msal_extensions.persistence import LibsecretPersistence

        return LibsecretPersistence(
            str(self.path), schema_name=_SERVICE, attributes={"tenant": self.tenant_id}, label=f"{_SERVICE} tokens"
        )


KINDS: tuple[type[Place], ...] = (PlainFile, DataProtection, Keychain, Libsecret)


def folder_of(cache: Path) -> Path:
    """Return the folder of the token caches, below the program's cache folder."""
    return cache / "tokens"


def every(cache: Path, tenant_id: str) -> list[Place]:
    """Return all places in which a tenant's token cache may be."""
    return [kind(folder_of(cache), tenant_id) for kind in KINDS]


def found(cache: Path, tenant_id: str) -> Place | None:
    """Return where a tenant's token cache is; None when it has none."""
    return next((place for place in every(cache, tenant_id) if place.path.exists()), None)


def forget_all(cache: Path, tenant_id: str) -> bool:
    """Forget a tenant's tokens wherever they are; tell whether there were any. Raises StoreRefused."""
    kept = [place for place in every(cache, tenant_id) if place.path.exists() or place.asides()]
    failed: list[SupportAccessError] = []
    for place in kept:
        try:
            place.forget()
            for aside in place.asides():
                _unlink(aside)
        except SupportAccessError as error:
            failed.append(error)
    if failed:
        raise failed[0]
    return bool(kept)


def tenants_with_tokens(cache: Path) -> list[str]:
    """Return the tenants that have a token cache."""
    suffixes = {kind.suffix for kind in KINDS}
    with suppress(OSError):
        return sorted({path.stem for path in folder_of(cache).iterdir() if path.suffix in suffixes})
    return []


def encrypted(cache: Path, tenant_id: str, *, system: str = sys.platform) -> tuple[Place | None, str]:
    """Return where this system encrypts a token cache, or None and why it cannot."""
    folder = folder_of(cache)
    match system:
        case "win32":
            return DataProtection(folder, tenant_id), ""
        case "darwin":
            return _tried(Keychain(folder, tenant_id))
        case _:
            return _tried(Libsecret(folder, tenant_id))


def _tried(place: _SystemStore) -> tuple[Place | None, str]:
    make_folder(place.path.parent)
    try:
        place.persistence()  # of libsecret's it is a trial, too
    except ImportError:
        return None, f"{place.title} needs PyGObject and libsecret, which this Python does not have"
    except Exception as error:  # noqa: BLE001 - each system raises its own
        return None, f"{place.title} cannot be used: {_first_line(error)}"
    return place, ""


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            _check_rights(path, os.fstat(file.fileno()))
            data = file.read(_LARGEST + 1)
    except FileNotFoundError:
        return b""
    except IsADirectoryError:
        raise Damaged(f"{path} is a folder") from None
    except OSError as error:
        raise refused(path, "read", error) from error
    if len(data) > _LARGEST:
        raise Damaged(f"{path} is larger than any token cache")
    return data


def _check_rights(path: Path, status: os.stat_result) -> None:
    """Raise NotSignedIn for a file that others can read. On Windows the folder's rights are inherited."""
    if os.name != "nt" and status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise NotSignedIn(
            f"{path} can be read by others, so the tokens in it are not used",
            hint=f"chmod 600 {path}; better: supportaccess logout, and login anew: they may have been read.",
        )


def _unlink(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise refused(path, "removed", error) from error
