"""A log as files, as c2sp.org/tlog-tiles v1 has it: 256 hashes a tile, 256 entries a bundle, the last ones partial."""

import re
from collections.abc import Iterator, Sequence

from supportaccess.structs import Struct
from supportaccess.tlog.merkle import HASH_SIZE, TILE_HEIGHT
from supportaccess.tlog.notes import BadNote

TILE_WIDTH = 1 << TILE_HEIGHT
LARGEST_ITEM = 0xFFFF
"""Bytes of an entry, at most: its length is two bytes."""
LARGEST_BUNDLE = TILE_WIDTH * (2 + LARGEST_ITEM)

CHECKPOINT_PATH = "checkpoint"
ENTRIES_PATH = "tile/entries"

# Of a log of up to 2**63 entries.
_TILE_PATH = rf"({ENTRIES_PATH}|tile/[0-7])/((?:x\d{{3}}/){{0,6}}\d{{3}})(?:\.p/(\d{{1,3}}))?"


class Tile(Struct, frozen=True, kw_only=True):
    """A tile of hashes. Its n-th hash is of the subtree of height `8 * level` whose index is `256 * index + n`."""

    level: int
    index: int
    width: int = TILE_WIDTH

    @property
    def path(self) -> str:
        """Where the tile's hashes are."""
        return f"tile/{self.level}/{_numbered(self.index, self.width)}"

    @property
    def bundle_path(self) -> str:
        """Where the entries under a tile of level 0 are."""
        return f"{ENTRIES_PATH}/{_numbered(self.index, self.width)}"

    @property
    def begin(self) -> int:
        """The first index, within its level, of what is in the tile."""
        return self.index * TILE_WIDTH


def tiles_at(level: int, size: int) -> Iterator[Tile]:
    """Yield the tiles of one level of a tree of `size` leaves, in order."""
    hashes = size >> (TILE_HEIGHT * level)
    for index in range(hashes // TILE_WIDTH):
        yield Tile(level=level, index=index)
    if width := hashes % TILE_WIDTH:
        yield Tile(level=level, index=hashes // TILE_WIDTH, width=width)


def tiles_of(size: int) -> Iterator[Tile]:
    """Yield every tile of a tree of `size` leaves, level by level."""
    level = 0
    while size >> (TILE_HEIGHT * level):
        yield from tiles_at(level, size)
        level += 1


def tile_at(path: str) -> Tile | None:
    """Return the tile whose hashes, or entries, a path has; None for a path that no log has."""
    match = re.fullmatch(_TILE_PATH, path, re.ASCII)
    if match is None:
        return None
    level = 0 if match[1] == ENTRIES_PATH else int(match[1][-1])
    width = int(match[3]) if match[3] else TILE_WIDTH
    tile = Tile(level=level, index=int(re.sub("[x/]", "", match[2])), width=width)
    # There is one way to write it.
    return tile if 0 < width <= TILE_WIDTH and path in {tile.path, tile.bundle_path} else None


def split_tile(data: bytes, width: int) -> list[bytes]:
    """Return the hashes of a tile. Raises BadNote when it is not of that width."""
    if len(data) != width * HASH_SIZE:
        raise BadNote(f"a tile of {width} hashes has {width * HASH_SIZE} bytes, not {len(data)}")
    return [data[at : at + HASH_SIZE] for at in range(0, len(data), HASH_SIZE)]


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """Return entries as a bundle. Raises ValueError for an entry of 64 KiB and more."""
    if any(len(entry) > LARGEST_ITEM for entry in entries):
        raise ValueError(f"an entry in a bundle has at most {LARGEST_ITEM:,} bytes")
    return b"".join(len(entry).to_bytes(2) + entry for entry in entries)


def split_bundle(data: bytes, width: int) -> list[bytes]:
    """Return the entries of a bundle. Raises BadNote when they are not `width` in number, or it is cut off."""
    entries: list[bytes] = []
    at = 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2])
        if at + 2 > len(data) or end > len(data):
            raise BadNote("a bundle is cut off within an entry")
        if len(entries) == width:
            raise BadNote(f"a bundle has more than its {width} entries")
        entries.append(data[at + 2 : end])
        at = end
    if len(entries) != width:
        raise BadNote(f"a bundle has {len(entries)} entries, not {width}")
    return entries


def _numbered(index: int, width: int) -> str:
    digits = str(index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    path = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
    return path if width == TILE_WIDTH else f"{path}.p/{width}"
