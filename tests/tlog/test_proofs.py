"""Proofs of inclusion and consistency: published vectors, the definitions, and what is not to be taken for a proof."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tlog.test_merkle import LEAVES, ROOTS, defined_root

from supportaccess.tlog.merkle import (
    EMPTY_ROOT,
    LARGEST_TREE,
    BadProof,
    Nodes,
    check_consistency,
    check_inclusion,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_by_inclusion,
    subtrees,
)

# github.com/transparency-dev/merkle, proof/verify_test.go: place from 1, size, path.
INCLUSION = [
    (1, 1, []),
    (
        1,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6,
        8,
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (3, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (
        2,
        5,
        [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]
CONSISTENCY = [
    (1, 1, []),
    (
        1,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6,
        8,
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (
        2,
        5,
        [
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
    (
        6,
        7,
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
]
SOME_HASH = bytes.fromhex("abacaba000000000000000000000000000000000000000000060061e00123456")
ENTRIES = [str(number).encode() for number in range(70)]
sizes = st.integers(1, len(ENTRIES))


def nodes_of(entries: list[bytes]) -> Nodes:
    """Return the subtrees of some entries, by the definition."""
    return lambda height, index: defined_root(entries[index << height : (index + 1) << height])


def unhex(path: list[str]) -> list[bytes]:
    return [bytes.fromhex(each) for each in path]


def root(size: int) -> bytes:
    return defined_root(ENTRIES[:size])


class TestVectors:
    @pytest.mark.parametrize(("place", "size", "path"), INCLUSION)
    def test_inclusion(self, place: int, size: int, path: list[str]) -> None:
        """The well-known paths are made and taken."""
        assert path == [each.hex() for each in inclusion_proof(place - 1, size, nodes_of(LEAVES))]
        check_inclusion(place - 1, size, leaf_hash(LEAVES[place - 1]), unhex(path), bytes.fromhex(ROOTS[size - 1]))

    @pytest.mark.parametrize(("earlier", "size", "path"), CONSISTENCY)
    def test_consistency(self, earlier: int, size: int, path: list[str]) -> None:
        """The well-known consistency proofs are made and taken."""
        roots = [bytes.fromhex(ROOTS[each - 1]) for each in (earlier, size)]
        assert path == [each.hex() for each in consistency_proof(earlier, size, nodes_of(LEAVES))]
        check_consistency(earlier, size, roots[0], roots[1], unhex(path))

    def test_the_example_of_the_rfc(self) -> None:
        """The tree of seven leaves that RFC 6962, section 2.1.3, draws has the paths and proofs that it names."""
        leaves = ENTRIES[:7]
        a, b, c, d, e, f, j = map(leaf_hash, leaves)
        g, h, i = node_hash(a, b), node_hash(c, d), node_hash(e, f)
        k, m = node_hash(g, h), node_hash(i, j)
        assert defined_root(leaves) == node_hash(k, m)
        nodes = nodes_of(leaves)

        assert [inclusion_proof(index, 7, nodes) for index in (0, 3, 4, 6)] == [[b, h, m], [c, g, m], [f, j, k], [i, k]]
        assert [consistency_proof(size, 7, nodes) for size in (3, 4, 6)] == [[c, d, g, m], [m], [i, j, k]]


class TestInclusion:
    @given(st.data())
    def test_every_entry_of_every_tree_is_in_it_and_nowhere_else(self, data: st.DataObject) -> None:
        """The path of an entry shows it at its place, and at no other place, size or root, nor another entry."""
        size = data.draw(sizes)
        index = data.draw(st.integers(0, size - 1))
        leaf, path = leaf_hash(ENTRIES[index]), inclusion_proof(index, size, nodes_of(ENTRIES))

        check_inclusion(index, size, leaf, path, root(size))

        for wrong in (index - 1, index + 1, index ^ 2):
            with pytest.raises(BadProof):
                check_inclusion(wrong, size, leaf, path, root(size))
        for bad_leaf, bad_root in ((SOME_HASH, root(size)), (leaf, SOME_HASH), (leaf, EMPTY_ROOT)):
            with pytest.raises(BadProof):
                check_inclusion(index, size, bad_leaf, path, bad_root)

    @given(st.data())
    def test_a_changed_path_shows_nothing(self, data: st.DataObject) -> None:
        """With a bit flipped, a hash left out, put in or cut, a path is none."""
        size = data.draw(sizes)
        index = data.draw(st.integers(0, size - 1))
        path = inclusion_proof(index, size, nodes_of(ENTRIES))
        for changed in changed_paths(path, root(size)):
            with pytest.raises(BadProof):
                check_inclusion(index, size, leaf_hash(ENTRIES[index]), changed, root(size))

    @pytest.mark.parametrize(
        ("index", "size"), [(0, 0), (1, 0), (2, 1), (-1, 1), (0, LARGEST_TREE + 1), (0, LARGEST_TREE)]
    )
    def test_a_place_that_is_none(self, index: int, size: int) -> None:
        """What is not in a tree, or in one that cannot be, has no path there."""
        with pytest.raises(BadProof):
            root_by_inclusion(index, size, SOME_HASH, [])

    def test_a_proof_without_end(self) -> None:
        """A proof of more hashes than any tree has levels is refused before it is gone through."""
        with pytest.raises(BadProof, match="at most 64"):
            root_by_inclusion(0, LARGEST_TREE, SOME_HASH, [SOME_HASH] * 100_000)


class TestConsistency:
    @given(st.data())
    def test_every_tree_goes_on_from_every_earlier_one(self, data: st.DataObject) -> None:
        """A tree's proof shows each earlier one, and no other root or size."""
        size = data.draw(sizes)
        earlier = data.draw(st.integers(0, size))
        proof = consistency_proof(earlier, size, nodes_of(ENTRIES))

        check_consistency(earlier, size, root(earlier), root(size), proof)

        with pytest.raises(BadProof):
            check_consistency(earlier, size, SOME_HASH, root(size), proof)
        if earlier:
            with pytest.raises(BadProof):
                check_consistency(earlier, size, root(earlier), SOME_HASH, proof)
        if 0 < earlier < size:
            for changed in [*changed_paths(proof, root(size)), [], [proof[0], *proof]]:
                with pytest.raises(BadProof):
                    check_consistency(earlier, size, root(earlier), root(size), changed)
            with pytest.raises(BadProof):
                check_consistency(size, earlier, root(size), root(earlier), proof)

    @given(st.data())
    def test_a_log_that_was_rewritten_does_not_go_on(self, data: st.DataObject) -> None:
        """Whatever entry below the earlier size was changed, no proof by the changed tree is taken."""
        size = data.draw(sizes)
        earlier = data.draw(st.integers(1, size))
        forged = list(ENTRIES[:size])
        forged[data.draw(st.integers(0, earlier - 1))] = b"forged"
        proof = consistency_proof(earlier, size, nodes_of(forged))
        with pytest.raises(BadProof):
            check_consistency(earlier, size, root(earlier), defined_root(forged), proof)

    @pytest.mark.parametrize(
        ("earlier", "size", "roots", "path"),
        [
            (0, 0, (EMPTY_ROOT, SOME_HASH), []),
            (0, 1, (SOME_HASH, SOME_HASH), []),
            (0, 0, (SOME_HASH, SOME_HASH), []),
            (1, 1, (EMPTY_ROOT, SOME_HASH), []),
            (1, 0, (SOME_HASH, EMPTY_ROOT), []),
            (2, 1, (SOME_HASH, SOME_HASH), []),
            (1, 2, (SOME_HASH, SOME_HASH), []),
            (0, 0, (EMPTY_ROOT, EMPTY_ROOT), [EMPTY_ROOT]),
            (0, 1, (EMPTY_ROOT, EMPTY_ROOT), [EMPTY_ROOT]),
            (1, 1, (SOME_HASH, SOME_HASH), [EMPTY_ROOT]),
            (-1, 1, (SOME_HASH, SOME_HASH), []),
            (1, 2**64, (SOME_HASH, SOME_HASH), [SOME_HASH]),
            (1, 2, (b"short", SOME_HASH), [SOME_HASH]),
            (1, 2, (SOME_HASH, SOME_HASH), [b"short"]),
        ],
    )
    def test_what_is_refused(self, earlier: int, size: int, roots: tuple[bytes, bytes], path: list[bytes]) -> None:
        """The odd cases of the published tests: empty proofs, time travel, other roots, broken hashes."""
        with pytest.raises(BadProof):
            check_consistency(earlier, size, *roots, path)


@given(st.integers(0, 70), st.integers(0, 70))
def test_subtrees_cover_a_range_once(begin: int, size: int) -> None:
    """The perfect subtrees of a range hold each of its leaves once, in order."""
    leaves = [leaf for height, index in subtrees(size, begin) for leaf in range(index << height, (index + 1) << height)]
    assert list(range(begin, size)) == leaves


def changed_paths(path: list[bytes], root: bytes) -> list[list[bytes]]:
    """Return paths that are not quite the given one."""
    flipped = [[*path[:at], bytes([path[at][0] ^ 8]) + path[at][1:], *path[at + 1 :]] for at in range(len(path))]
    shorter = [path[:-1], path[1:]] if path else []
    return [*flipped, *shorter, [*path, root], [root, *path], [*path, b""], [b"", *path]]
