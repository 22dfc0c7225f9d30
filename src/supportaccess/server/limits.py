"""Limits on requests, held by all worker processes of the machine together.

The state is a table in memory that the processes share: a file of fixed size that each of them maps. A key has a bucket
of as many requests as it may make in a minute, which fills again evenly. A bucket is one number, the moment at which it
will be full (the generic cell rate algorithm), in one of the slots that a keyed hash of the key points to.
"""

import mmap
import os
import secrets
import stat
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from ipaddress import IPv6Address, ip_address
from math import ceil
from pathlib import Path
from threading import Lock
from typing import Any

from supportaccess.server.settings import LimitSettings

with suppress(ImportError):  # on Windows, where the server is one process
    from fcntl import LOCK_EX, LOCK_UN, lockf

_SETS = 8192
_SLOTS = 8
_ROW = struct.Struct("=" + "Qd" * _SLOTS)
_SLOT = struct.Struct("=Qd")
_SECRET_BYTES = 16
_SIZE = _SECRET_BYTES + _SETS * _ROW.size  # 1 MiB
_MINUTE = 60.0
_ROUNDING = 1e-6


class Kind(StrEnum):
    """What is counted: all requests of an address, its tokens that were refused, the requests of a caller."""

    ADDRESS = "address"
    REFUSED_TOKENS = "refusedTokens"
    CALLER = "caller"


class Limits:
    """Says whether a request may go on. Without a path the limits hold for this process alone."""

    def __init__(
        self, settings: LimitSettings, path: Path | None = None, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        a_minute = {
            Kind.ADDRESS: settings.requests_per_address,
            Kind.REFUSED_TOKENS: settings.refused_tokens_per_address,
            Kind.CALLER: settings.requests_per_caller,
        }
        self._rules = {kind: (f"{kind} ".encode(), _MINUTE / number) for kind, number in a_minute.items()}
        self._now = now  # the monotonic clock is the same for all processes of a machine
        self._file = None if path is None else os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self._table = mmap.mmap(-1 if self._file is None else self._file, _SIZE)
        if self._file is None:
            self._table[:_SECRET_BYTES] = secrets.token_bytes(_SECRET_BYTES)
        self._secret = self._table[:_SECRET_BYTES]
        self._lock = Lock()

    def take(self, kind: Kind, key: str) -> int:
        """Count one, and return 0, or the seconds to wait when there is none left (then it is not counted).

        The key is an address (IPv6 counts by /64, which is what one customer gets), or a caller's tenant and object ID.
        """
        return self._ask(kind, key, 1)

    def look(self, kind: Kind, key: str) -> int:
        """Return what `take` would, and count nothing."""
        return self._ask(kind, key, 0)

    def close(self) -> None:
        """Let go of the table."""
        self._table.close()
        if self._file is not None:
            os.close(self._file)

    def _ask(self, kind: Kind, key: str, count: int) -> int:
        kind_bytes, interval = self._rules[kind]
        name = key if kind is Kind.CALLER else network_of(key)
        digest = blake2b(kind_bytes + name.encode("utf-8", "replace"), digest_size=12, key=self._secret).digest()
        row, mark = int.from_bytes(digest[:4]) % _SETS, int.from_bytes(digest[4:]) or 1
        with self._lock:
            if self._file is None:
                return self._take(row, mark, interval, count)
            # One byte stands for one row. The kernel frees the lock of a process that dies.
            lockf(self._file, LOCK_EX, 1, row)
            try:
                return self._take(row, mark, interval, count)
            finally:
                lockf(self._file, LOCK_UN, 1, row)

    def _take(self, row: int, mark: int, interval: float, count: int) -> int:
        now = self._now()
        place = _SECRET_BYTES + row * _ROW.size
        slot, full_at = _find(_ROW.unpack_from(self._table, place), mark, now)
        after = full_at + interval
        if after - now > _MINUTE + _ROUNDING:
            return max(1, ceil(after - now - _MINUTE))
        if count:
            _SLOT.pack_into(self._table, place + slot * _SLOT.size, mark, after)
        return 0


def _find(row: tuple[Any, ...], mark: int, now: float) -> tuple[int, float]:
    """Return the slot of a key and when its bucket is full: for a new key the slot that knows least."""
    marks, moments = row[::2], row[1::2]
    if mark in marks:
        slot = marks.index(mark)
        return slot, max(now, moments[slot])
    return moments.index(min(moments)), now


def make_table(path: Path) -> None:
    """Make the file that the processes share (0600), with a secret of its own for the hash."""
    file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, stat.S_IRUSR | stat.S_IWUSR)
    try:
        os.ftruncate(file, _SIZE)
        os.write(file, secrets.token_bytes(_SECRET_BYTES))
    finally:
        os.close(file)


@lru_cache(maxsize=4096)
def network_of(address: str) -> str:
    """Return what an address counts as: IPv6 by /64, IPv4 in IPv6 as IPv4, anything else as it is."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return parsed.packed[:8].hex()
