"""Where files live, and how they are written so that nobody else can read them."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self

from supportaccess.domain.errors import InvalidInput, StoreRefused

FOLDERS = {
    "config": "SUPPORTACCESS_CONFIG_DIR",
    "data": "SUPPORTACCESS_DATA_DIR",
    "cache": "SUPPORTACCESS_CACHE_DIR",
}
"""The variable that names each folder instead of the system's usual one."""


class Paths(NamedTuple):
    """The program's three folders. None of them need exist."""

    config: Path
    data: Path
    cache: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Return the usual folders of this system, or those that SUPPORTACCESS_*_DIR name.

        Raises InvalidInput for a relative path.
        """
        from platformdirs import PlatformDirs

        usual = PlatformDirs("supportaccess", appauthor=False)
        return cls(
            config=_folder(environment, FOLDERS["config"], usual.user_config_dir),
            data=_folder(environment, FOLDERS["data"], usual.user_data_dir),
            cache=_folder(environment, FOLDERS["cache"], usual.user_cache_dir),
        )

    @property
    def store(self) -> Path:
        """The embedded store."""
        return self.data / "store.db"

    @property
    def keys(self) -> Path:
        """The key that signs the embedded store's audit logs, and the last checkpoints that it signed."""
        return self.data / "keys"

    @property
    def logs(self) -> Path:
        """What is remembered of the audit logs that were seen."""
        return self.data / "logs"


def _folder(environment: Mapping[str, str], variable: str, usual: str) -> Path:
    path = Path(environment.get(variable) or usual)
    if not path.is_absolute():
        raise InvalidInput(
            f"the folder {str(path)!r} is not an absolute path",
            hint=f"Set {variable} to an absolute path.",
        )
    return path


def private_folder(path: Path) -> None:
    """Create a folder, and the parents that are missing, for this account alone. Raises StoreRefused."""
    try:
        _make_folder(path)
    except OSError as error:
        raise refused(path, "created", error) from error


def _make_folder(path: Path) -> None:
    # Not `mkdir(parents=True)`: that gives the parents the rights of the umask.
    if not path.is_dir():
        _make_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)


def write_private(path: Path, data: bytes) -> None:
    """Replace a file's contents at once and durably; only this account may read it. Raises StoreRefused.

    A reader sees the old contents or the new, also after a crash. A symbolic link is replaced, not followed.
    """
    temporary = path.with_name(f".{path.name}.{os.urandom(8).hex()}.tmp")
    try:
        _write_new(temporary, data)
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise refused(path, "written", error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _write_new(path: Path, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    if os.name == "nt":  # where a folder cannot be opened
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def refused(path: Path, act: str, error: OSError) -> StoreRefused:
    """Return the error for a file or folder that the system does not let us use: `act` is what was tried."""
    hint = "Your account needs the right to it; see whose it is." if isinstance(error, PermissionError) else None
    return StoreRefused(f"{path} cannot be {act}: {error.strerror or error}", hint=hint)
