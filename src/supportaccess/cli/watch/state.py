"""Where a watch stopped, so that it goes on there: one small file for each watch, written whole or not at all."""

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from supportaccess.domain.records import canonical_json
from supportaccess.errors import InvalidInput
from supportaccess.private_files import make_folder, refused, write_private

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_LARGEST_FILE = 64 * 1024 * 1024


class Position(msgspec.Struct, kw_only=True, rename="camel", omit_defaults=True):
    """Where a watch of one tenant is.

    `place`: of what comes next in the audit log. `told`: what was told by the clock, with its moment. `ending`: open
    requests that the clock will end.
    """

    place: int
    told: dict[str, datetime] = {}
    ending: tuple[str, ...] = ()


class _File(msgspec.Struct, kw_only=True, rename="camel"):
    tenants: dict[str, Position] = {}


class Memory:
    """The file of one watch, for one process at a time. Without a path nothing is kept."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock: FileLock | None = None
        self._kept = b""

    def hold(self) -> bool:
        """Keep other processes from the same file; say whether this one has it. Raises StoreRefused."""
        if self._path is None:
            return False
        make_folder(self._path.parent)
        lock = FileLock(self._path.with_suffix(".lock"), timeout=0, mode=0o600)
        try:
            lock.acquire()
        except Timeout:
            self._path = None
            return False
        except OSError as error:
            raise refused(Path(lock.lock_file), "locked", error) from error
        self._lock = lock
        return True

    def read(self) -> dict[str, Position]:
        """Return where each tenant's watch stopped. Raises InvalidInput for a file that cannot be used."""
        if self._path is None:
            return {}
        try:
            with self._path.open("rb") as file:
                data = file.read(_LARGEST_FILE)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise refused(self._path, "read", error) from error
        try:
            return msgspec.json.decode(data, type=_File).tenants
        except (ValueError, RecursionError) as error:
            raise InvalidInput(
                f"{self._path} is broken: {error}",
                hint="Remove the file: the watch then begins with what happens next.",
            ) from None

    def write(self, positions: Mapping[str, Position]) -> None:
        """Keep where each tenant's watch is. Raises StoreRefused."""
        if self._path is None:
            return
        data = msgspec.json.encode(_File(tenants=dict(positions)))
        if data != self._kept:
            write_private(self._path, data)
            self._kept = data

    def close(self) -> None:
        """Let another process have the file."""
        if self._lock is not None:
            self._lock.release()


def file_name(name: str | None, *what: object) -> str:
    """Return the name of a watch's file: of the given name, or of what is watched for whom. Raises InvalidInput."""
    if name is None:
        return f"auto-{hashlib.sha256(canonical_json(what)).hexdigest()[:24]}.json"
    if not _NAME.fullmatch(name) or name.startswith("auto-"):
        raise InvalidInput(
            f"{name!r} is not the name of a watch", hint="It has 1 to 64 characters of A-Z a-z 0-9 . _ - in it."
        )
    return f"{name}.json"
