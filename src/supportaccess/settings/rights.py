"""Whether others can get at our files: for `doctor`."""

import os
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path

from supportaccess.settings.paths import Paths


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
