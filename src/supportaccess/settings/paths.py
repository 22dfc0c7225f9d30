"""Where files live, and whether others can get at them."""

import os
import shlex
import stat
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
    name = shlex.quote(str(path))
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
