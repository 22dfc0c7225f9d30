"""Which keys a log's signatures are believed by: those that one begins with, and those that they were rotated to.

A rotation, the change of a key, is told by an entry: a note signed by the old key and by the new one.
"""

from collections.abc import Iterable

from supportaccess.structs import Struct
from supportaccess.tlog.notes import BadNote, Checkpoint, Note, VerifierKey, parse_count, parse_key
from supportaccess.tlog.signers import BadSignature, signers_of

_TITLE = "supportaccess key rotation"


class Rotation(Struct, frozen=True, kw_only=True):
    """From the entry at `sequence` on, `new` signs and `old` no more. The checkpoint right after it has both."""

    origin: str
    sequence: int
    old: VerifierKey
    new: VerifierKey

    @property
    def text(self) -> str:
        """The text that both keys sign."""
        return f"{_TITLE}\n{self.origin}\n{self.sequence}\n{self.old}\n{self.new}\n"


def parse_rotation(text: str, sequence: int | None = None) -> Rotation:
    """Return a rotation from its note's text; with a sequence, that of the entry there. Raises BadNote."""
    lines = text.split("\n")
    if len(lines) != 6 or lines[0] != _TITLE or lines[5]:
        raise BadNote("this is not a rotation of a key")
    _, origin, place, old, new, _ = lines
    rotation = Rotation(origin=origin, sequence=parse_count(place), old=parse_key(old), new=parse_key(new))
    if rotation.old.name != origin or rotation.new.name != origin:
        raise BadNote("a rotation is between two keys of the log's own name")
    if sequence not in {None, rotation.sequence}:
        raise BadNote("this rotation belongs to another entry")
    return rotation


class Trust:
    """The keys of one log. A key that was replaced is believed no further than the checkpoint that tells of it."""

    def __init__(self, keys: Iterable[VerifierKey]) -> None:
        self._keys = list(dict.fromkeys(keys))
        self._ended: dict[VerifierKey, int] = {}

    @property
    def current(self) -> list[VerifierKey]:
        """The keys that may sign what comes next."""
        return [key for key in self._keys if key not in self._ended]

    def rotate(self, note: Note, rotation: Rotation) -> bool:
        """Take a change of key, and say whether it counts: it must be signed by both, and one of them be believed.

        Raises BadSignature for one that a believed key did not sign, though it says so.
        """
        if not {rotation.old, rotation.new} & set(self._keys):
            return False
        if len(signers_of(note, {rotation.old, rotation.new})) != 2:
            raise BadSignature("a change of key is not signed by both keys")
        for key in (rotation.old, rotation.new):
            if key not in self._keys:
                self._keys.append(key)
        self._ended.setdefault(rotation.old, rotation.sequence + 1)
        return True

    def signer(self, note: Note, checkpoint: Checkpoint) -> VerifierKey | None:
        """Return a believed key that signed a checkpoint, or None. Raises BadSignature for a forged signature."""
        found = signers_of(note, self._keys)
        return next((key for key in reversed(found) if checkpoint.size <= self._ended.get(key, checkpoint.size)), None)

    def ended(self, note: Note) -> tuple[VerifierKey, int] | None:
        """Return a key that was replaced and is named on the note, with the size at which it ended."""
        named = [(key, size) for key, size in self._ended.items() if key.signed(note)]
        return named[0] if named else None
