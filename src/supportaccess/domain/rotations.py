"""The change of a log's signing key, as an entry tells it: a note signed by the old key and by the new one."""

from supportaccess.domain.audit import Activity, AuditEntry
from supportaccess.domain.checkpoints import parse_count
from supportaccess.domain.notes import BadNote, Note, VerifierKey, parse_key, parse_note
from supportaccess.domain.records import Struct

_TITLE = "supportaccess key rotation"
DETAIL = "note"
"""The name under which an entry's details have the note."""


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


def parse_rotation(text: str) -> Rotation:
    """Return a rotation from its note's text. Raises BadNote."""
    lines = text.split("\n")
    if len(lines) != 6 or lines[0] != _TITLE or lines[5]:
        raise BadNote("this is not a rotation of a key")
    _, origin, sequence, old, new, _ = lines
    rotation = Rotation(origin=origin, sequence=parse_count(sequence), old=parse_key(old), new=parse_key(new))
    if rotation.old.name != origin or rotation.new.name != origin:
        raise BadNote("a rotation is between two keys of the log's own name")
    return rotation


def rotation_of(entry: AuditEntry) -> tuple[Note, Rotation] | None:
    """Return the rotation that an entry tells of, or None. Its signatures remain to be verified. Raises BadNote."""
    if entry.activity is not Activity.KEY_ROTATED:
        return None
    note = parse_note(str((entry.details or {}).get(DETAIL, "")).encode())
    rotation = parse_rotation(note.text)
    if rotation.sequence != entry.sequence:
        raise BadNote("this rotation belongs to another entry")
    return note, rotation
