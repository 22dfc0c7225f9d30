"""What the command line remembers of the logs that it saw: outside every store, and so what a store is held against."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from supportaccess.errors import StoreRefused
from supportaccess.private_files import make_folder, read_bounded, refused, write_private
from supportaccess.structs import Struct

_LARGEST = 256 * 1024


class Verified(Struct, frozen=True, kw_only=True):
    """How far a log was verified: its size, the right edge of its tree then, and the keys that are believed."""

    size: int
    frontier: bytes
    keys: tuple[str, ...]


class Remembered(Struct, frozen=True, kw_only=True):
    """One log, by whose store and tenant it is: its last checkpoint (a signed note), and the keys that are believed.

    `verified` is how far it was verified entry by entry.
    """

    store: str
    tenant_id: str
    checkpoint: str | None = None
    keys: tuple[str, ...] = ()
    verified: Verified | None = None


class Memory:
    """A folder with a file for each log. `store` is the endpoint, or `embedded`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, store: str, tenant_id: str) -> Remembered:
        """Return what is known of a log: nothing but its name, at first. Raises StoreRefused for a broken file."""
        return self._read(self._path(store, tenant_id)) or Remembered(store=store, tenant_id=tenant_id)

    def keep(self, log: Remembered) -> None:
        """Remember a log as it is now. Raises StoreRefused."""
        make_folder(self._folder)
        write_private(self._path(log.store, log.tenant_id), msgspec.json.encode(log))

    def forget(self, store: str, tenant_id: str) -> bool:
        """Remember nothing of a log any more, and say whether something was."""
        path = self._path(store, tenant_id)
        try:
            path.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise refused(path, "removed", error) from error
        return True

    def all(self) -> Iterator[Remembered]:
        """Yield every log that is remembered."""
        for path in sorted(self._folder.glob("*.json")):
            log = self._read(path)
            if log is not None:
                yield log

    def keep_evidence(self, log: Remembered, shown: object, now: datetime) -> Path:
        """Write down what was remembered and what a store showed instead, and return where."""
        make_folder(self._folder)
        path = self._folder / f"{log.tenant_id}-{now:%Y%m%dT%H%M%S.%fZ}.evidence"
        told = {"store": log.store, "tenantId": log.tenant_id, "time": now, "remembered": log, "shown": shown}
        write_private(path, msgspec.json.format(msgspec.json.encode(told), indent=2))
        return path

    def _path(self, store: str, tenant_id: str) -> Path:
        from hashlib import sha256

        return self._folder / f"{tenant_id}-{sha256(store.encode()).hexdigest()[:16]}.json"

    def _read(self, path: Path) -> Remembered | None:
        data = read_bounded(path, _LARGEST)
        if data is None:
            return None
        try:
            return msgspec.json.decode(data, type=Remembered)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise StoreRefused(
                f"{path} is broken: {error}", hint="Keep it as evidence if you did not change it; then move it away."
            ) from None
