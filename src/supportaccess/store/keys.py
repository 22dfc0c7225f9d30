"""What is kept outside the database: the key that signs the audit logs, and the last checkpoint that it signed of each.

    signing.key     the key: a line, as golang.org/x/mod/sumdb/note writes private keys; its name is the store's
    next.key        the key that is to follow, while a rotation is under way
    heads/TENANT    the last signed checkpoint of a tenant's log

A restored older database shows by the heads, and could sign nothing that goes back behind them. Nothing here is in a
backup of the store: who has the database has not the key.
"""

import os
import stat
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from supportaccess.domain.checkpoints import Checkpoint, read_checkpoint
from supportaccess.domain.errors import InvalidInput, StoreRefused, StoreUnavailable
from supportaccess.domain.notes import ED25519, LARGEST_NOTE, BadNote, check_name, decode_base64
from supportaccess.private_files import make_folder, read_bounded, refused, write_new, write_private
from supportaccess.store.signing import SeedSigner, Signer, key_of

_KEY, _NEXT, _HEADS = "signing.key", "next.key", "heads"
_PREFIX = "PRIVATE+KEY+"
_SEED_SIZE = 32
_LARGEST_KEY = 1024
_PATIENCE = 30.0


class Keys:
    """A folder of a store's key and heads. `signer` stands in for the key file: it is given the store's name."""

    def __init__(self, folder: Path, *, signer: Callable[[str], Signer] | None = None) -> None:
        self.folder = folder
        self._external = signer
        self._read: dict[str, tuple[object, str, Signer]] = {}
        self._latest: dict[str, tuple[tuple[int, int], Checkpoint]] = {}
        """The last signed checkpoint of each tenant's log, as far as this process has seen."""

    @property
    def name(self) -> str:
        """The store's name, of which a log's name (its origin) is made."""
        return self._named(_KEY)[0]

    @property
    def exists(self) -> bool:
        """Whether there is a key."""
        return (self.folder / _KEY).exists()

    def origin(self, tenant_id: str) -> str:
        """Return the name of a tenant's log."""
        return f"{self.name}/{tenant_id}"

    def make(self, name: str | None = None) -> bool:
        """Make the key, unless there is one, and say whether it was made. Raises InvalidInput, StoreRefused."""
        if self.exists:
            return False
        chosen = name or f"supportaccess/{os.urandom(16).hex()}"
        try:
            check_name(chosen)
        except BadNote as error:
            raise InvalidInput(f"{chosen!r} cannot name a store: {error}") from None
        make_folder(self.folder)
        return write_new(self.folder / _KEY, _encoded(chosen, os.urandom(_SEED_SIZE)))

    def signers(self) -> list[Signer]:
        """Return who signs now: the key, made on first use, and in a rotation the next one too.

        Raises StoreRefused when the key of logs that were signed is gone: another one would not be believed.
        """
        if not self.exists and self.tenants():
            raise StoreRefused(
                f"{self.folder / _KEY} is gone, and logs were signed with it",
                hint="Put it back from where you keep a copy of it; docs/audit-log.md says what to do without one.",
            )
        self.make()
        signers = [self._named(_KEY)[1]]
        if (self.folder / _NEXT).exists():
            signers.append(self._named(_NEXT)[1])
        return signers

    def make_next(self) -> None:
        """Make the key that is to follow, unless a rotation is under way already."""
        write_new(self.folder / _NEXT, _encoded(self.name, os.urandom(_SEED_SIZE)))

    def take_next(self) -> None:
        """End a rotation: the next key is the key, and the old one no more."""
        try:
            (self.folder / _NEXT).replace(self.folder / _KEY)
        except OSError as error:
            raise refused(self.folder / _KEY, "replaced", error) from error

    def head(self, tenant_id: str) -> tuple[bytes, Checkpoint] | None:
        """Return the last signed checkpoint of a tenant's log: the note and what it says. Raises StoreRefused."""
        data = read_bounded(self._head(tenant_id), LARGEST_NOTE)
        if data is None:
            return None
        try:
            return data, read_checkpoint(data)[1]
        except BadNote as error:
            raise StoreRefused(
                f"{self._head(tenant_id)} is broken: {error}",
                hint="Keep it as evidence. supportaccess store rollback begins anew from what the store holds.",
            ) from None

    def last(self, tenant_id: str) -> Checkpoint | None:
        """Return what was signed last of a tenant's log, by whichever process; read again only when that is new."""
        with suppress(OSError, StoreRefused):  # whoever signs next says what is wrong
            status = self._head(tenant_id).stat()
            version = status.st_ino, status.st_mtime_ns
            known = self._latest.get(tenant_id)
            if known is not None and known[0] == version:
                return known[1]
            if (found := self.head(tenant_id)) is not None:
                self._latest[tenant_id] = version, found[1]
                return found[1]
        return None

    def keep_head(self, tenant_id: str, note: bytes) -> None:
        """Remember a checkpoint before anybody else sees it. To be called under `locked`."""
        make_folder(self.folder / _HEADS)
        write_private(self._head(tenant_id), note)

    def set_head_aside(self, tenant_id: str, moment: str) -> Path:
        """Keep the last signed checkpoint as evidence, under another name, and forget it. Returns where it is."""
        aside = self._head(tenant_id).with_name(f"{tenant_id}.before-{moment}")
        try:
            self._head(tenant_id).rename(aside)
        except OSError as error:
            raise refused(aside, "written", error) from error
        return aside

    def tenants(self) -> list[str]:
        """Return the tenants of which a checkpoint was signed."""
        try:
            names = [path.name for path in (self.folder / _HEADS).iterdir()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise refused(self.folder / _HEADS, "read", error) from error
        return sorted(name for name in names if "." not in name)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from signing meanwhile. Raises StoreUnavailable, StoreRefused."""
        from filelock import FileLock, Timeout

        make_folder(self.folder)
        lock = FileLock(self.folder / ".lock", timeout=_PATIENCE, mode=stat.S_IRUSR | stat.S_IWUSR)
        try:
            lock.acquire()
        except Timeout:
            raise StoreUnavailable(f"another process has kept {self.folder} locked", hint="Try again.") from None
        except OSError as error:
            raise refused(self.folder, "locked", error) from error
        try:
            yield
        finally:
            lock.release()

    def _head(self, tenant_id: str) -> Path:
        return self.folder / _HEADS / tenant_id

    def _named(self, file: str) -> tuple[str, Signer]:
        """Return the name and the signer of a key file: read again when it was replaced."""
        path = self.folder / file
        try:
            status = path.stat()
        except OSError as error:
            raise refused(path, "read", error) from error
        mark = status.st_ino, status.st_mtime_ns, status.st_size
        known = self._read.get(file)
        if known is None or known[0] != mark:
            if os.name != "nt" and status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise StoreRefused(f"{path} can be read by others", hint=f"chmod 600 {path}")
            name, seed = _decoded(path, read_bounded(path, _LARGEST_KEY) or b"")
            known = mark, name, self._external(name) if self._external and file == _KEY else SeedSigner(seed)
            self._read[file] = known
        return known[1], known[2]


def _encoded(name: str, seed: bytes) -> bytes:
    key_id = key_of(SeedSigner(seed), name).key_id.hex()
    return f"{_PREFIX}{name}+{key_id}+{b64encode(ED25519 + seed).decode()}\n".encode()


def _decoded(path: Path, data: bytes) -> tuple[str, bytes]:
    try:
        text = data.decode().removesuffix("\n")
        name, key_id, secret = text.removeprefix(_PREFIX).split("+", 2)
        seed = decode_base64(secret)
        if not text.startswith(_PREFIX) or seed[:1] != ED25519 or len(seed) != 1 + _SEED_SIZE:
            raise BadNote("it is no key")
        check_name(name)
        if key_id != key_of(SeedSigner(seed[1:]), name).key_id.hex():
            raise BadNote("the key's ID is another's")
    except ValueError:  # whose text might tell of the key
        raise StoreRefused(
            f"{path} is not a signing key of this program", hint="Put the file back as it was; docs/audit-log.md."
        ) from None
    return name, seed[1:]
