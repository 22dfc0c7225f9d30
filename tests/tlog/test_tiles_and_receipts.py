"""Tiles, bundles and receipts: the specifications' examples, and hostile ones."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tlog.test_notes import PETER_LINE
from tests.tlog.test_proofs import ENTRIES, SOME_HASH, nodes_of, root

from supportaccess.tlog.merkle import BadProof, inclusion_proof
from supportaccess.tlog.notes import BadNote, Checkpoint
from supportaccess.tlog.receipts import LARGEST_RECEIPT, Receipt, parse_receipt
from supportaccess.tlog.tiles import Tile, encode_bundle, split_bundle, split_tile, tile_at, tiles_of


class TestTiles:
    def test_the_example_of_the_specification(self) -> None:
        """A tree of 70,000 leaves has the tiles that c2sp.org/tlog-tiles counts."""
        tiles = list(tiles_of(70_000))

        assert sum(tile.level == 0 and tile.width == 256 for tile in tiles) == 273
        assert [(tile.level, tile.width) for tile in tiles if tile.width < 256] == [(0, 112), (1, 17), (2, 1)]
        assert sum(tile.level == 1 and tile.width == 256 for tile in tiles) == 1
        assert len(tiles) == 277

    def test_a_full_tile_alone(self) -> None:
        """A tree of 256 leaves is one full tile, and above it one of width 1."""
        assert [tile.path for tile in tiles_of(256)] == [("tile/0/000"), ("tile/1/000.p/1")]

    @pytest.mark.parametrize(
        ("tile", "path"),
        [
            (Tile(level=0, index=1234067), "tile/0/x001/x234/067"),
            (Tile(level=63, index=0, width=255), "tile/63/000.p/255"),
            (Tile(level=2, index=999), "tile/2/999"),
            (Tile(level=2, index=1000), "tile/2/x001/000"),
        ],
    )
    def test_paths(self, tile: Tile, path: str) -> None:
        """A tile's path is in groups of three digits, all but the last with an x."""
        assert path == tile.path

    def test_entries(self) -> None:
        """The bundle of a tile is beside it."""
        assert Tile(level=0, index=1234067, width=7).bundle_path == "tile/entries/x001/x234/067.p/7"

    @given(st.integers(0, 7), st.integers(0, 2**55 - 1), st.integers(1, 256))
    def test_a_path_is_read_as_it_is_written(self, level: int, index: int, width: int) -> None:
        """The tile of a path is the one that it was made of; a path written in another way is of none."""
        tile = Tile(level=level, index=index, width=width)

        assert tile == tile_at(tile.path)
        assert tile_at(tile.bundle_path) == Tile(level=0, index=index, width=width)
        assert tile_at(tile.path.replace(f"{level}/", f"{level}/x000/", 1)) is None

    @given(st.integers(0, 2**20))
    def test_every_hash_is_in_one_tile(self, size: int) -> None:
        """The widths of each level's tiles add up to its hashes."""
        tiles = list(tiles_of(size))
        for level in range(4):
            assert size >> (8 * level) == sum(tile.width for tile in tiles if tile.level == level)

    def test_a_tile_of_another_width(self) -> None:
        """A tile that is cut or too long is refused."""
        assert split_tile(SOME_HASH * 2, 2) == [SOME_HASH, SOME_HASH]
        for data in (SOME_HASH, SOME_HASH * 3, SOME_HASH * 2 + b"x", b""):
            with pytest.raises(BadNote):
                split_tile(data, 2)


class TestBundles:
    @given(st.lists(st.binary(max_size=300), max_size=256))
    def test_what_is_written_is_read(self, entries: list[bytes]) -> None:
        """Any entries come back from their bundle."""
        assert entries == split_bundle(encode_bundle(entries), len(entries))

    def test_an_entry_as_long_as_can_be(self) -> None:
        """The length is two bytes, the high one first."""
        assert encode_bundle([b"x" * 258])[:2] == b"\x01\x02"
        assert split_bundle(encode_bundle([b"x" * 65535]), 1) == [b"x" * 65535]
        with pytest.raises(ValueError, match="65,535"):
            encode_bundle([b"x" * 65536])

    @pytest.mark.parametrize("data", [b"", b"\x00", b"\x00\x05abc", b"\x00\x01a\x00\x01b", b"\x00\x01a\x00"])
    def test_what_is_no_bundle(self, data: bytes) -> None:
        """A bundle that is cut, or of another number of entries, is refused."""
        with pytest.raises(BadNote):
            split_bundle(data, 1)


def receipt(index: int = 4, size: int = 11) -> Receipt:
    checkpoint = Checkpoint(origin="a.example/b", size=size, root=root(size)).text + "\n" + PETER_LINE
    path = tuple(inclusion_proof(index, size, nodes_of(ENTRIES)))
    return Receipt(entry=ENTRIES[index], index=index, path=path, checkpoint=checkpoint.encode())


class TestReceipts:
    @given(st.data())
    def test_what_is_written_is_read_and_proves(self, data: st.DataObject) -> None:
        """The receipt of any entry comes back from its file and leads to the checkpoint."""
        size = data.draw(st.integers(1, len(ENTRIES)))
        made = receipt(data.draw(st.integers(0, size - 1)), size)

        read = parse_receipt(made.encode())

        assert made == read
        assert size == read.proven()[1].size

    def test_its_form(self) -> None:
        """A receipt is the lines of c2sp.org/tlog-proof, with the entry as its extra data."""
        lines = receipt().encode().decode().split("\n")

        assert ["c2sp.org/tlog-proof@v1", f"extra {b64encode(b'4').decode()}", "index 4"] == lines[:3]
        assert lines[3 + len(receipt().path)] == ""
        assert lines[4 + len(receipt().path)] == "a.example/b"

    def test_an_entry_that_was_changed(self) -> None:
        """With another entry, place or checkpoint, a receipt proves nothing."""
        data = receipt().encode()
        other = receipt(5).checkpoint
        for changed in (
            data.replace(b64encode(b"4"), b64encode(b"5")),
            data.replace(b"index 4", b"index 5"),
            data.replace(b"\n11\n", b"\n40\n"),
        ):
            assert changed != data
            with pytest.raises(BadProof):
                parse_receipt(changed).proven()
        assert parse_receipt(data.replace(receipt().checkpoint, other)).proven()

    @pytest.mark.parametrize(
        "data",
        [
            b"wrong-header\nextra AAAA\nindex 0\n\ncheckpoint\n",
            b"c2sp.org/tlog-proof@v1\nextra !!notbase64!!\nindex 0\n\ncheckpoint\n",
            b"c2sp.org/tlog-proof@v1\n\n\ncheckpoint\n",
            b"c2sp.org/tlog-proof@v1\nindex 0\n\ncheckpoint\n",
            b"c2sp.org/tlog-proof@v1\nextra AAAA\nindex notanumber\n\ncheckpoint\n",
            b"c2sp.org/tlog-proof@v1\nextra AAAA\nindex -5\n\ncheckpoint\n",
            b"c2sp.org/tlog-proof@v1\nextra AAAA\nindex 05\n\ncheckpoint\n",
            b"c2sp.org/tlog-proof@v1\nextra AAAA\nindex 0\n!!notbase64!!\n\ncheckpoint\n",
            b"c2sp.org/tlog-proof@v1\nextra AAAA\nindex 0\n" + b64encode(bytes(64)) + b"\n\ncheckpoint\n",
            b"c2sp.org/tlog-proof@v1\nextra AAAA\nindex 0\n" + (b64encode(bytes(32)) + b"\n") * 65 + b"\ncheckpoint\n",
            b"c2sp.org/tlog-proof@v1\nextra AAAA\nindex 0\n",
            b"c2sp.org/tlog-proof@v1\nextra \xff\nindex 0\n\n",
            b"x" * (LARGEST_RECEIPT + 1),
            b"",
        ],
    )
    def test_what_is_no_receipt(self, data: bytes) -> None:
        """What the published tests refuse, and its like, is refused."""
        with pytest.raises(BadNote):
            parse_receipt(data)

    @given(st.binary(max_size=200), st.integers(0, 400))
    def test_whatever_comes_is_a_receipt_or_refused(self, noise: bytes, at: int) -> None:
        """Of a receipt with anything in the middle nothing comes but a refusal, or what it says."""
        data = receipt().encode()
        try:
            parse_receipt(data[:at] + noise + data[at:]).proven()
        except (BadNote, BadProof):
            return
