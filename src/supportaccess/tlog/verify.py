"""Verifies a log from what was given out of it: an export, a receipt, the tiles of a live store. No network.

Everything is computed again from the entries: they are hashed, the tree is built, its root held against the signed
checkpoint, and that against the key and the checkpoints that were kept elsewhere (anchors).
"""

from collections.abc import Callable, Iterator, Sequence

from supportaccess.structs import OpenName, Struct
from supportaccess.tlog.files import LogFiles, entries_of
from supportaccess.tlog.merkle import HASH_SIZE, BadProof, Frontier, leaf_hash
from supportaccess.tlog.notes import BadNote, Checkpoint, Note, VerifierKey, read_checkpoint
from supportaccess.tlog.receipts import parse_receipt
from supportaccess.tlog.remembered import Verified
from supportaccess.tlog.signers import BadSignature
from supportaccess.tlog.tiles import TILE_WIDTH, Tile, split_tile, tiles_at
from supportaccess.tlog.trust import Trust, parse_rotation

MOST_FINDINGS = 1000
_NO_KEY = "no key is known for it: give the log's verifier key with --key (supportaccess store key show prints it)"


class Verdict(OpenName):
    """What is wrong with an audit log.

    An entry or record is altered, missing, or extra: not vouched for. Against what was kept elsewhere a log is
    truncated or forked. Entries are unsigned when no checkpoint has them; a signature may be by a key that is unknown.
    """

    ALTERED = "altered"
    MISSING = "missing"
    EXTRA = "extra"
    TRUNCATED = "truncated"
    FORKED = "forked"
    UNSIGNED = "unsigned"
    UNKNOWN_KEY = "unknownKey"


class Finding(Struct, frozen=True, kw_only=True):
    """One thing wrong with a log. `sequence` names the entry, where it is one."""

    verdict: Verdict
    message: str
    sequence: int | None = None


class BadEntry(ValueError):
    """An entry is not one that the log may have at its place."""


ReadEntry = Callable[[bytes, int, str], Note | None]
"""What a log's entries mean, as far as its verification asks: given an entry, its sequence and its log's origin.

Returns the note of the change of key that it tells of, if it tells of one. Raises BadEntry, whose text goes on from
"entry 7", and BadNote.
"""


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
    entry: bytes | None = None
    verified: Verified | None = None


def verify_log(
    files: LogFiles,
    read_entry: ReadEntry,
    keys: Sequence[VerifierKey],
    anchors: Sequence[bytes] = (),
    since: Verified | None = None,
) -> LogVerification:
    """Verify a log, from where an earlier verification ended or from its beginning."""
    return _Verifying(files, read_entry, keys, anchors, since).outcome()


def verify_receipt(
    data: bytes, read_entry: ReadEntry, keys: Sequence[VerifierKey], anchors: Sequence[bytes] = ()
) -> LogVerification:
    """Verify one entry's receipt."""
    found = _Findings()
    try:
        receipt = parse_receipt(data)
        note, checkpoint = receipt.proven()
    except (BadNote, BadProof) as error:
        found.add(Verdict.ALTERED, f"the receipt does not hold: {error}")
        return _nothing(found)
    proven: bytes | None = receipt.entry
    try:
        read_entry(receipt.entry, receipt.index, checkpoint.origin)
    except BadNote:
        pass  # a change of key counts where the log is read
    except BadEntry as error:
        found.add(Verdict.ALTERED, f"entry {receipt.index} {error}", receipt.index)
        proven = None
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
        entry=proven,
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
        self,
        files: LogFiles,
        read_entry: ReadEntry,
        keys: Sequence[VerifierKey],
        anchors: Sequence[bytes],
        since: Verified | None,
    ) -> None:
        self._files = files
        self._note_of = read_entry
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
        try:
            note = self._note_of(data, sequence, origin)
            rotation = None if note is None else parse_rotation(note.text, sequence)
            if note is not None and rotation is not None and rotation.origin == origin:
                self._trust.rotate(note, rotation)
        except BadEntry as error:
            self._found.add(Verdict.ALTERED, f"entry {sequence} {error}", sequence)
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
