"""Secrets by where they are: a variable, a file that this account alone may read. Never an argument, never kept."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from supportaccess.errors import NotSignedIn

_LARGEST = 64 * 1024


def secret(what: str, environment: Mapping[str, str], *, variable: str | None, file: str | None) -> str | None:
    """Return a secret; None when it is nowhere said to be. Raises NotSignedIn for one that cannot be had."""
    if variable is not None:
        value = environment.get(variable, "").strip()
        if not value:
            raise NotSignedIn(f"the variable {variable} has no {what}", hint=f"Set {variable}.")
        return value
    return read_secret(what, Path(file)) if file is not None else None


def read_secret(what: str, path: Path) -> str:
    """Return what a file holds, without the end of its last line. Raises NotSignedIn."""
    try:
        with path.open("rb") as opened:
            check_rights(what, path, os.fstat(opened.fileno()))
            text = opened.read(_LARGEST).decode()
    except OSError as error:
        raise NotSignedIn(f"{path}, with the {what}, cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError:
        raise NotSignedIn(f"{path} holds no {what}: it is not text") from None
    if not text.strip():
        raise NotSignedIn(f"{path} is empty, and should hold the {what}")
    return text.strip()


def check_rights(what: str, path: Path, status: os.stat_result) -> None:
    """Raise NotSignedIn for a file that others can read. On Windows the folder's rights are inherited."""
    if os.name != "nt" and status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise NotSignedIn(
            f"{path} can be read by others, so the {what} in it is not used",
            hint=f"chmod 600 {path}; and get a new {what}: this one may have been read.",
        )
