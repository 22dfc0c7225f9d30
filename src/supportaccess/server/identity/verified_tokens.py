"""Tokens that were verified, by their hash: the tokens themselves are not kept."""

import hashlib
import threading
from typing import Generic, TypeVar

from supportaccess.server.identity.tokens import LONGEST_TOKEN

MOST_REMEMBERED = 10_000

Value = TypeVar("Value")


class Remembered(Generic[Value]):
    """Up to MOST_REMEMBERED values, each until its token expires; the oldest make room. Any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[bytes, tuple[float, Value]] = {}

    def find(self, token: str, now: float) -> Value | None:
        """Return what was kept for the token, if it has not expired."""
        if len(token) > LONGEST_TOKEN or not token.isascii():
            return None
        found = self._values.get(_hash(token))
        return found[1] if found is not None and now < found[0] else None

    def keep(self, token: str, value: Value, expires: float) -> None:
        """Keep a value until the token expires (seconds since 1970)."""
        with self._lock:
            self._values[_hash(token)] = (expires, value)
            if len(self._values) > MOST_REMEMBERED:
                del self._values[next(iter(self._values))]


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("ascii")).digest()
