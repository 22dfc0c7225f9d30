"""A log as files, wherever they are: in a folder that an export wrote, or as a live store gives them out.

And what a store gives out so that others can check its log, in the formats of c2sp.org, whoever stands behind it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from supportaccess.errors import StoreRefused, VerificationFailed
from supportaccess.private_files import make_folder, read_bounded, refused, write_new
from supportaccess.structs import Struct
from supportaccess.tlog.merkle import HASH_SIZE
from supportaccess.tlog.notes import LARGEST_NOTE, BadNote
from supportaccess.tlog.tiles import (
    CHECKPOINT_PATH,
    ENTRIES_PATH,
    LARGEST_BUNDLE,
    TILE_WIDTH,
    Tile,
    split_bundle,
    tile_at,
    tiles_of,
)

LARGEST_TILE = TILE_WIDTH * HASH_SIZE


class SignedHead(Struct, frozen=True, kw_only=True):
    """The head of a tenant's audit log, signed.

    `size` and `root` (lower-case hex) repeat what is in `checkpoint`, a signed note. `consistency` has the hashes
    (base64) that show that it goes on from the earlier size that was asked about, `rotations` the notes of all changes
    of key. `key` is the verifier key that signs now. Without a signing key all but the first two are absent.
    """

    size: int
    root: str
    checkpoint: str | None = None
    consistency: tuple[str, ...] = ()
    rotations: tuple[str, ...] = ()
    key: str | None = None


class LogProofs(Protocol):
    """The proofs of one tenant's log, for one caller. Every method may raise StoreUnavailable and StoreRefused."""

    def head(self, earlier: int = 0) -> SignedHead:
        """Return the signed head, and what shows that it goes on from an earlier size. Raises Forbidden.

        When the log is shorter than that, there is nothing to show.
        """
        ...

    def receipt(self, sequence: int) -> bytes:
        """Return the receipt of an entry: a file of its own. Raises Forbidden, NotFound."""
        ...

    def tile(self, tile: Tile) -> bytes | None:
        """Return the hashes of a tile, or None where the log has not so many. Raises Forbidden."""
        ...

    def bundle(self, tile: Tile) -> bytes | None:
        """Return the entries under a tile of level 0, or None where the log has not so many. Raises Forbidden."""
        ...


class LogFiles(Protocol):
    """The files of one log. Each may raise BadNote for a file that is there and is not as it was written."""

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
        return read_bounded(self._folder / tile.path, LARGEST_TILE)

    def bundle(self, tile: Tile) -> bytes | None:
        """Return the entries under a tile of level 0."""
        return read_bounded(self._folder / tile.bundle_path, LARGEST_BUNDLE)

    def end(self) -> int:
        """Return where the last bundle ends, by the names of the files."""
        return max((end for end in self._ends()), default=0)

    def _ends(self) -> Iterator[int]:
        for path in (self._folder / ENTRIES_PATH).rglob("*"):
            tile = tile_at(path.relative_to(self._folder).as_posix())
            if tile is not None and path.is_file():
                yield tile.begin + tile.width


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

    The checkpoint is the last file: a folder without one was not written to its end. Raises StoreRefused.
    """
    try:
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise refused(folder, "made", error) from error
    count = 0
    for name, data in all_files(files, size):
        path = folder / name
        make_folder(path.parent)
        if not write_new(path, data):
            raise exists_already(path)
        count += 1
    return count


def all_files(files: LogFiles, size: int) -> Iterator[tuple[str, bytes]]:
    """Yield the path and the bytes of each file of a log of that size, the checkpoint last.

    Of a log with holes, what is there: a verification names the holes.
    """
    for tile in tiles_of(size):
        if (hashes := files.tile(tile)) is not None:
            yield tile.path, hashes
        if not tile.level and (entries := files.bundle(tile)) is not None:
            yield tile.bundle_path, entries
    if (checkpoint := files.checkpoint()) is not None:
        yield CHECKPOINT_PATH, checkpoint


def is_archive(path: Path) -> bool:
    """Tell by its name whether an export is, or is to be, one zip file and not a folder."""
    return path.name.lower().endswith(".zip")


def exists_already(path: Path) -> StoreRefused:
    """Return the error for an export to where something is."""
    return StoreRefused(f"{path} exists already and was left alone", hint="Choose another name.")


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
