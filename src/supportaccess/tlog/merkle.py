"""The Merkle tree of an audit log: RFC 6962, section 2.1, with SHA-256."""

import hashlib
from collections.abc import Iterable

HASH_SIZE = 32
EMPTY_ROOT = hashlib.sha256().digest()


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of one entry: SHA-256(0x00 || entry)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node: SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The tree's right edge: all that is needed to append a leaf and to tell the root.

    Holds the roots of the perfect subtrees that make up the tree, largest first: one for each bit of `size`.
    """

    def __init__(self, size: int = 0, subtrees: Iterable[bytes] = ()) -> None:
        self.size = size
        self._subtrees = list(subtrees)
        if len(self._subtrees) != size.bit_count():
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} subtrees, not {len(self._subtrees)}")

    @classmethod
    def from_bytes(cls, size: int, data: bytes) -> "Frontier":
        """Rebuild from what `to_bytes` gave. Raises ValueError when the length does not fit the size."""
        if len(data) % HASH_SIZE:
            raise ValueError("a frontier is made of whole hashes")
        return cls(size, (data[i : i + HASH_SIZE] for i in range(0, len(data), HASH_SIZE)))

    def to_bytes(self) -> bytes:
        """Return the subtree roots, one after another."""
        return b"".join(self._subtrees)

    def append(self, leaf: bytes) -> list[bytes]:
        """Add a leaf by its hash. Return the roots of the perfect subtrees that it completes, by height from 0."""
        node, size = leaf, self.size
        completed = [leaf]
        while size & 1:
            node = node_hash(self._subtrees.pop(), node)
            completed.append(node)
            size >>= 1
        self._subtrees.append(node)
        self.size += 1
        return completed

    def root(self) -> bytes:
        """Return the tree's root hash; of no leaves, the hash of nothing."""
        if not self._subtrees:
            return EMPTY_ROOT
        node = self._subtrees[-1]
        for left in reversed(self._subtrees[:-1]):
            node = node_hash(left, node)
        return node
