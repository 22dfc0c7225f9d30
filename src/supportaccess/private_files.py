"""Files and folders that this account alone may read, written whole or not at all."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from supportaccess.errors import StoreRefused

_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)


def make_folder(path: Path) -> None:
    """Make a folder (0700), and the parents that are missing. Raises StoreRefused."""
    try:
        # Not `mkdir(parents=True)`: that gives the parents the rights of the umask.
        for each in [*reversed(path.parents), path]:
            if not each.is_dir():
                each.mkdir(mode=stat.S_IRWXU, exist_ok=True)
    except OSError as error:
        raise refused(path, "created", error) from error


def open_to_read(path: Path, *, follow: bool = False) -> BufferedReader:
    """Open a file, but not through a symbolic link, and no pipe that somebody left there. Raises OSError.

    `follow` is for a file that the user named, which may be either.
    """
    if follow:
        return path.open("rb")
    return os.fdopen(os.open(path, os.O_RDONLY | _NO_FOLLOW | _NO_WAIT), "rb")


def read_bounded(path: Path, most: int, *, follow: bool = False) -> bytes | None:
    """Return a file's bytes, or None without the file. Raises StoreRefused, for a symbolic link unless `follow`."""
    try:
        with open_to_read(path, follow=follow) as file:
            data = file.read(most + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise refused(path, "read", error) from error
    if len(data) > most:
        raise StoreRefused(f"{path} is larger than {most:,} bytes: it is not what this program wrote")
    return data


def write_new(path: Path, data: bytes) -> bool:
    """Write a file (0600) unless there is one already, and say whether it was written. Raises StoreRefused."""
    try:
        with new_file(path) as file:
            file.write(data)
    except FileExistsError:
        return False
    return True


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Write a new file (0600) bit by bit. It is there, whole and durable, once the block ends well, and else not.

    Raises FileExistsError when there is one already, and StoreRefused.
    """
    temporary = _beside(path)
    try:
        with _open_new(temporary) as file:
            yield file
        os.link(temporary, path)
        _sync(path.parent)
    except FileExistsError:
        raise
    except OSError as error:
        raise refused(path, "written", error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_private(path: Path, data: bytes) -> None:
    """Replace a file's contents (0600), at once and durably. Raises StoreRefused.

    A reader sees the old contents or the new, also after a crash. A symbolic link is replaced, not followed.
    """
    temporary = _beside(path)
    try:
        with _open_new(temporary) as file:
            file.write(data)
        temporary.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise refused(path, "written", error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def refused(path: Path, act: str, error: OSError) -> StoreRefused:
    """Return the error for a file or folder that the system does not let us use: `act` is what was tried."""
    hint = "Your account needs the right to it; see whose it is." if isinstance(error, PermissionError) else None
    return StoreRefused(f"{path} cannot be {act}: {error.strerror or error}", hint=hint)


def _beside(path: Path) -> Path:
    """Return another name in the same folder. Raises StoreRefused for what names no file, such as `.`."""
    if not path.name:
        raise refused(path, "written", IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)))
    return path.with_name(f".{path.name}.{os.urandom(8).hex()}.tmp")


@contextmanager
def _open_new(path: Path) -> Iterator[BinaryIO]:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW
    with os.fdopen(os.open(path, flags, stat.S_IRUSR | stat.S_IWUSR), "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    if os.name == "nt":  # where a folder cannot be opened
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
