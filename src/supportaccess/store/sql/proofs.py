"""The proofs of a tenant's log, from the database."""

from base64 import b64encode
from collections.abc import Callable, Sequence

from supportaccess.domain.attempts import reading
from supportaccess.domain.audit import Step
from supportaccess.domain.permissions import MAY_SEE_HEAD, Caller, Permission
from supportaccess.domain.times import Clock, system_clock
from supportaccess.errors import InvalidInput, NotFound, StoreRefused, VerificationFailed
from supportaccess.store.sql.attempts import reads_already
from supportaccess.store.sql.checkpoints import sign_log, stored_note
from supportaccess.store.sql.engine import Engine, Session
from supportaccess.store.sql.log import read_head
from supportaccess.store.sql.nodes import LogNodes
from supportaccess.store.verification import decode_entry, rotation_of
from supportaccess.tlog.files import SignedHead
from supportaccess.tlog.keys import Keys
from supportaccess.tlog.merkle import BadProof, consistency_proof, inclusion_proof
from supportaccess.tlog.notes import BadNote, read_checkpoint
from supportaccess.tlog.receipts import Receipt
from supportaccess.tlog.signers import key_of
from supportaccess.tlog.tiles import TILE_WIDTH, Tile, encode_bundle
from supportaccess.tlog.verify import BadEntry

_ENTRIES = """
    SELECT sequence, entry FROM audit_events
    WHERE tenant_id = :tenant_id AND sequence >= :begin AND sequence < :end ORDER BY sequence
"""
_ROTATIONS = """
    SELECT entry FROM audit_events WHERE tenant_id = :tenant_id AND activity = 'Key rotated' ORDER BY sequence
"""
_MOST_ROTATIONS = 1000


class SqlProofs:
    """The proofs of the log of the caller's tenant. Without `keys` nothing is signed: what was signed is shown.

    `note` is told when others' entries are handed out, and none says yet that the caller reads them.
    """

    def __init__(
        self,
        engine: Engine,
        caller: Caller,
        keys: Keys | None,
        *,
        clock: Clock = system_clock,
        note: Callable[[Step], object] = lambda _: None,
    ) -> None:
        self._engine = engine
        self._caller = caller
        self._keys = keys
        self._clock = clock
        self._note = note

    def head(self, earlier: int = 0) -> SignedHead:
        """Return the signed head, what was written after the last signature included."""
        self._caller.require(*MAY_SEE_HEAD)
        if earlier < 0:
            raise InvalidInput("a log has 0 entries or more")
        note = self._signed()
        with self._engine.snapshot([self._tenant]) as session:
            if note is None:
                head, _ = read_head(session, self._tenant)
                return SignedHead(size=head.size, root=head.root)
            checkpoint = read_checkpoint(note)[1]
            proof: Sequence[bytes] = ()
            if earlier <= checkpoint.size:
                proof = consistency_proof(earlier, checkpoint.size, LogNodes(session, self._tenant))
            rotations = self._rotations(session)
        return SignedHead(
            size=checkpoint.size,
            root=checkpoint.root.hex(),
            checkpoint=note.decode(),
            consistency=tuple(b64encode(each).decode() for each in proof),
            rotations=rotations,
            key=self._key(),
        )

    def receipt(self, sequence: int) -> bytes:
        """Return the receipt of an entry, in the tree that is signed now."""
        self._caller.require(Permission.READ_AUDIT)
        note = self._signed()
        if note is None:
            raise StoreRefused(
                "nothing of this log was signed", hint="supportaccess store key makes the key that signs."
            )
        size, now = read_checkpoint(note)[1].size, self._clock()
        with self._engine.snapshot([self._tenant]) as session:
            if size <= sequence < read_head(session, self._tenant)[0].size:
                raise NotFound(
                    f"entry {sequence} is not signed yet: there is no receipt of it", hint="Ask again later."
                )
            if not 0 <= sequence < size:
                raise NotFound(f"the audit log of tenant {self._tenant} has no entry {sequence}")
            (entry,) = self._raw(session, sequence, sequence + 1)
            path = inclusion_proof(sequence, size, LogNodes(session, self._tenant))
            is_noted = self._is_own(entry) or reads_already(session, self._caller, now)
        receipt = Receipt(entry=entry, index=sequence, path=tuple(path), checkpoint=note)
        try:
            receipt.proven()
        except BadProof:
            raise VerificationFailed(
                f"entry {sequence} of the audit log of tenant {self._tenant} is not as it was signed: no receipt of it",
                verdict="altered" if entry else "missing",
                hint="supportaccess audit verify",
            ) from None
        if not is_noted:
            self._note(reading(self._caller, now))
        return receipt.encode()

    def tile(self, tile: Tile) -> bytes | None:
        """Return the hashes of a tile."""
        self._caller.require(Permission.READ_AUDIT)
        with self._engine.snapshot([self._tenant]) as session:
            if not self._has(session, tile):
                return None
            nodes, end = LogNodes(session, self._tenant), tile.begin + tile.width
            return b"".join(nodes.hashes(tile.level, tile.begin, end) if tile.level else nodes.leaves(tile.begin, end))

    def bundle(self, tile: Tile) -> bytes | None:
        """Return the entries under a tile, as they are kept: what is no entry any more is an empty one."""
        self._caller.require(Permission.READ_AUDIT)
        now = self._clock()
        with self._engine.snapshot([self._tenant]) as session:
            if tile.level or not self._has(session, tile):
                return None
            bundle = encode_bundle(self._raw(session, tile.begin, tile.begin + tile.width))
            is_noted = reads_already(session, self._caller, now)
        if not is_noted:
            self._note(reading(self._caller, now))
        return bundle

    @property
    def _tenant(self) -> str:
        return self._caller.tenant_id

    def _signed(self) -> bytes | None:
        if self._keys is not None:
            return sign_log(self._engine, self._keys, self._tenant)
        with self._engine.reading([self._tenant]) as session:
            return stored_note(session, self._tenant)

    def _key(self) -> str | None:
        if self._keys is None:
            return None
        return str(key_of(self._keys.signers()[-1], self._keys.origin(self._tenant)))

    def _rotations(self, session: Session) -> tuple[str, ...]:
        notes = []
        for (data,) in session.all(_ROTATIONS, {"tenant_id": self._tenant})[:_MOST_ROTATIONS]:
            try:
                found = rotation_of(decode_entry(data))
            except (BadNote, BadEntry, TypeError):
                continue  # a verification finds it
            if found is not None:
                notes.append(found[0].encode().decode())
        return tuple(notes)

    def _has(self, session: Session, tile: Tile) -> bool:
        if not (0 <= tile.level < 8 and 0 <= tile.index < 2**48 and 1 <= tile.width <= TILE_WIDTH):
            return False
        head, _ = read_head(session, self._tenant)
        return tile.begin + tile.width <= head.size >> (8 * tile.level)

    def _is_own(self, entry: bytes) -> bool:
        """Tell whether the entry tells of what the caller did."""
        try:
            return decode_entry(entry).actor.key == self._caller.actor.key
        except BadEntry:
            return False

    def _raw(self, session: Session, begin: int, end: int) -> list[bytes]:
        found: dict[int, object] = dict(session.all(_ENTRIES, {"tenant_id": self._tenant, "begin": begin, "end": end}))
        entries = [found.get(sequence) for sequence in range(begin, end)]
        return [each if isinstance(each, bytes) and len(each) < 2**16 else b"" for each in entries]
