"""The Merkle tree of a log, with SHA-256, and proofs: that an entry is in it, that it goes on from an earlier one.

The tree: RFC 6962, section 2.1. Proofs are made as its sections 2.1.1 and 2.1.2 have them, and checked as RFC 9162,
sections 2.1.3.2 and 2.1.4.2, says. The work of a check is bounded by the size of the tree, whatever the proof: 64
hashes for any tree that there can be.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

HASH_SIZE = 32
TILE_HEIGHT = 8
"""Levels of the tree in a tile: nodes are kept and given out at every so many."""
EMPTY_ROOT = bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
"""SHA-256 of nothing, written out: whoever only reads a head need not load what hashes."""

LARGEST_TREE = 2**63 - 1
LONGEST_PATH = 64
Nodes = Callable[[int, int], bytes]
"""Gives the root of the perfect subtree of 2**height leaves that is the index-th of its height: `(height, index)`."""


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of one entry: SHA-256(0x00 || entry)."""
    from hashlib import sha256

    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node: SHA-256(0x01 || left || right)."""
    from hashlib import sha256

    return sha256(b"\x01" + left + right).digest()


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


class BadProof(ValueError):
    """A proof does not show what it should."""


def subtrees(size: int, begin: int = 0) -> Iterator[tuple[int, int]]:
    """Yield height and index of the perfect subtrees that leaves from `begin` up to `size` are made of, in order."""
    while begin < size:
        height = (size - begin).bit_length() - 1
        if begin:
            height = min(height, (begin & -begin).bit_length() - 1)
        yield height, begin >> height
        begin += 1 << height


def inclusion_proof(index: int, size: int, nodes: Nodes) -> list[bytes]:
    """Return the path of a leaf in the tree of the first `size` leaves, from its sibling upwards."""
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    path: list[bytes] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            path.append(_root(middle, end, nodes))
            end = middle
        else:
            path.append(_root(begin, middle, nodes))
            begin = middle
    return path[::-1]


def consistency_proof(earlier: int, size: int, nodes: Nodes) -> list[bytes]:
    """Return what shows that the tree of `size` leaves goes on from that of its first `earlier` ones."""
    if not 0 <= earlier <= size:
        raise ValueError(f"a tree of {size} leaves does not go on from one of {earlier}")
    if earlier in {0, size}:
        return []
    path: list[bytes] = []
    begin, end = 0, size
    whole = True
    while earlier != end:
        middle = begin + _split(end - begin)
        if earlier <= middle:
            path.append(_root(middle, end, nodes))
            end = middle
        else:
            path.append(_root(begin, middle, nodes))
            begin = middle
            whole = False
    if not whole:
        path.append(_root(begin, end, nodes))
    return path[::-1]


def root_by_inclusion(index: int, size: int, leaf: bytes, path: Sequence[bytes]) -> bytes:
    """Return the root of the tree that has the leaf there, by its path. Raises BadProof."""
    if not 0 <= index < size <= LARGEST_TREE:
        raise BadProof(f"entry {index} cannot be in a log of {size} entries")
    _check(leaf, *path)
    node, last = leaf, size - 1
    for sibling in path:
        if last == 0:
            raise BadProof("the proof has more hashes than the tree has levels")
        if index & 1 or index == last:
            node = node_hash(sibling, node)
            while not index & 1 and index:
                index >>= 1
                last >>= 1
        else:
            node = node_hash(node, sibling)
        index >>= 1
        last >>= 1
    if last:
        raise BadProof("the proof has fewer hashes than the tree has levels")
    return node


def check_inclusion(index: int, size: int, leaf: bytes, path: Sequence[bytes], root: bytes) -> None:
    """Raise BadProof unless the path shows that the leaf is there in the tree of that root."""
    if root_by_inclusion(index, size, leaf, path) != root:
        raise BadProof(f"entry {index} is not in the log of that root")


def check_consistency(earlier: int, size: int, earlier_root: bytes, root: bytes, path: Sequence[bytes]) -> None:
    """Raise BadProof unless the path shows that the one tree goes on from the other."""
    if not 0 <= earlier <= size <= LARGEST_TREE:
        raise BadProof(f"a log of {size} entries does not go on from one of {earlier}")
    _check(earlier_root, root, *path)
    if earlier in {0, size}:
        if path:
            raise BadProof("the proof has hashes where none are needed")
        if earlier_root != (root if earlier else EMPTY_ROOT):
            raise BadProof(f"there are two logs of {earlier} entries with different roots")
        if not size and root != EMPTY_ROOT:
            raise BadProof("a log without entries has another root")
        return
    if not path:
        raise BadProof("the proof is empty")
    hashes = [earlier_root, *path] if earlier.bit_count() == 1 else list(path)
    before, after = _roots(earlier, size, hashes)
    if before != earlier_root:
        raise BadProof(f"the first {earlier} entries are not those of the earlier log")
    if after != root:
        raise BadProof("the later entries do not lead to the root")


def _roots(earlier: int, size: int, hashes: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Return the roots of both trees, by the hashes of a proof."""
    first, second = earlier - 1, size - 1
    while first & 1:
        first >>= 1
        second >>= 1
    before = after = hashes[0]
    for sibling in hashes[1:]:
        if second == 0:
            raise BadProof("the proof has more hashes than the tree has levels")
        if first & 1 or first == second:
            before = node_hash(sibling, before)
            after = node_hash(sibling, after)
            while not first & 1 and first:
                first >>= 1
                second >>= 1
        else:
            after = node_hash(after, sibling)
        first >>= 1
        second >>= 1
    if second:
        raise BadProof("the proof has fewer hashes than the tree has levels")
    return before, after


def _check(*hashes: bytes) -> None:
    if len(hashes) > LONGEST_PATH + 2 or any(len(each) != HASH_SIZE for each in hashes):
        raise BadProof(f"a proof is made of at most {LONGEST_PATH} hashes of {HASH_SIZE} bytes")


def _split(size: int) -> int:
    """Return the largest power of two below a size of at least 2."""
    return 1 << ((size - 1).bit_length() - 1)


def _root(begin: int, end: int, nodes: Nodes) -> bytes:
    *left, last = [nodes(height, index) for height, index in subtrees(end, begin)]
    for each in reversed(left):
        last = node_hash(each, last)
    return last
