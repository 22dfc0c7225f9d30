import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportaccess.tlog.merkle import EMPTY_ROOT, Frontier, leaf_hash

LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
# The roots of the first one, two, ... eight leaves: the reference values of Certificate Transparency's own tests.
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def defined_root(entries: list[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, word by word."""
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    k = 1
    while k * 2 < len(entries):
        k *= 2
    return hashlib.sha256(b"\x01" + defined_root(entries[:k]) + defined_root(entries[k:])).digest()


def frontier_of(entries: list[bytes]) -> Frontier:
    frontier = Frontier()
    for entry in entries:
        frontier.append(leaf_hash(entry))
    return frontier


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_of_the_certificate_transparency_vectors(size: int) -> None:
    """The first leaves of the well-known vectors have the well-known roots, by the code and by the definition."""
    assert ROOTS[size - 1] == defined_root(LEAVES[:size]).hex()
    assert ROOTS[size - 1] == frontier_of(LEAVES[:size]).root().hex()


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    """A tree without leaves has the root SHA-256 of the empty string."""
    assert hashlib.sha256(b"").digest() == EMPTY_ROOT == Frontier().root()


@given(st.lists(st.binary(max_size=8), max_size=70))
def test_the_frontier_has_the_root_of_the_definition(entries: list[bytes]) -> None:
    """Whatever the leaves, the right edge tells the root that RFC 6962 defines for all of them."""
    assert defined_root(entries) == frontier_of(entries).root()


@given(st.lists(st.binary(max_size=4), max_size=40), st.lists(st.binary(max_size=4), max_size=40))
def test_a_frontier_that_was_stored_goes_on_as_if_it_had_not_been(before: list[bytes], after: list[bytes]) -> None:
    """Written down and read again in the middle, the edge ends with the same root."""
    stored = frontier_of(before)

    frontier = Frontier.from_bytes(stored.size, stored.to_bytes())
    for entry in after:
        frontier.append(leaf_hash(entry))

    assert len(before + after) == frontier.size
    assert defined_root(before + after) == frontier.root()


@pytest.mark.parametrize(("size", "data"), [(1, b""), (0, bytes(32)), (3, bytes(32)), (1, bytes(31)), (2, bytes(64))])
def test_an_edge_that_does_not_fit_its_size_is_refused(size: int, data: bytes) -> None:
    """An edge with too few, too many or broken hashes for its number of leaves is a ValueError."""
    with pytest.raises(ValueError, match=r"subtrees|whole hashes"):
        Frontier.from_bytes(size, data)
