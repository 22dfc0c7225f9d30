"""Signed notes: text with signatures beneath, as c2sp.org/signed-note v1 has them. Signing itself is done elsewhere.

And checkpoints, the texts that are signed: what a log was at one moment, as c2sp.org/tlog-checkpoint v1 has it.

What is parsed here comes from anywhere: nothing of a note is to be believed before a signature by a known key on its
text was verified.
"""

import re
from base64 import b64encode
from binascii import Error as Base64Error
from binascii import a2b_base64

from supportaccess.structs import Struct
from supportaccess.tlog.merkle import EMPTY_ROOT, HASH_SIZE, LARGEST_TREE

LARGEST_NOTE = 64 * 1024
MOST_SIGNATURES = 64
ED25519 = b"\x01"
PUBLIC_KEY_SIZE = 32
SIGNATURE_SIZE = 64

_LONGEST_NAME = 512
_CONTROL = r"[\x00-\x09\x0b-\x1f]"
_DASH = "\u2014 "


class BadNote(ValueError):
    """Something is not a note, a signature or a key."""


class Signature(Struct, frozen=True, kw_only=True):
    """A signature as a note has it: the name of its key, the first bytes of the key's hash, and what was signed."""

    name: str
    key_id: bytes
    signature: bytes


class Note(Struct, frozen=True, kw_only=True):
    """A text, which ends in a newline, and the signatures on it."""

    text: str
    signatures: tuple[Signature, ...]

    def encode(self) -> bytes:
        """Return the note as it is kept and sent."""
        return f"{self.text}\n{''.join(map(_line, self.signatures))}".encode()


class VerifierKey(Struct, frozen=True, kw_only=True):
    """The public half of an Ed25519 key, under a name."""

    name: str
    public_key: bytes

    @property
    def key_id(self) -> bytes:
        """The four bytes by which a signature names its key."""
        from hashlib import sha256  # whoever reads a list verifies nothing

        return sha256(self.name.encode() + b"\n" + ED25519 + self.public_key).digest()[:4]

    def __str__(self) -> str:
        """Return the key as it is handed on: `name+ID+key`."""
        return f"{self.name}+{self.key_id.hex()}+{b64encode(ED25519 + self.public_key).decode()}"

    def signed(self, note: Note) -> list[Signature]:
        """Return the signatures that say to be by this key."""
        return [each for each in note.signatures if (each.name, each.key_id) == (self.name, self.key_id)]


def parse_note(data: bytes) -> Note:
    """Return a note from its bytes. Raises BadNote for what is none, is over 64 KiB or has over 64 signatures."""
    if len(data) > LARGEST_NOTE:
        raise BadNote(f"a signed note has at most {LARGEST_NOTE:,} bytes")
    try:
        whole = data.decode()
    except UnicodeDecodeError:
        raise BadNote("a signed note is UTF-8 text") from None
    if re.search(_CONTROL, whole):
        raise BadNote("a signed note has no control characters")
    text, blank, beneath = whole.rpartition("\n\n")
    if not (blank and beneath.endswith("\n")):
        raise BadNote("a signed note ends in signatures beneath a blank line")
    lines = beneath[:-1].split("\n")
    if len(lines) > MOST_SIGNATURES:
        raise BadNote(f"a signed note has at most {MOST_SIGNATURES} signatures")
    return Note(text=text + "\n", signatures=tuple(map(_signature, lines)))


def parse_key(text: str) -> VerifierKey:
    """Return an Ed25519 verifier key (`name+ID+key`). Raises BadNote for what is none."""
    name, _, rest = text.partition("+")
    key_id, _, encoded = rest.partition("+")
    check_name(name)
    data = decode_base64(encoded)
    if data[:1] != ED25519 or len(data) != 1 + PUBLIC_KEY_SIZE:
        raise BadNote("this is not an Ed25519 verifier key")
    key = VerifierKey(name=name, public_key=data[1:])
    if key_id != key.key_id.hex():
        raise BadNote("the ID in this verifier key is not that of the key: it was changed or cut")
    return key


def check_name(name: str) -> None:
    """Raise BadNote for what cannot name a key."""
    if not 1 <= len(name) <= _LONGEST_NAME or "+" in name or any(each.isspace() or each < " " for each in name):
        raise BadNote("a key's name has no blanks, no plus and no control characters")


def decode_base64(text: str) -> bytes:
    """Return the bytes of standard base64, of which there is exactly one spelling. Raises BadNote."""
    try:
        data = a2b_base64(text.encode("ascii"), strict_mode=True)
    except (Base64Error, UnicodeEncodeError):
        raise BadNote("this is not base64") from None
    if b64encode(data).decode() != text:
        raise BadNote("this is not base64 as it is written")
    return data


def _signature(line: str) -> Signature:
    if not line.startswith(_DASH):
        raise BadNote("a signature begins with a dash and a blank")
    name, _, encoded = line[len(_DASH) :].partition(" ")
    check_name(name)
    data = decode_base64(encoded)
    if len(data) < 5:
        raise BadNote("a signature is too short")
    return Signature(name=name, key_id=data[:4], signature=data[4:])


def _line(signature: Signature) -> str:
    return f"{_DASH}{signature.name} {b64encode(signature.key_id + signature.signature).decode()}\n"


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
