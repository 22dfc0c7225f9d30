"""Where files live, and whether others can get at them."""

import os
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Self

from supportaccess.errors import InvalidInput

FOLDERS = {
    "config": "SUPPORTACCESS_CONFIG_DIR",
    "data": "SUPPORTACCESS_DATA_DIR",
    "cache": "SUPPORTACCESS_CACHE_DIR",
}
"""The variable that names each folder instead of the system's usual one."""
PROGRAM = "supportaccess"
_XDG = {"config": ".config", "data": ".local/share", "cache": ".cache"}
"""https://specifications.freedesktop.org/basedir-spec/latest/: below the home folder."""


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
        folders = (Path(environment.get(variable) or _usual(kind)) for kind, variable in FOLDERS.items())
        return cls(*map(_absolute, folders, FOLDERS.values()))

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


def _usual(kind: str) -> Path:
    """Return the system's usual folder: what platformdirs says, which takes as long to load as a list to be read."""
    if sys.platform == "linux":
        base, home = os.environ.get(f"XDG_{kind.upper()}_HOME", ""), os.environ.get("HOME", "")
        if base.startswith("/"):
            return Path(base, PROGRAM)
        if home.startswith("/"):
            return Path(home.rstrip("/") or "/", _XDG[kind], PROGRAM)
    from platformdirs import PlatformDirs

    return Path(getattr(PlatformDirs(PROGRAM, appauthor=False), f"user_{kind}_dir"))


def _absolute(path: Path, variable: str) -> Path:
    if not path.is_absolute():
        raise InvalidInput(
            f"the folder {str(path)!r} is not an absolute path",
            hint=f"Set {variable} to an absolute path.",
        )
    return path


def check_rights(paths: Paths) -> list[tuple[Path, str]]:
    """Return what lies in our folders and is open to others, each with a sentence that ends in what mends it.

    On Windows there is nothing to check: the folders are in the user's profile and inherit its rights.
    """
    # A set: on some systems two of the folders are one, or one is inside another.
    ours = {path for folder in (paths.config, paths.data, paths.cache) for path in _walk(folder)}
    return [(path, trouble) for path in sorted(ours) if (trouble := trouble_of(path))]


def _walk(folder: Path) -> Iterator[Path]:
    yield folder
    for place, folders, files in os.walk(folder):
        yield from (Path(place, name) for name in folders + files)


def trouble_of(path: Path) -> str | None:
    """Return how a file or folder is open to others, in a sentence that ends in what mends it; None if it is not."""
    if os.name == "nt":
        return None
    try:
        status = path.lstat()
    except OSError:
        return None  # not there, or gone meanwhile
    from shlex import quote  # for the hint alone

    name = quote(str(path))
    if stat.S_ISLNK(status.st_mode):
        return f"It is a symbolic link: put what it leads to in its place, then: chmod go= {name}"
    wanted = 0o700 if stat.S_ISDIR(status.st_mode) else 0o600
    mode = status.st_mode & 0o777
    mend = f"chmod {wanted:o} {name}"
    if status.st_uid != os.geteuid():
        return f"It belongs to another account (user ID {status.st_uid}): sudo chown {os.geteuid()} {name} && {mend}"
    if mode & ~wanted:
        return f"Its mode is {mode:04o} and may be at most {wanted:04o}: {mend}"
    return None
