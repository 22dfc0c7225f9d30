"""A log in one zip file, laid out as in a folder: written bit by bit, and read in place, with nothing unpacked.

What is read comes from anywhere. Names are those of c2sp.org/tlog-tiles or the file is refused; no more is read and
unpacked at once than the largest file of a log has, whatever the archive says of itself.
"""

import os.path
import re
import stat
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from supportaccess.errors import InvalidInput, StoreRefused
from supportaccess.private_files import new_file, open_to_read, refused
from supportaccess.tlog.files import LARGEST_TILE, LogFiles, all_files, exists_already
from supportaccess.tlog.notes import LARGEST_NOTE, BadNote
from supportaccess.tlog.tiles import CHECKPOINT_PATH, ENTRIES_PATH, LARGEST_BUNDLE, Tile, tile_at

MOST_ENTRIES = 2**24
"""Entries of a log in an archive, at most: the archive's own directory is held in memory."""

_LARGEST_READ = LARGEST_BUNDLE
_ENCRYPTED = 0x1 | 0x40
_FOLDER = re.compile(r"tile/(?:(?:entries|[0-7])/(?:x\d{3}/){0,6}(?:\d{3}\.p/)?)?", re.ASCII)
_LONGEST_NAME = 80
# What `zipfile` raises for what is no archive, or a member that is not as the directory says.
_BROKEN = (BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError, struct.error, zlib.error)


class Archive:
    """A log in a zip file."""

    def __init__(self, path: Path, archive: ZipFile) -> None:
        self._path = path
        self._archive = archive
        self._members: dict[str, ZipInfo] = {}
        for member in archive.infolist():
            self._take(member)

    def checkpoint(self) -> bytes | None:
        """Return the signed checkpoint."""
        return self._read(CHECKPOINT_PATH)

    def tile(self, tile: Tile) -> bytes | None:
        """Return a tile's hashes."""
        return self._read(tile.path)

    def bundle(self, tile: Tile) -> bytes | None:
        """Return the entries under a tile of level 0."""
        return self._read(tile.bundle_path)

    def end(self) -> int:
        """Return where the last bundle ends, by the names of the files."""
        bundles = (tile_at(name) for name in self._members if name.startswith(ENTRIES_PATH))
        return max((tile.begin + tile.width for tile in bundles if tile is not None), default=0)

    def _take(self, member: ZipInfo) -> None:
        name = member.orig_filename
        if not member.file_size and _FOLDER.fullmatch(name):
            return
        most = _most_bytes(name)
        if most is None:
            raise self._refused("this is not in the layout of an export", name)
        if name in self._members:
            raise self._refused("this is there twice", name)
        if member.flag_bits & _ENCRYPTED:
            raise self._refused("this is encrypted", name)
        if member.compress_type not in {ZIP_STORED, ZIP_DEFLATED}:
            raise self._refused("this is compressed in a way that exports are not", name)
        if member.file_size > most:
            raise self._refused(f"this is larger than {most:,} bytes", name)
        if member.header_offset < 0:
            raise self._refused("this lies before the beginning of the file", name)
        self._members[name] = member

    def _read(self, name: str) -> bytes | None:
        member = self._members.get(name)
        if member is None:
            return None
        try:
            with self._archive.open(member) as file:
                # Not without a number: that would unpack whatever is there, however much the directory says it is.
                return file.read(member.file_size + 1)
        except _BROKEN as error:
            raise BadNote(f"it cannot be read from the archive: {error}") from None
        except OSError as error:
            raise refused(self._path, "read", error) from error

    def _refused(self, why: str, name: str) -> StoreRefused:
        return _no_export(self._path, f"{why}: {name[:_LONGEST_NAME]!r}")


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open a log in a zip file. Raises InvalidInput without the file, and StoreRefused for what is no such file."""
    with _opened(path) as file:
        yield Archive(path, _directory(path, file))


def export_archive(files: LogFiles, size: int, path: Path) -> int:
    """Write a log of that size to a new zip file, and return how many files are in it.

    The same log makes the same bytes, as far as zlib does. Raises InvalidInput, StoreRefused.
    """
    if size > MOST_ENTRIES:
        raise InvalidInput(f"a log of more than {MOST_ENTRIES:,} entries is exported to a folder")
    if os.path.lexists(path):
        raise exists_already(path)
    try:
        with new_file(path) as file, ZipFile(file, "w") as archive:
            for name, data in all_files(files, size):
                archive.writestr(_member(name), data)
    except FileExistsError:
        raise exists_already(path) from None
    return len(archive.infolist())


def _member(name: str) -> ZipInfo:
    member = ZipInfo(name)  # of the first day that a zip file knows
    member.create_system = 3  # Unix, whose rights these are
    member.external_attr = (stat.S_IFREG | stat.S_IRUSR | stat.S_IWUSR) << 16
    member.compress_type = ZIP_DEFLATED
    return member


class _Bounded(BufferedReader):
    """A file of which no more is read at once than an export has in one place."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _LARGEST_READ:
            raise BadZipFile(f"more than {_LARGEST_READ:,} bytes of it would have to be read at once")
        return super().read(size)


def _opened(path: Path) -> _Bounded:
    try:
        return _Bounded(open_to_read(path).detach())
    except FileNotFoundError:
        raise InvalidInput(f"{path} does not exist") from None
    except OSError as error:
        raise refused(path, "read", error) from error


def _directory(path: Path, file: _Bounded) -> ZipFile:
    try:
        return ZipFile(file)
    except _BROKEN as error:
        raise _no_export(path, str(error)) from None
    except OSError as error:
        raise refused(path, "read", error) from error


def _no_export(path: Path, why: str) -> StoreRefused:
    return StoreRefused(
        f"{path} is not an export as a zip file: {why}", hint="Was all of it copied? audit export writes one."
    )


def _most_bytes(name: str) -> int | None:
    """Return how many bytes a file of a log has at most; None for a name that none has."""
    if name == CHECKPOINT_PATH:
        return LARGEST_NOTE
    if tile_at(name) is None:
        return None
    return LARGEST_BUNDLE if name.startswith(ENTRIES_PATH) else LARGEST_TILE
