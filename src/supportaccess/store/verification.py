"""Verifies a log from what was given out of it: an export, a receipt, the tiles of a live store. No network.

Everything is computed again from the entries: they are hashed, the tree is built, its root held against the signed
checkpoint, and that against the key and the checkpoints that were kept elsewhere (anchors).
"""

from collections.abc import Iterator, Sequence

import msgspec

from supportaccess.domain.audit import AuditEntry
from supportaccess.domain.checkpoints import Checkpoint, read_checkpoint
from supportaccess.domain.merkle import HASH_SIZE, Frontier, leaf_hash
from supportaccess.domain.merkle_proofs import BadProof
from supportaccess.domain.notes import BadNote, Note, VerifierKey
from supportaccess.domain.receipts import parse_receipt
from supportaccess.domain.records import Struct
from supportaccess.domain.rotations import rotation_of
from supportaccess.domain.tiles import TILE_WIDTH, Tile, split_tile, tiles_at
from supportaccess.store.log_files import LogFiles, entries_of
from supportaccess.store.memory import Verified
from supportaccess.store.protocol import Finding, Verdict
from supportaccess.store.signing import BadSignature
from supportaccess.store.trust import Trust

MOST_FINDINGS = 1000
_NO_KEY = "no key is known for it: give the log's verifier key with --key (supportaccess store key show prints it)"

_entries = msgspec.json.Decoder(AuditEntry)


class LogVerification(Struct, frozen=True, kw_only=True):
    """The outcome: whose log, what its checkpoint says, how many entries were read, and what is wrong with it.

    `entry` is what a receipt is of, once that is proven. `verified` is what a later verification may go on from; absent
    when something is wrong.
    """

    origin: str | None
    size: int
    root: str
    entries: int
    signed_by: str | None = None
    findings: list[Finding]
    entry: AuditEntry | None = None
    verified: Verified | None = None


def verify_log(
    files: LogFiles, keys: Sequence[VerifierKey], anchors: Sequence[bytes] = (), since: Verified | None = None
) -> LogVerification:
    """Verify a log, from where an earlier verification ended or from its beginning."""
    return _Verifying(files, keys, anchors, since).outcome()


def verify_receipt(data: bytes, keys: Sequence[VerifierKey], anchors: Sequence[bytes] = ()) -> LogVerification:
    """Verify one entry's receipt."""
    found = _Findings()
    try:
        receipt = parse_receipt(data)
        note, checkpoint = receipt.proven()
    except (BadNote, BadProof) as error:
        found.add(Verdict.ALTERED, f"the receipt does not hold: {error}")
        return _nothing(found)
    entry = found.check_entry(receipt.entry, receipt.index, checkpoint.origin)
    trust = Trust(keys)
    signer = found.check_signature(note, checkpoint, trust)
    for _, anchor in found.read_anchors(anchors, checkpoint.origin):
        if anchor.size == checkpoint.size and anchor.root != checkpoint.root:
            found.add(Verdict.FORKED, f"its checkpoint of {anchor.size} entries is not the one that was kept")
    return LogVerification(
        origin=checkpoint.origin,
        size=checkpoint.size,
        root=checkpoint.root.hex(),
        entries=1,
        signed_by=None if signer is None else str(signer),
        findings=found.all,
        entry=entry,
    )


class _Findings:
    def __init__(self) -> None:
        self.all: list[Finding] = []

    def add(self, verdict: Verdict, message: str, sequence: int | None = None) -> None:
        if not self.are_many:
            self.all.append(Finding(verdict=verdict, message=message, sequence=sequence))

    @property
    def are_many(self) -> bool:
        """Whether nothing more is told."""
        return len(self.all) >= MOST_FINDINGS

    def check_entry(self, data: bytes, sequence: int, origin: str) -> AuditEntry | None:
        """Return an entry if it is one, of that place and log."""
        try:
            entry = _entries.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            self.add(Verdict.ALTERED, f"entry {sequence} is not an audit entry", sequence)
            return None
        if entry.sequence != sequence or not origin.endswith(f"/{entry.tenant_id}"):
            self.add(Verdict.ALTERED, f"entry {sequence} belongs in another place or log", sequence)
            return None
        return entry

    def check_signature(self, note: Note, checkpoint: Checkpoint, trust: Trust) -> VerifierKey | None:
        """Return the key that signed a checkpoint, if it is one that is believed."""
        try:
            signer = trust.signer(note, checkpoint)
        except BadSignature as error:
            self.add(Verdict.ALTERED, f"the checkpoint of {checkpoint.size} entries: {error}")
            return None
        if signer is None:
            named = ", ".join(f"{each.name}+{each.key_id.hex()}" for each in note.signatures[:3])
            ended = trust.ended(note)
            why = f"that key was replaced at {ended[1]} entries" if ended else _NO_KEY
            self.add(Verdict.UNKNOWN_KEY, f"the checkpoint of {checkpoint.size} entries is signed by {named}; {why}")
        return signer

    def read_anchors(self, anchors: Sequence[bytes], origin: str) -> Iterator[tuple[Note, Checkpoint]]:
        """Yield the checkpoints that were kept of a log."""
        for data in anchors:
            try:
                note, checkpoint = read_checkpoint(data)
            except BadNote as error:
                self.add(Verdict.ALTERED, f"what was kept is not a checkpoint: {error}")
                continue
            if checkpoint.origin != origin:
                self.add(Verdict.FORKED, f"what was kept is of the log {checkpoint.origin}, and this is {origin}")
                continue
            yield note, checkpoint


def _nothing(found: _Findings) -> LogVerification:
    return LogVerification(origin=None, size=0, root="", entries=0, findings=found.all)


class _Verifying:
    def __init__(
        self, files: LogFiles, keys: Sequence[VerifierKey], anchors: Sequence[bytes], since: Verified | None
    ) -> None:
        self._files = files
        self._anchor_files = anchors
        self._since = since
        self._found = _Findings()
        self._trust = Trust(keys)
        self._frontier = Frontier()
        self._anchors: list[tuple[Note, Checkpoint]] = []
        # The sizes at which the log is what was kept of it, and those at which it is not.
        self._held: list[int] = []
        self._not_held: list[int] = []
        self._entries = 0

    def outcome(self) -> LogVerification:
        try:
            data = self._files.checkpoint()
            if data is None:
                self._found.add(Verdict.MISSING, "there is no signed checkpoint")
                return _nothing(self._found)
            note, checkpoint = read_checkpoint(data)
        except BadNote as error:
            self._found.add(Verdict.ALTERED, f"the checkpoint: {error}")
            return _nothing(self._found)
        self._anchors = list(self._found.read_anchors(self._anchor_files, checkpoint.origin))
        self._begin(checkpoint)
        self._read(checkpoint)
        signer = self._check_signatures(note, checkpoint)
        self._check_tail(checkpoint)
        findings = sorted(self._found.all, key=lambda each: (each.sequence is None, each.sequence or 0))
        keys = tuple(map(str, self._trust.current))
        edge = self._frontier.to_bytes()
        return LogVerification(
            origin=checkpoint.origin,
            size=checkpoint.size,
            root=checkpoint.root.hex(),
            entries=self._entries,
            signed_by=None if signer is None else str(signer),
            findings=findings,
            verified=None if findings else Verified(size=checkpoint.size, frontier=edge, keys=keys),
        )

    def _begin(self, checkpoint: Checkpoint) -> None:
        since = self._since
        if since is None:
            return
        if since.size > checkpoint.size:
            self._truncated(checkpoint.size, since.size, "were verified before")
        elif all(anchor.size >= since.size for _, anchor in self._anchors):
            self._frontier = Frontier.from_bytes(since.size, since.frontier)

    def _read(self, checkpoint: Checkpoint) -> None:
        begin = self._frontier.size
        self._hold_against_anchors()
        end = min(checkpoint.size, self._files.end())
        for tile in tiles_at(0, end):
            if tile.begin + tile.width <= begin:
                continue
            if self._found.are_many:  # as in a log that says to be far longer than what is there
                break
            self._read_tile(tile, checkpoint.origin)
        if end < checkpoint.size:
            self._found.add(Verdict.MISSING, f"entries {end} to {checkpoint.size - 1} are missing", end)
        if self._frontier.size == checkpoint.size and self._frontier.root() == checkpoint.root:
            for size in self._not_held:
                self._found.add(Verdict.FORKED, f"its first {size} entries are not those that were kept")
        elif not any(each.sequence is not None for each in self._found.all):
            self._locate(checkpoint)

    def _read_tile(self, tile: Tile, origin: str) -> None:
        hashes = self._hashes(tile)
        entries = self._bundle(tile)
        for place in range(tile.width):
            sequence = tile.begin + place
            if sequence < self._frontier.size:
                continue
            stored = hashes[place] if hashes is not None else None
            if place < len(entries):
                self._read_entry(entries[place], sequence, stored, origin)
            elif stored is not None:
                self._frontier.append(stored)
            else:
                return
            if self._anchors:
                self._hold_against_anchors()

    def _read_entry(self, data: bytes, sequence: int, stored: bytes | None, origin: str) -> None:
        self._entries += 1
        leaf = leaf_hash(data)
        # What was hashed leads on, so that one bad entry is not taken for another log.
        self._frontier.append(stored or leaf)
        if not data:
            self._found.add(Verdict.MISSING, f"entry {sequence} is missing", sequence)
            return
        if stored is not None and stored != leaf:
            self._found.add(Verdict.ALTERED, f"entry {sequence} is not the one that was hashed", sequence)
            return
        entry = self._found.check_entry(data, sequence, origin)
        try:
            rotation = rotation_of(entry) if entry is not None else None
            if rotation is not None and rotation[1].origin == origin:
                self._trust.rotate(*rotation)
        except (BadNote, BadSignature) as error:
            self._found.add(Verdict.ALTERED, f"entry {sequence}: {error}", sequence)

    def _bundle(self, tile: Tile) -> list[bytes]:
        try:
            data = self._files.bundle(tile)
        except BadNote as error:
            self._found.add(Verdict.ALTERED, f"{tile.bundle_path}: {error}", tile.begin)
            return []
        entries, trouble = entries_of(data, tile.width)
        if trouble:
            self._found.add(Verdict.MISSING, f"entry {tile.begin + len(entries)}: {trouble}", tile.begin + len(entries))
        return entries

    def _hashes(self, tile: Tile) -> list[bytes] | None:
        try:
            data = self._files.tile(tile)
            return None if data is None else split_tile(data, tile.width)
        except BadNote as error:
            self._found.add(Verdict.ALTERED, f"{tile.path}: {error}", tile.begin)
            return None

    def _hold_against_anchors(self) -> None:
        for _, anchor in self._anchors:
            if anchor.size == self._frontier.size:
                held = anchor.root == self._frontier.root()
                (self._held if held else self._not_held).append(anchor.size)

    def _check_signatures(self, note: Note, checkpoint: Checkpoint) -> VerifierKey | None:
        for each, anchor in self._anchors:
            self._found.check_signature(each, anchor, self._trust)
            if anchor.size > max(checkpoint.size, self._files.end()):
                self._truncated(checkpoint.size, anchor.size, "are in a checkpoint that was kept")
        return self._found.check_signature(note, checkpoint, self._trust)

    def _truncated(self, size: int, earlier: int, why: str) -> None:
        self._found.add(Verdict.TRUNCATED, f"the log ends at {size} entries; {earlier} {why}", size)

    def _check_tail(self, checkpoint: Checkpoint) -> None:
        end = self._files.end()
        if end > checkpoint.size:
            last = end - 1
            named = f"entry {last} is" if last == checkpoint.size else f"entries {checkpoint.size} to {last} are"
            older = any(anchor.size > checkpoint.size for _, anchor in self._anchors)
            why = ", which is older than one that was kept" if older else ""
            self._found.add(Verdict.UNSIGNED, f"{named} not in the signed checkpoint{why}", checkpoint.size)

    def _locate(self, checkpoint: Checkpoint) -> None:
        """Name, where the hashes above still tell it, which 256 entries the first bad one is among."""
        for above in tiles_at(1, checkpoint.size):
            stored = self._hashes(above)
            if stored is None:
                break
            for place, expected in enumerate(stored):
                begin = (above.begin + place) * TILE_WIDTH
                if self._subtree(begin) != expected:
                    among = f"the first bad entry is among {begin} to {begin + TILE_WIDTH - 1}"
                    self._found.add(Verdict.ALTERED, f"{among}: their hashes were changed too", begin)
                    return
        first = max(self._held, default=0)
        last = min([each for each in self._not_held if each > first], default=checkpoint.size) - 1
        among = f"the first bad entry is among {first} to {last}"
        self._found.add(Verdict.ALTERED, f"the entries do not lead to the signed root; {among}", first)

    def _subtree(self, begin: int) -> bytes:
        data = self._files.tile(Tile(level=0, index=begin // TILE_WIDTH)) or b""
        frontier = Frontier()
        for at in range(0, len(data), HASH_SIZE):
            frontier.append(data[at : at + HASH_SIZE])
        return frontier.root()
