import os
import stat
from pathlib import Path

import pytest

from supportaccess.domain.errors import InvalidInput, StoreRefused
from supportaccess.settings.paths import Paths, private_folder, write_private


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_folders_are_the_systems_usual_ones() -> None:
    """Without variables, each folder is an absolute path that ends in the program's name."""
    paths = Paths.from_environment({})

    assert {"supportaccess"} == {folder.name for folder in (paths.config, paths.data, paths.cache)}
    assert paths.config.is_absolute()


def test_each_folder_can_be_named_by_a_variable(tmp_path: Path) -> None:
    """A variable moves its folder, and no folder is created."""
    environment = {f"SUPPORTACCESS_{kind}_DIR": str(tmp_path / kind) for kind in ("CONFIG", "DATA", "CACHE")}

    paths = Paths.from_environment(environment)

    assert Paths(tmp_path / "CONFIG", tmp_path / "DATA", tmp_path / "CACHE") == paths
    assert tmp_path / "DATA" / "store.db" == paths.store
    assert list(tmp_path.iterdir()) == []


def test_an_empty_variable_counts_as_none() -> None:
    """An empty variable leaves the usual folder."""
    assert Paths.from_environment({}) == Paths.from_environment({"SUPPORTACCESS_DATA_DIR": ""})


@pytest.mark.parametrize("kind", ["CONFIG", "DATA", "CACHE"])
def test_a_relative_folder_is_refused(kind: str) -> None:
    """A relative path would mean another folder in each working directory: it is refused with the variable's name."""
    with pytest.raises(InvalidInput, match="'some/where'") as raised:
        Paths.from_environment({f"SUPPORTACCESS_{kind}_DIR": "some/where"})

    assert f"SUPPORTACCESS_{kind}_DIR" in str(raised.value.hint)


def test_a_private_folder_and_the_parents_it_makes_are_ours_alone(tmp_path: Path) -> None:
    """Every folder that is made has mode 0700, whatever the umask; one that stood already is left as it is."""
    tmp_path.chmod(0o755)
    before = os.umask(0o000)
    try:
        private_folder(tmp_path / "a" / "b" / "c")
        private_folder(tmp_path / "a" / "b" / "c")
    finally:
        os.umask(before)

    assert [mode(tmp_path / name) for name in ("a", "a/b", "a/b/c")] == [0o700] * 3
    assert mode(tmp_path) == 0o755


def test_a_private_folder_where_a_file_is_in_the_way(tmp_path: Path) -> None:
    """A file in the place of a folder is an error that names the folder."""
    (tmp_path / "a").write_text("")

    for path in (tmp_path / "a", tmp_path / "a" / "b"):
        with pytest.raises(StoreRefused, match=str(path)):
            private_folder(path)


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


def test_a_write_that_fails_half_way_leaves_the_old_contents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk shows at the sync: the old contents stand."""
    path = tmp_path / "file"
    write_private(path, b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(StoreRefused, match="No space left on device"):
        write_private(path, b"new")
    assert path.read_bytes() == b"old"
    assert [path] == list(tmp_path.iterdir())
