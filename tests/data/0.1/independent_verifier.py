"""A second verifier of an exported log, which has nothing of the program: Python's own library and Ed25519 alone.

    python tests/independent_verifier.py EXPORT KEY [ANCHOR...]

Written from the specifications (RFC 6962, c2sp.org/signed-note, tlog-checkpoint, tlog-tiles, and docs/audit-log.md) and
slow on purpose: the whole tree is computed by its definition.
"""

import hashlib
import json
import re
import sys
from base64 import b64decode
from collections.abc import Mapping, Sequence
from pathlib import Path
from zipfile import ZipFile

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Found = tuple[str, int | None]


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def root_of(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, over leaves that are hashed already."""
    if not leaves:
        return sha(b"")
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return sha(b"\x01" + root_of(leaves[:half]) + root_of(leaves[half:]))


def checkpoint_of(data: bytes) -> tuple[str, int, bytes]:
    origin, size, root = data.decode().split("\n")[:3]
    return origin, int(size), b64decode(root)


def signed_by(data: bytes, vkey: str) -> bool | None:
    """Tell whether a key signed a note; None when the note does not say so."""
    text, _, lines = data.decode().rpartition("\n\n")
    name, key_id, public = vkey.split("+", 2)
    key = b64decode(public)
    assert key_id == sha(name.encode() + b"\n" + key)[:4].hex()
    answer = None
    for line in lines.splitlines():
        _, signer, encoded = line.split(" ")
        signature = b64decode(encoded)
        if signer == name and signature[:4].hex() == key_id:
            try:
                Ed25519PublicKey.from_public_bytes(key[1:]).verify(signature[4:], (text + "\n").encode())
            except InvalidSignature:
                return False
            answer = True
    return answer


def path_of(index: int, width: int) -> str:
    digits = f"{index:03d}"
    digits = digits.zfill((len(digits) + 2) // 3 * 3)
    parts = re.findall("...", digits)
    return "/".join(["x" + part for part in parts[:-1]] + parts[-1:]) + (f".p/{width}" if width < 256 else "")


def files_of(export: Path) -> dict[str, bytes]:
    """Return the files of an export by their paths: of a folder, or of a zip file."""
    if export.is_dir():
        return {each.relative_to(export).as_posix(): each.read_bytes() for each in export.rglob("*") if each.is_file()}
    with ZipFile(export) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}


def read_entries(
    files: Mapping[str, bytes], size: int, origin: str
) -> tuple[list[bytes], list[Found], list[tuple[int, str, str]]]:
    """Return the leaves as they were hashed, what is wrong with entries, and the changes of key."""
    leaves: list[bytes] = []
    found: list[Found] = []
    rotations = []
    for index in range((size + 255) // 256):
        width = min(256, size - index * 256)
        data, hashes = (files.get(f"tile/{kind}/{path_of(index, width)}", b"") for kind in ("entries", "0"))
        for place in range(width):
            sequence, length = index * 256 + place, int.from_bytes(data[:2])
            entry, data = data[2 : 2 + length], data[2 + length :]
            stored = hashes[place * 32 : place * 32 + 32] or sha(b"\x00" + entry)
            leaves.append(stored)
            if not entry:
                found.append(("missing", sequence))
            elif sha(b"\x00" + entry) != stored or not belongs(entry, sequence, origin):
                found.append(("altered", sequence))
            elif json.loads(entry)["activity"] == "Key rotated":
                rotations.append((sequence, *json.loads(entry)["details"]["note"].split("\n")[3:5]))
                if not all(signed_by(json.loads(entry)["details"]["note"].encode(), key) for key in rotations[-1][1:]):
                    found.append(("altered", sequence))
    return leaves, found, rotations


def belongs(entry: bytes, sequence: int, origin: str) -> bool:
    try:
        told = json.loads(entry)
        return bool(told["sequence"] == sequence and origin.endswith("/" + told["tenantId"]) and told["activity"])
    except (ValueError, KeyError, TypeError):
        return False


def verify(export: Path, vkey: str, anchors: Sequence[bytes] = ()) -> list[Found]:
    """Return what is wrong with an exported log: verdicts, each with the entry that it is about."""
    files = files_of(export)
    if "checkpoint" not in files:
        return [("missing", None)]
    note = files["checkpoint"]
    origin, size, root = checkpoint_of(note)
    bundles = "tile/entries/"
    end = max([end_of(name.removeprefix(bundles)) for name in files if name.startswith(bundles)], default=0)
    leaves, found, rotations = read_entries(files, min(size, end), origin)
    if end < size:
        found.append(("missing", end))
    own_root = root_of(leaves)
    if own_root != root and not found:
        found.append(("altered", None))
    for anchor in anchors:
        _, kept, kept_root = checkpoint_of(anchor)
        if kept > max(size, end):
            found.append(("truncated", size))
        elif kept <= size and own_root == root and root_of(leaves[:kept]) != kept_root:
            found.append(("forked", None))
    if end > size:
        found.append(("unsigned", size))
    believed = {vkey: size + 1}
    for sequence, old, new in rotations:
        if old in believed or new in believed:
            believed |= {old: sequence + 1, new: believed.get(new, size + 1)}
    answers = {key: signed_by(note, key) for key in believed}
    if False in answers.values():
        found.append(("altered", None))
    elif not any(answers[key] and size <= until for key, until in believed.items()):
        found.append(("unknownKey", None))
    return sorted(found, key=lambda each: (each[1] is None, each[1] or 0))


def end_of(path: str) -> int:
    index, _, width = path.replace("x", "").replace("/", "").partition(".p")
    return int(index) * 256 + int(width or 256)


if __name__ == "__main__":
    troubles = verify(Path(sys.argv[1]), sys.argv[2], [Path(name).read_bytes() for name in sys.argv[3:]])
    sys.stdout.writelines(f"{verdict} {'' if sequence is None else sequence}\n" for verdict, sequence in troubles)
    sys.exit(bool(troubles))
