import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from supportaccess.errors import StoreRefused
from supportaccess.private_files import make_folder, read_bounded, write_new, write_private


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_private_folder_and_the_parents_it_makes_are_ours_alone(tmp_path: Path) -> None:
    """Every folder that is made has mode 0700, whatever the umask; one that stood already is left as it is."""
    tmp_path.chmod(0o755)
    before = os.umask(0o000)
    try:
        make_folder(tmp_path / "a" / "b" / "c")
        make_folder(tmp_path / "a" / "b" / "c")
    finally:
        os.umask(before)

    assert [mode(tmp_path / name) for name in ("a", "a/b", "a/b/c")] == [0o700] * 3
    assert mode(tmp_path) == 0o755


def test_a_private_folder_where_a_file_is_in_the_way(tmp_path: Path) -> None:
    """A file in the place of a folder is an error that names the folder."""
    (tmp_path / "a").write_text("")

    for path in (tmp_path / "a", tmp_path / "a" / "b"):
        with pytest.raises(StoreRefused, match=str(path)):
            make_folder(path)


def test_a_private_file_is_replaced_at_once(tmp_path: Path) -> None:
    """The new contents take the old ones' place, mode 0600 whatever mode there was, and nothing else stays behind."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(0o666)
    before = os.umask(0o000)
    try:
        write_private(path, b"new\n")
    finally:
        os.umask(before)

    assert path.read_bytes() == b"new\n"
    assert mode(path) == 0o600
    assert [path] == list(tmp_path.iterdir())


def test_a_private_file_is_not_written_through_a_link(tmp_path: Path) -> None:
    """A symbolic link in the file's place is replaced; what it led to is not touched."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    path = tmp_path / "file"
    path.symlink_to(victim)

    write_private(path, b"new")

    assert victim.read_text() == "precious"
    assert not path.is_symlink()


def test_a_private_file_that_cannot_be_written(tmp_path: Path) -> None:
    """What the system refuses is an error that names the file, and no temporary file stays behind."""
    folder = tmp_path / "folder"
    folder.mkdir()

    for path in (folder, tmp_path / "missing" / "file"):
        with pytest.raises(StoreRefused, match=f"{path} cannot be written"):
            write_private(path, b"new")

    assert [folder] == list(tmp_path.iterdir())


@pytest.mark.parametrize("write", [write_private, write_new])
def test_a_write_that_fails_half_way_leaves_what_was_there(
    write: Callable[[Path, bytes], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk shows at the sync: what stood there stands, and no temporary file stays behind."""
    path = tmp_path / "file"
    write_private(path, b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(StoreRefused, match="No space left on device"):
        write(path, b"new")
    assert path.read_bytes() == b"old"
    assert [path] == list(tmp_path.iterdir())


def test_a_new_file_is_written_once(tmp_path: Path) -> None:
    """The first writer's contents stay, mode 0600, and the second is told that they are not its own."""
    path = tmp_path / "file"

    assert [write_new(path, b"first"), write_new(path, b"second")] == [True, False]
    assert (path.read_bytes(), mode(path)) == (b"first", 0o600)
    assert [path] == list(tmp_path.iterdir())


def test_a_file_is_read_up_to_a_size_and_not_through_a_link(tmp_path: Path) -> None:
    """A file that is missing is none; one that is too large, or a link, is refused."""
    path, link = tmp_path / "file", tmp_path / "link"
    path.write_bytes(b"12345")
    link.symlink_to(path)

    assert read_bounded(tmp_path / "missing", 5) is None
    assert read_bounded(path, 5) == b"12345"
    with pytest.raises(StoreRefused, match="larger than 4 bytes"):
        read_bounded(path, 4)
    with pytest.raises(StoreRefused, match=f"{link} cannot be read"):
        read_bounded(link, 5)


@pytest.mark.parametrize("name", ["", ".", "/"])
def test_what_names_no_file(name: str) -> None:
    """A folder, or nothing, in place of a file is refused in words."""
    with pytest.raises(StoreRefused, match="cannot be written: Is a directory"):
        write_private(Path(name), b"x")
    with pytest.raises(StoreRefused, match="cannot be written: Is a directory"):
        write_new(Path(name), b"x")
