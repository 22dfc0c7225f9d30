"""A tenant's token cache, for many processes at once: whoever refreshes holds its lock, the others wait and read.

Not msal-extensions' PersistedTokenCache: docs/decisions/0014-one-lock-around-a-refresh.md
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from supportaccess.errors import SupportAccessError
from supportaccess.private_files import make_folder
from supportaccess.signin.token_storage import Damaged, Place

PATIENCE = 90.0
"""Seconds that a process waits for another one's refresh: longer than an authority may take to answer twice."""


class TokenCache:
    """What is kept at a place, as text. `warn` is told, once, what keeps it from being used as it should be."""

    def __init__(self, place: Place, warn: Callable[[str], object]) -> None:
        self._place = place
        self._warn = warn
        self._told = False

    def read(self) -> str:
        """Return what is kept; what is damaged is set aside, and then nothing is. Raises StoreRefused, NotSignedIn."""
        try:
            return _checked(self._place.load())
        except Damaged as damaged:
            aside = self._place.set_aside()
            self._say(f"{damaged.message}; it was set aside as {aside.name}. You are signed out there.")
            return ""

    def write(self, text: str) -> None:
        """Keep it. Whoever cannot goes on with what is in memory."""
        try:
            self._place.save(text)
        except SupportAccessError as error:
            self._say(f"The sign-in is good for this command alone: {error.message}")

    @contextmanager
    def locked(self) -> Iterator[bool]:
        """Keep other processes from refreshing meanwhile; yields whether that could be done."""
        path = self._place.path.with_suffix(".lock")
        with suppress(SupportAccessError):
            make_folder(path.parent)
        lock = FileLock(path, timeout=PATIENCE, mode=0o600)
        held = self._acquired(lock, path)
        try:
            yield held
        finally:
            if held:
                lock.release()

    def _acquired(self, lock: FileLock, path: Path) -> bool:
        for again in (True, False):
            try:
                lock.acquire()
            except Timeout:
                self._say(f"Another process has kept {path} locked for {PATIENCE:g} seconds; going on without it.")
                return False
            except OSError as error:
                aside = path.with_name(f"{path.name}.damaged")
                if again and path.is_dir():
                    with suppress(OSError):
                        path.replace(aside)
                    continue
                self._say(f"{path} cannot be locked: {error.strerror or error}; going on without it.")
                return False
            else:
                return True
        return False

    def _say(self, text: str) -> None:
        if not self._told:
            self._told = True
            self._warn(text)


def _checked(text: str) -> str:
    """Return the text if it is a token cache. Raises Damaged."""
    import json

    if not text:
        return ""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Damaged("the token cache is damaged") from error
    if not isinstance(value, dict) or not all(isinstance(each, dict) for each in value.values()):
        raise Damaged("the token cache is damaged")
    return text
