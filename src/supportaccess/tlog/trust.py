"""Which keys a log's signatures are believed by: those that one begins with, and those that they were rotated to."""

from collections.abc import Iterable

from supportaccess.tlog.checkpoints import Checkpoint
from supportaccess.tlog.notes import Note, VerifierKey
from supportaccess.tlog.rotations import Rotation
from supportaccess.tlog.signers import BadSignature, signers_of


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
