"""A log as files, wherever they are: in a folder that an export wrote, or as a live store gives them out."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from supportaccess.domain.errors import StoreRefused, VerificationFailed
from supportaccess.domain.notes import LARGEST_NOTE, BadNote
from supportaccess.domain.tiles import CHECKPOINT_PATH, LARGEST_BUNDLE, TILE_WIDTH, Tile, split_bundle, tiles_of
from supportaccess.private_files import make_folder, read_bounded, refused, write_new
from supportaccess.store.proofs import LogProofs, SignedHead

_LARGEST_TILE = TILE_WIDTH * 32
_BUNDLE = re.compile(r"((?:x\d{3}/)*\d{3})(?:\.p/(\d{1,3}))?", re.ASCII)


class LogFiles(Protocol):
    """The files of one log."""

    def checkpoint(self) -> bytes | None:
        """Return the signed checkpoint."""
        ...

    def tile(self, tile: Tile) -> bytes | None:
        """Return a tile's hashes."""
        ...

    def bundle(self, tile: Tile) -> bytes | None:
        """Return the entries under a tile of level 0."""
        ...

    def end(self) -> int:
        """Return how many entries there are, signed or not."""
        ...


class Folder:
    """A log in a folder: nothing but the paths of c2sp.org/tlog-tiles is read, and no file through a symbolic link."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def checkpoint(self) -> bytes | None:
        """Return the signed checkpoint."""
        return read_bounded(self._folder / CHECKPOINT_PATH, LARGEST_NOTE)

    def tile(self, tile: Tile) -> bytes | None:
        """Return a tile's hashes."""
        return read_bounded(self._folder / tile.path, _LARGEST_TILE)

    def bundle(self, tile: Tile) -> bytes | None:
        """Return the entries under a tile of level 0."""
        return read_bounded(self._folder / tile.bundle_path, LARGEST_BUNDLE)

    def end(self) -> int:
        """Return where the last bundle ends, by the names of the files."""
        return max((end for end in self._ends()), default=0)

    def _ends(self) -> Iterator[int]:
        entries = self._folder / "tile" / "entries"
        for path in entries.rglob("*"):
            match = _BUNDLE.fullmatch(path.relative_to(entries).as_posix())
            if match and path.is_file():
                index = int(re.sub(r"[x/]", "", match[1]))
                yield index * TILE_WIDTH + (int(match[2]) if match[2] else TILE_WIDTH)


class Live:
    """A live store's log, at the moment of a signed head."""

    def __init__(self, proofs: LogProofs, head: SignedHead, end: int | None = None) -> None:
        self._proofs = proofs
        self._head = head
        self._end = end

    def checkpoint(self) -> bytes | None:
        """Return the signed checkpoint."""
        return None if self._head.checkpoint is None else self._head.checkpoint.encode()

    def tile(self, tile: Tile) -> bytes | None:
        """Return a tile's hashes, unless the log has a hole there: its entries tell which it is."""
        try:
            return self._proofs.tile(tile)
        except VerificationFailed:
            return None

    def bundle(self, tile: Tile) -> bytes | None:
        """Return the entries under a tile of level 0."""
        return self._proofs.bundle(tile)

    def end(self) -> int:
        """Return how many entries there are."""
        return self._head.size if self._end is None else self._end


def export(files: LogFiles, size: int, folder: Path) -> int:
    """Write a log of that size as files to a new folder, and return how many those are.

    Of a log with holes, what is there is written: a verification names the holes. The checkpoint is the last file: a
    folder without one was not written to its end. Raises StoreRefused.
    """
    try:
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise refused(folder, "made", error) from error
    count = 0
    for tile in tiles_of(size):
        count += _written(folder / tile.path, files.tile(tile))
        if tile.level == 0:
            count += _written(folder / tile.bundle_path, files.bundle(tile))
    return count + _written(folder / CHECKPOINT_PATH, files.checkpoint())


def entries_of(data: bytes | None, width: int) -> tuple[list[bytes], str | None]:
    """Return the entries of a bundle as far as they can be read, and what is wrong with it."""
    if data is None:
        return [], "its bundle is missing"
    try:
        return split_bundle(data, width), None
    except BadNote as error:
        return _readable(data, width), str(error)


def _readable(data: bytes, width: int) -> list[bytes]:
    entries: list[bytes] = []
    at = 0
    while at + 2 <= len(data) and len(entries) < width:
        end = at + 2 + int.from_bytes(data[at : at + 2])
        if end > len(data):
            break
        entries.append(data[at + 2 : end])
        at = end
    return entries


def _written(path: Path, data: bytes | None) -> int:
    if data is None:
        return 0
    make_folder(path.parent)
    if not write_new(path, data):
        raise StoreRefused(f"{path} exists already and was left alone", hint="Name another folder.")
    return 1
