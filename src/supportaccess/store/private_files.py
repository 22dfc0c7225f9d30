"""Files that a store keeps beside its database, for its own account alone."""

import os
import stat
from contextlib import suppress
from pathlib import Path

from supportaccess.domain.errors import StoreRefused

_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


def make_folder(folder: Path) -> None:
    """Make a folder (0700), and the parents that are missing. Raises StoreRefused."""
    try:
        for each in [*reversed(folder.parents), folder]:
            if not each.is_dir():
                each.mkdir(mode=stat.S_IRWXU, exist_ok=True)
    except OSError as error:
        raise refused(folder, "made", error) from error


def read_bounded(path: Path, most: int) -> bytes | None:
    """Return a file's bytes, or None without the file. Raises StoreRefused, also for a symbolic link."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | _NO_FOLLOW), "rb") as file:
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
    temporary = _written(path, data)
    try:
        os.link(temporary, path)
        _sync(path.parent)
    except FileExistsError:
        return False
    except OSError as error:
        raise refused(path, "written", error) from error
    finally:
        with suppress(OSError):
            temporary.unlink()
    return True


def replace(path: Path, data: bytes) -> None:
    """Replace a file's bytes (0600), at once and durably. Raises StoreRefused."""
    temporary = _written(path, data)
    try:
        temporary.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise refused(path, "written", error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def refused(path: Path, act: str, error: OSError) -> StoreRefused:
    """Return the error for a file that the system does not let us use: `act` is what was tried."""
    return StoreRefused(
        f"{path} cannot be {act}: {error.strerror or error}", hint="The account that runs this needs the right to it."
    )


def _written(path: Path, data: bytes) -> Path:
    temporary = path.with_name(f".{path.name}.{os.urandom(8).hex()}.tmp")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW
        with os.fdopen(os.open(temporary, flags, stat.S_IRUSR | stat.S_IWUSR), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise refused(path, "written", error) from error
    return temporary


def _sync(folder: Path) -> None:
    if os.name == "nt":  # where a folder cannot be opened
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
