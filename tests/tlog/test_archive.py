"""Exports as one zip file: what is written, and what is refused of those that others wrote."""

import random
import shutil
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZipFile

import pytest
from tests.tlog.entries import entry, read_entry

from supportaccess.errors import InvalidInput, StoreRefused, SupportAccessError
from supportaccess.tlog import archive as archives
from supportaccess.tlog.archive import MOST_ENTRIES, export_archive, open_archive
from supportaccess.tlog.merkle import TILE_HEIGHT, Frontier, leaf_hash
from supportaccess.tlog.notes import Checkpoint
from supportaccess.tlog.signers import SeedSigner, key_of, sign
from supportaccess.tlog.tiles import Tile, encode_bundle
from supportaccess.tlog.verify import Finding, verify_log

ORIGIN = "logs.contoso.example/contoso"
SIGNER = SeedSigner(bytes(32))
KEY = key_of(SIGNER, ORIGIN)
SIZE = 300
BUNDLE, TILE = "tile/entries/001.p/44", "tile/0/001.p/44"


class Log:
    """A log whose entries are made when they are asked for, each with a reason of so many characters."""

    def __init__(self, size: int, length: int = 10) -> None:
        self.size = size
        self._length = length
        self._nodes: dict[int, list[bytes]] = {}
        frontier = Frontier()
        for sequence in range(size):
            completed = frontier.append(leaf_hash(self._entry(sequence)))
            for level, node in enumerate(completed[::TILE_HEIGHT]):
                self._nodes.setdefault(level, []).append(node)
        text = Checkpoint(origin=ORIGIN, size=size, root=frontier.root()).text
        self._checkpoint = sign(text, ORIGIN, [SIGNER]).encode()

    def checkpoint(self) -> bytes:
        return self._checkpoint

    def tile(self, tile: Tile) -> bytes:
        return b"".join(self._nodes[tile.level][tile.begin : tile.begin + tile.width])

    def bundle(self, tile: Tile) -> bytes:
        return encode_bundle([self._entry(tile.begin + place) for place in range(tile.width)])

    def end(self) -> int:
        return self.size

    def _entry(self, sequence: int) -> bytes:
        return entry(sequence, random.Random(sequence).randbytes(self._length // 2).hex())


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Return the export of a log of 300 entries."""
    path = tmp_path / "log.zip"
    assert export_archive(Log(SIZE), SIZE, path) == 6
    return path


def findings(path: Path) -> list[Finding]:
    with open_archive(path) as files:
        return verify_log(files, read_entry, [KEY]).findings


def verdicts(path: Path) -> list[tuple[str, int | None]]:
    return [(each.verdict.value, each.sequence) for each in findings(path)]


def repacked(archive: Path, change: Callable[[dict[str, bytes]], object]) -> Path:
    """Write the archive again with other files in it."""
    with ZipFile(archive) as given:
        files = {name: given.read(name) for name in given.namelist()}
    change(files)
    path = archive.with_name("repacked.zip")
    with ZipFile(path, "w", ZIP_DEFLATED) as written:
        for name, data in files.items():
            written.writestr(name, data)
    return path


class TestWriting:
    def test_the_same_log_makes_the_same_bytes(self, archive: Path) -> None:
        """What is written does not hang on when and where, is for the account alone, and holds."""
        again = archive.with_name("again.zip")
        export_archive(Log(SIZE), SIZE, again)

        assert archive.read_bytes() == again.read_bytes()
        assert again.stat().st_mode & 0o777 == 0o600
        assert verdicts(archive) == []

    def test_what_is_there_already_is_left_alone(self, archive: Path) -> None:
        """An archive is a new file."""
        before = archive.read_bytes()
        with pytest.raises(StoreRefused, match="exists already"):
            export_archive(Log(SIZE), SIZE, archive)
        assert before == archive.read_bytes()

    @pytest.mark.parametrize("why", [KeyboardInterrupt, StoreRefused("the log is gone")])
    def test_one_that_was_broken_off_leaves_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: type[BaseException] | BaseException
    ) -> None:
        """Ctrl-C, or a store that fails half way, leaves neither a file of that name nor another one."""
        log = Log(SIZE)

        def bundle(_: Tile) -> bytes:
            raise why

        monkeypatch.setattr(log, "bundle", bundle)
        with pytest.raises((KeyboardInterrupt, StoreRefused)):
            export_archive(log, SIZE, tmp_path / "log.zip")
        assert list(tmp_path.iterdir()) == []

    def test_a_log_that_is_too_long_for_one_file(self, tmp_path: Path) -> None:
        """What could not be read again is not written: such a log goes to a folder."""
        with pytest.raises(InvalidInput, match="exported to a folder"):
            export_archive(Log(0), MOST_ENTRIES + 1, tmp_path / "log.zip")

    def test_neither_writing_nor_verifying_holds_the_log(self, tmp_path: Path) -> None:
        """A bundle of entries is in memory at a time, and not the log."""
        size, length = 4096, 8000
        log = Log(size, length)
        tracemalloc.start()
        try:
            export_archive(log, size, tmp_path / "log.zip")
            assert verdicts(tmp_path / "log.zip") == []
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert most < size * length / 2


class TestWhatOthersWrote:
    def test_an_export_that_was_packed_by_another_program(self, archive: Path, tmp_path: Path) -> None:
        """A folder that somebody packed, with its folders as members, is verified as the folder is."""
        with ZipFile(archive) as given:
            given.extractall(tmp_path / "log")
        assert verdicts(Path(shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path / "log"))) == []

    def test_what_is_in_it_and_does_not_hold(self, archive: Path) -> None:
        """An entry that was altered, a bundle and a checkpoint that are missing: each has its verdict."""

        def alter(files: dict[str, bytes]) -> None:
            files[BUNDLE] = files[BUNDLE].replace(b'"sequence": 260', b'"sequence": 261')

        assert verdicts(repacked(archive, alter)) == [("altered", 260)]
        assert verdicts(repacked(archive, lambda files: files.pop(BUNDLE))) == [("missing", 256)]
        assert verdicts(repacked(archive, lambda files: files.pop("checkpoint"))) == [("missing", None)]

    @pytest.mark.parametrize(
        ("name", "expected"), [(BUNDLE, ("altered", 256)), (TILE, ("altered", 256)), ("checkpoint", ("altered", None))]
    )
    def test_a_wrong_checksum(self, archive: Path, name: str, expected: tuple[str, int | None]) -> None:
        """What unpacks to something else than the archive says is altered."""
        data = bytearray(archive.read_bytes())
        with ZipFile(archive) as given:
            checksum = given.getinfo(name).CRC.to_bytes(4, "little")
        data[data.rindex(checksum)] ^= 1
        archive.write_bytes(data)

        assert verdicts(archive) == [expected]

    def test_a_log_that_says_to_be_longer_than_any(self, archive: Path) -> None:
        """Names that claim a place far out do not make the verification go there."""
        far = "tile/entries/x999/x999/x999/x999/999"
        text = Checkpoint(origin=ORIGIN, size=2**62, root=bytes(32)).text
        checkpoint = sign(text, ORIGIN, [SIGNER]).encode()

        found = verdicts(repacked(archive, lambda files: files.update({far: b"", "checkpoint": checkpoint})))

        assert found[0] == ("missing", 256)
        assert len(found) == 1000


@pytest.fixture(
    params=[
        "../checkpoint",
        "/checkpoint",
        "tile/../checkpoint",
        "checkpoint/",
        "tile\\0\\000",
        "C:/checkpoint",
        "checkpoint\0.txt",
        "CHECKPOINT",
        "tile/0/x000/000",
        "tile/0/1",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/300",
        "tile/0/000.p/07",
        "tile/8/000",
        "tile/00/000",
        "tile/entries/" + "x999/" * 2000 + "999",
        "tile/entries/\u0660\u0660\u0660",
        "log/checkpoint",
        "evil" * 1000,
    ],
    ids=lambda name: repr(name[:24]),
)
def stranger(request: pytest.FixtureRequest) -> str:
    """Return a name that no file of a log has."""
    name: str = request.param
    return name


class TestHostile:
    def test_a_name_that_is_not_in_the_layout(self, archive: Path, stranger: str) -> None:
        """Whatever leads elsewhere, or is written in another way, is refused before anything is unpacked."""
        with ZipFile(archive, "a") as given:
            member = zipfile.ZipInfo("x")
            member.filename = member.orig_filename = stranger
            given.writestr(member, b"x")
        with pytest.raises(StoreRefused, match="not in the layout") as refused:
            findings(archive)
        assert len(refused.value.message) < 400

    def test_one_name_twice(self, archive: Path) -> None:
        """Of two files of one name no program can tell which is meant."""
        with ZipFile(archive, "a") as given, pytest.warns(UserWarning, match="Duplicate"):
            given.writestr("checkpoint", b"another")
        with pytest.raises(StoreRefused, match="twice: 'checkpoint'"):
            findings(archive)

    def test_other_ways_to_compress(self, archive: Path) -> None:
        """What exports are not compressed with is not unpacked."""
        with ZipFile(archive, "a") as given:
            given.writestr("tile/1/001", b"x", ZIP_BZIP2)
        with pytest.raises(StoreRefused, match="compressed in a way"):
            findings(archive)

    def test_an_encrypted_file(self, archive: Path) -> None:
        """What takes a password is refused."""
        data = bytearray(archive.read_bytes())
        data[data.rindex(b"PK\x01\x02") + 8] |= 1
        archive.write_bytes(data)
        with pytest.raises(StoreRefused, match="encrypted"):
            findings(archive)

    def test_one_that_says_that_it_is_large(self, archive: Path) -> None:
        """A file that unpacks to more than any of a log is refused by its size."""
        with pytest.raises(StoreRefused, match="larger than 65,536 bytes"):
            findings(repacked(archive, lambda files: files.update(checkpoint=bytes(10_000_000))))

    def test_one_that_says_that_it_is_small(self, archive: Path) -> None:
        """A file that unpacks to more than it says is not unpacked further than that."""
        bomb = 200_000_000
        path = repacked(archive, lambda files: files.update(checkpoint=bytes(bomb)))
        data = path.read_bytes()
        path.write_bytes(data.replace(bomb.to_bytes(4, "little"), (5000).to_bytes(4, "little")))
        tracemalloc.start()
        try:
            assert verdicts(path) == [("altered", None)]
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert most < bomb / 20

    def test_a_directory_that_would_fill_the_memory(self, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The archive's own directory is read up to a size."""
        monkeypatch.setattr(archives, "_LARGEST_READ", 200)
        with pytest.raises(StoreRefused, match="more than 200 bytes"):
            findings(archive)

    @pytest.mark.parametrize("keep", [0, 1, 21, 100, -1, -30])
    def test_one_that_was_cut_off(self, archive: Path, keep: int) -> None:
        """Without its end an archive is none."""
        archive.write_bytes(archive.read_bytes()[:keep])
        with pytest.raises(StoreRefused, match="not an export as a zip file"):
            findings(archive)

    def test_a_link_and_a_folder(self, archive: Path) -> None:
        """A link is not followed, and what cannot be read is told."""
        link, folder = archive.with_name("link.zip"), archive.with_name("folder.zip")
        link.symlink_to(archive)
        folder.mkdir()
        for path in (link, folder):
            with pytest.raises(StoreRefused, match="cannot be read"):
                findings(path)

    def test_members_beyond_4_gib_are_found(self, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """An archive with the fields of ZIP64, as large ones have them, is verified like any other."""
        monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 100)
        monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 2)
        large = archive.with_name("large.zip")
        export_archive(Log(SIZE), SIZE, large)

        assert b"PK\x06\x06" in large.read_bytes()
        assert verdicts(large) == []

    @pytest.mark.parametrize("seed", range(20))
    def test_whatever_is_changed_in_it_nothing_fails(self, archive: Path, seed: int) -> None:
        """Bytes that were changed anywhere end in a finding, a refusal, or where they mean nothing in no more."""
        whole = archive.read_bytes()
        for data in mutations(whole, random.Random(seed)):
            archive.write_bytes(data)
            with suppress(SupportAccessError):
                findings(archive)


def mutations(data: bytes, chance: random.Random) -> Iterator[bytes]:
    """Yield data with a few bytes changed, most of them where the archive tells of itself."""
    marks = [at for at in range(len(data)) if data.startswith(b"PK", at)]
    for _ in range(20):
        changed = bytearray(data)
        for _ in range(chance.randint(1, 3)):
            at = chance.choice(marks) + chance.randint(0, 45) if chance.random() < 0.8 else chance.randrange(len(data))
            changed[min(at, len(data) - 1)] = chance.choice([0, 1, 0x7F, 0xFF, chance.randrange(256)])
        yield bytes(changed)
