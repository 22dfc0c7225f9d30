"""Writes a file that was not there before: whole, or not at all."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from supportaccess.errors import StoreRefused


def write_new(path: Path, parts: Iterable[bytes]) -> None:
    """Write the parts to a new file that only this account can read. Raises StoreRefused; nothing is left behind then.

    A file that is there already is left alone, also one that comes while this one is written.
    """
    if os.path.lexists(path):
        raise _there(path)
    temporary = path.with_name(f".{path.name}.{os.urandom(8).hex()}.tmp")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        _give_name(temporary, path)
    except FileExistsError:
        raise _there(path) from None
    except OSError as error:
        raise StoreRefused(f"{path} cannot be written: {error.strerror or error}", hint="Name another place.") from None
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _give_name(temporary: Path, path: Path) -> None:
    """Let the file have its name, unless somebody else's has it. Raises FileExistsError, OSError."""
    if os.name == "nt":  # where renaming never replaces
        temporary.rename(path)
    else:
        path.hardlink_to(temporary)


def _there(path: Path) -> StoreRefused:
    return StoreRefused(f"{path} exists already and was left alone", hint="Name another file.")
