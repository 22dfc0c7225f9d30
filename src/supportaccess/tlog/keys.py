"""What is kept outside the database: the key that signs the audit logs, and the last checkpoint that it signed of each.

    signing.key     the key: a line, as golang.org/x/mod/sumdb/note writes private keys; its name is the store's.
                    Of a key that is kept elsewhere the public half, as such verifier keys are written
    next.key        the key that is to follow, while a rotation is under way
    heads/TENANT    the last signed checkpoint of a tenant's log

A restored older database shows by the heads, and could sign nothing that goes back behind them. Nothing here is in a
backup of the store: who has the database has not the key.
"""

import os
import stat
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from supportaccess.errors import InvalidInput, StoreRefused, StoreUnavailable
from supportaccess.private_files import make_folder, read_bounded, refused, write_new, write_private
from supportaccess.tlog.notes import (
    ED25519,
    LARGEST_NOTE,
    BadNote,
    Checkpoint,
    VerifierKey,
    check_name,
    decode_base64,
    parse_key,
    read_checkpoint,
)
from supportaccess.tlog.signers import KeptElsewhere, SeedSigner, Signer, key_of, sign, try_out

_KEY, _NEXT, _HEADS = "signing.key", "next.key", "heads"
_PREFIX = "PRIVATE+KEY+"
_SEED_SIZE = 32
_LARGEST_KEY = 1024
_PATIENCE = 30.0
_SECONDS_GOOD = 0.05


class _Latest(NamedTuple):
    """The head of a file, if there is one, and until when the file need not be looked at again."""

    version: tuple[int, int] | None
    head: Checkpoint | None
    until: float


class Keys:
    """A folder of a store's key and heads.

    `signer` returns who signs with a key that is kept elsewhere, by the key's public half. With it no key is made on
    first use.
    """

    def __init__(self, folder: Path, *, signer: Callable[[bytes], Signer] | None = None) -> None:
        self.folder = folder
        self._signer_of = signer or KeptElsewhere
        self._makes_key = signer is None
        self._read: dict[str, tuple[object, str, Signer]] = {}
        self._latest: dict[str, _Latest] = {}
        """The last signed checkpoint of each tenant's log, as far as this process has seen."""

    @property
    def name(self) -> str:
        """The store's name, of which a log's name (its origin) is made."""
        return self._named(_KEY)[0]

    @property
    def exists(self) -> bool:
        """Whether there is a key."""
        return (self.folder / _KEY).exists()

    @property
    def is_kept_elsewhere(self) -> bool:
        """Whether the key that signs now is not in the folder."""
        return not isinstance(self._named(_KEY)[1], SeedSigner)

    def origin(self, tenant_id: str) -> str:
        """Return the name of a tenant's log."""
        return f"{self.name}/{tenant_id}"

    def make(self, name: str | None = None, public_key: bytes | None = None) -> bool:
        """Make the key, unless there is one, and say whether it was made.

        With a public key that is the key, and it is kept elsewhere: who signs with it is tried first. Where the key of
        logs that were signed is gone, their last heads are signed anew, so that the logs go on from there; those that
        the lost key signed are kept aside. Raises InvalidInput, StoreRefused, SignerFailed.
        """
        if self.exists:
            return False
        chosen = name or f"supportaccess/{os.urandom(16).hex()}"
        try:
            check_name(chosen)
        except BadNote as error:
            raise InvalidInput(f"{chosen!r} cannot name a store: {error}") from None
        make_folder(self.folder)
        new = self._new(chosen, public_key)
        self._sign_heads_anew(*self._decoded(self.folder / _KEY, new))
        return write_new(self.folder / _KEY, new)

    def signers(self) -> list[Signer]:
        """Return who signs now: the key, made on first use, and in a rotation the next one too.

        Raises StoreRefused when the key of logs that were signed is gone: another one would not be believed.
        """
        if not self.exists and self.tenants():
            raise StoreRefused(
                f"{self.folder / _KEY} is gone, and logs were signed with it",
                hint="Put it back from where you keep a copy of it; docs/audit-log.md says what to do without one.",
            )
        if not self.exists and not self._makes_key:
            raise StoreRefused(
                f"there is no key in {self.folder} yet, and it is to be one that is kept elsewhere",
                hint="supportaccess store key make --public-key FILE --config SETTINGS",
            )
        self.make()
        signers = [self._named(_KEY)[1]]
        if (self.folder / _NEXT).exists():
            signers.append(self._named(_NEXT)[1])
        return signers

    def make_next(self, public_key: bytes | None = None) -> None:
        """Make the key that is to follow, unless a rotation is under way already; with a public key, as `make` does.

        Raises InvalidInput for another key than that which is to follow already, or the key itself.
        """
        path = self.folder / _NEXT
        known = self._named(_NEXT if path.exists() else _KEY)[1].public_key
        if path.exists():
            if public_key not in {None, known}:
                raise InvalidInput(
                    "a rotation to another key is under way", hint="supportaccess store key rotate goes on with it."
                )
            return
        if public_key == known:
            raise InvalidInput("this is the key that signs already")
        write_new(path, self._new(self.name, public_key))

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
        """Return what was signed last of a tenant's log: by this process at once, by another within 50 ms.

        It is asked for with each answer of a server, and read again only when the file is a new one.
        """
        known, now = self._latest.get(tenant_id), time.monotonic()
        if known is not None and now < known.until:
            return known.head
        version = head = None
        with suppress(OSError, StoreRefused):  # whoever signs next says what is wrong
            status = self._head(tenant_id).stat()
            version = status.st_ino, status.st_mtime_ns
            if known is not None and known.version == version:
                head = known.head
            elif (found := self.head(tenant_id)) is not None:
                head = found[1]
        self._latest[tenant_id] = _Latest(version, head, now + _SECONDS_GOOD)
        return head

    def keep_head(self, tenant_id: str, note: bytes) -> None:
        """Remember a checkpoint before anybody else sees it. To be called under `locked`."""
        make_folder(self.folder / _HEADS)
        write_private(self._head(tenant_id), note)
        self._latest.pop(tenant_id, None)

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

    def _sign_heads_anew(self, name: str, signer: Signer) -> None:
        for tenant_id in self.tenants():
            if (last := self.head(tenant_id)) is not None:
                moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
                write_new(self._head(tenant_id).with_name(f"{tenant_id}.before-{moment}"), last[0])
                origin = f"{name}/{tenant_id}"
                self.keep_head(tenant_id, sign(replace(last[1], origin=origin).text, origin, [signer]).encode())

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
            known = mark, *self._decoded(path, read_bounded(path, _LARGEST_KEY) or b"")
            self._read[file] = known
        return known[1], known[2]

    def _new(self, name: str, public_key: bytes | None) -> bytes:
        if public_key is None:
            return _encoded(name, os.urandom(_SEED_SIZE))
        try_out(self._signer_of(public_key))
        return f"{VerifierKey(name=name, public_key=public_key)}\n".encode()

    def _decoded(self, path: Path, data: bytes) -> tuple[str, Signer]:
        if data.startswith(_PREFIX.encode()):
            name, seed = _secret(path, data)
            return name, SeedSigner(seed)
        try:
            key = parse_key(data.decode().removesuffix("\n"))
        except ValueError:
            raise _no_key(path) from None
        return key.name, self._signer_of(key.public_key)


def _encoded(name: str, seed: bytes) -> bytes:
    key_id = key_of(SeedSigner(seed), name).key_id.hex()
    return f"{_PREFIX}{name}+{key_id}+{b64encode(ED25519 + seed).decode()}\n".encode()


def _secret(path: Path, data: bytes) -> tuple[str, bytes]:
    try:
        text = data.decode().removesuffix("\n")
        name, key_id, secret = text.removeprefix(_PREFIX).split("+", 2)
        seed = decode_base64(secret)
        if seed[:1] != ED25519 or len(seed) != 1 + _SEED_SIZE:
            raise BadNote("it is no key")
        check_name(name)
        if key_id != key_of(SeedSigner(seed[1:]), name).key_id.hex():
            raise BadNote("the key's ID is another's")
    except ValueError:  # whose text might tell of the key
        raise _no_key(path) from None
    return name, seed[1:]


def _no_key(path: Path) -> StoreRefused:
    return StoreRefused(
        f"{path} is not a signing key of this program", hint="Put the file back as it was; docs/audit-log.md."
    )
