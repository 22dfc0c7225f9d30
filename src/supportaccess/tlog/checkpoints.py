"""Checkpoints: what a log was at one moment, as c2sp.org/tlog-checkpoint v1 has it. The text of a signed note."""

from base64 import b64encode

from supportaccess.structs import Struct
from supportaccess.tlog.merkle import EMPTY_ROOT, HASH_SIZE
from supportaccess.tlog.notes import BadNote, Note, decode_base64, parse_note
from supportaccess.tlog.proofs import LARGEST_TREE


class Checkpoint(Struct, frozen=True, kw_only=True):
    """The head of a log: the log's name, how many entries it has, and the root hash of their tree."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The text that is signed. It has no extension lines: nobody could check them."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"


def parse_checkpoint(text: str) -> Checkpoint:
    """Return a checkpoint from a note's text. Raises BadNote; for extension lines, too."""
    lines = text.split("\n")
    if len(lines) != 4 or lines[3]:
        raise BadNote("a checkpoint has three lines: origin, size, root")
    origin, size, root = lines[:3]
    if not origin:
        raise BadNote("a checkpoint names its log")
    checkpoint = Checkpoint(origin=origin, size=parse_count(size), root=decode_base64(root))
    if len(checkpoint.root) != HASH_SIZE:
        raise BadNote(f"a root hash has {HASH_SIZE} bytes")
    if not checkpoint.size and checkpoint.root != EMPTY_ROOT:
        raise BadNote("a log without entries has another root")
    return checkpoint


def read_checkpoint(data: bytes) -> tuple[Note, Checkpoint]:
    """Return a signed checkpoint's note and what is in it: to be believed once a signature was verified."""
    note = parse_note(data)
    return note, parse_checkpoint(note.text)


def parse_count(text: str) -> int:
    """Return a number as these formats write it: ASCII digits, no leading zeroes. Raises BadNote."""
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and (text == "0" or text[0] != "0")):
        raise BadNote("a number has decimal digits alone, and no leading zeroes")
    if int(text) > LARGEST_TREE:
        raise BadNote(f"no log has more than {LARGEST_TREE:,} entries")
    return int(text)
