"""The change of a log's signing key, as an entry tells it: a note signed by the old key and by the new one."""

from supportaccess.structs import Struct
from supportaccess.tlog.checkpoints import parse_count
from supportaccess.tlog.notes import BadNote, VerifierKey, parse_key

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
