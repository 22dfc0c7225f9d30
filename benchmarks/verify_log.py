"""How long it takes to verify a log of a million entries: from an export, with hashes and signature, and going on.

python -m benchmarks.verify_log [ENTRIES]
"""

import hashlib
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from benchmarks.table import print_table

from supportaccess.domain.audit import Activity, AuditEntry, encode_entry
from supportaccess.domain.records import Actor, ActorKind
from supportaccess.domain.times import from_microseconds
from supportaccess.store.verification import read_entry
from supportaccess.tlog.files import Folder, export
from supportaccess.tlog.merkle import TILE_HEIGHT, Frontier, inclusion_proof, leaf_hash
from supportaccess.tlog.notes import Checkpoint
from supportaccess.tlog.receipts import Receipt
from supportaccess.tlog.signers import SeedSigner, key_of, sign
from supportaccess.tlog.tiles import Tile, encode_bundle
from supportaccess.tlog.verify import LogVerification, verify_log, verify_receipt

T = TypeVar("T")
_TENANT = "11111111-1111-4111-8111-111111111111"
_ORIGIN = f"supportaccess/benchmark/{_TENANT}"
_ADA = Actor(kind=ActorKind.USER, tenant_id=_TENANT, object_id="ada", display_name="Ada Administrator")


class _Log:
    """A log in memory, as the files of an export are made of it."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.signer = SeedSigner(bytes(32))
        self.entries = [encode_entry(_entry(sequence)) for sequence in range(size)]
        self._levels: list[list[bytes]] = [[]]
        frontier = Frontier()
        for entry in self.entries:
            completed = frontier.append(leaf_hash(entry))
            for level, node in enumerate(completed[::TILE_HEIGHT]):
                if level == len(self._levels):
                    self._levels.append([])
                self._levels[level].append(node)
        self._root = frontier.root()

    def checkpoint(self) -> bytes:
        text = Checkpoint(origin=_ORIGIN, size=self.size, root=self._root).text
        return sign(text, _ORIGIN, [self.signer]).encode()

    def tile(self, tile: Tile) -> bytes:
        return b"".join(self._levels[tile.level][tile.begin : tile.begin + tile.width])

    def bundle(self, tile: Tile) -> bytes:
        return encode_bundle(self.entries[tile.begin : tile.begin + tile.width])

    def end(self) -> int:
        return self.size

    def node(self, height: int, index: int) -> bytes:
        frontier = Frontier()
        above = height % TILE_HEIGHT
        for each in self._levels[height // TILE_HEIGHT][index << above : (index + 1) << above]:
            frontier.append(each)
        return frontier.root()


def _entry(sequence: int) -> AuditEntry:
    digest = hashlib.sha256(sequence.to_bytes(8)).hexdigest()
    return AuditEntry(
        format_version=1,
        sequence=sequence,
        time=from_microseconds(1_770_000_000_000_000 + sequence),
        tenant_id=_TENANT,
        activity=Activity.REQUEST_APPROVED,
        actor=_ADA,
        access_request_id=digest[:36],
        support_request_id=digest[:16],
        seen=digest[:43],
        record=digest[:43],
        reason="sign-ins fail since the change of last night",
        idempotency_key=digest[:32],
    )


def _must_hold(outcome: LogVerification) -> None:
    if outcome.findings:
        sys.exit(f"it does not hold: {outcome.findings[0].message}")


def _timed(act: Callable[[], T]) -> tuple[float, T]:
    began = time.perf_counter()
    result = act()
    return time.perf_counter() - began, result


def main() -> None:
    """Measure and print."""
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    log = _Log(size)
    keys = [key_of(log.signer, _ORIGIN)]
    with tempfile.TemporaryDirectory() as folder:
        files = Folder(Path(folder) / "log")
        writing, count = _timed(lambda: export(log, size, Path(folder) / "log"))
        whole, verified = _timed(lambda: verify_log(files, read_entry, keys))
        _must_hold(verified)
        going_on, _ = _timed(lambda: verify_log(files, read_entry, keys, since=verified.verified))
        floor, _ = _timed(lambda: [hashlib.sha256(b"\x00" + entry).digest() for entry in log.entries])
        path = tuple(inclusion_proof(size // 3, size, log.node))
        receipt = Receipt(
            entry=log.entries[size // 3], index=size // 3, path=path, checkpoint=log.checkpoint()
        ).encode()
        one, outcome = _timed(lambda: verify_receipt(receipt, read_entry, keys))
        _must_hold(outcome)
    rows = [
        ("hashing the entries alone", f"{floor:.2f}", "1.0"),
        (f"writing the export: {count:,} files", f"{writing:.2f}", f"{writing / floor:.1f}"),
        ("verifying it", f"{whole:.2f}", f"{whole / floor:.1f}"),
        ("going on from there, with nothing new", f"{going_on:.4f}", f"{going_on / floor:.4f}"),
        ("one receipt", f"{one:.4f}", f"{one / floor:.4f}"),
    ]
    print(f"{size:,} entries of {len(log.entries[0])} bytes\n")
    print_table(("what", "seconds", "x hashing"), rows)


if __name__ == "__main__":
    main()
