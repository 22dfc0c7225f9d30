"""Receipts: that an entry is in a signed log, in one text file, as c2sp.org/tlog-proof v1 has it.

The entry itself is the file's extra data: with the log's key, the file alone shows what was logged.
"""

from base64 import b64encode

from supportaccess.structs import Struct
from supportaccess.tlog.merkle import HASH_SIZE, LONGEST_PATH, check_inclusion, leaf_hash
from supportaccess.tlog.notes import (
    LARGEST_NOTE,
    BadNote,
    Checkpoint,
    Note,
    decode_base64,
    parse_count,
    read_checkpoint,
)

HEADER = "c2sp.org/tlog-proof@v1"
LARGEST_RECEIPT = 2 * LARGEST_NOTE
"""Bytes: an entry of 16 KiB in base64, 64 hashes and a checkpoint are less."""


class Receipt(Struct, frozen=True, kw_only=True):
    """An entry, its place, its path to the root, and the signed checkpoint with that root."""

    entry: bytes
    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes

    def encode(self) -> bytes:
        """Return the receipt as its file."""
        lines = [HEADER, f"extra {b64encode(self.entry).decode()}", f"index {self.index}"]
        hashes = [b64encode(each).decode() for each in self.path]
        return "\n".join([*lines, *hashes, "", ""]).encode() + self.checkpoint

    def proven(self) -> tuple[Note, Checkpoint]:
        """Return the checkpoint, once the entry is in its tree: then its signature remains to be verified.

        Raises BadProof, and BadNote for what is no checkpoint.
        """
        note, checkpoint = read_checkpoint(self.checkpoint)
        check_inclusion(self.index, checkpoint.size, leaf_hash(self.entry), self.path, checkpoint.root)
        return note, checkpoint


def parse_receipt(data: bytes) -> Receipt:
    """Return a receipt from its bytes. Raises BadNote for what is none, and for one without the entry."""
    if len(data) > LARGEST_RECEIPT:
        raise BadNote(f"a receipt has at most {LARGEST_RECEIPT:,} bytes")
    above, blank, checkpoint = data.partition(b"\n\n")
    try:
        header, *lines = above.decode().split("\n")
    except UnicodeDecodeError:
        raise BadNote("a receipt is UTF-8 text") from None
    if header != HEADER or not blank:
        raise BadNote(f"a receipt begins with {HEADER} and has a checkpoint beneath a blank line")
    if len(lines) < 2 or not lines[0].startswith("extra ") or not lines[1].startswith("index "):
        raise BadNote("a receipt of this program has its entry as extra data, and its index")
    if len(lines) > 2 + LONGEST_PATH:
        raise BadNote(f"a proof has at most {LONGEST_PATH} hashes")
    path = tuple(decode_base64(line) for line in lines[2:])
    if any(len(each) != HASH_SIZE for each in path):
        raise BadNote(f"a hash has {HASH_SIZE} bytes")
    return Receipt(
        entry=decode_base64(lines[0][len("extra ") :]),
        index=parse_count(lines[1][len("index ") :]),
        path=path,
        checkpoint=checkpoint,
    )
