import os
from pathlib import Path
from shlex import quote

import pytest

from supportaccess.private_files import make_folder, write_private
from supportaccess.settings.paths import Paths, check_rights
from supportaccess.settings.profiles import Profile, Settings

TENANT = "8d3fc0a1-5a52-4c6e-9c0e-3f5b0a6d2e71"

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")


@pytest.fixture
def folders(paths: Paths, settings: Settings) -> Paths:
    """Folders as the program makes them."""
    settings.save(Profile(tenant_id=TENANT, alias="contoso"))
    settings.use(TENANT)
    for folder in (paths.data, paths.cache):
        make_folder(folder)
    write_private(paths.store, b"")
    return paths


def test_what_the_program_makes_is_in_order(folders: Paths) -> None:
    """There is nothing to say about files as the program writes them."""
    assert check_rights(folders) == []


def test_folders_that_do_not_exist_are_in_order(paths: Paths) -> None:
    """There is nothing to say before the first use, and looking creates nothing."""
    assert check_rights(paths) == []
    assert not paths.config.exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o700, 0o644, 0o777])
def test_a_file_open_to_others_is_named(folders: Paths, mode: int) -> None:
    """Each mode wider than 0600 is told, with the command that narrows it."""
    folders.store.chmod(mode)

    [(path, sentence)] = check_rights(folders)

    assert folders.store == path
    assert f"{mode:04o}" in sentence
    assert sentence.endswith(f": chmod 600 {quote(str(path))}")


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o701, 0o710, 0o777])
def test_a_folder_open_to_others_is_named(folders: Paths, mode: int) -> None:
    """Each mode wider than 0700 is told, with the command that narrows it."""
    tenants = folders.config / "tenants"
    tenants.chmod(mode)

    [(path, sentence)] = check_rights(folders)

    assert tenants == path
    assert sentence.endswith(f": chmod 700 {quote(str(path))}")


@pytest.mark.parametrize("mode", [0o400, 0o000])
def test_a_narrower_mode_is_in_order(folders: Paths, mode: int) -> None:
    """A file that even we may only read is no risk."""
    folders.store.chmod(mode)

    assert check_rights(folders) == []


def test_a_link_is_named(folders: Paths, tmp_path: Path) -> None:
    """A symbolic link is told, not followed: its target's rights are not ours to judge."""
    target = tmp_path / "elsewhere.toml"
    target.write_text("")
    target.chmod(0o644)
    link = folders.config / "tenants" / "link.toml"
    link.symlink_to(target)

    [(path, sentence)] = check_rights(folders)

    assert link == path
    assert "symbolic link" in sentence


def test_a_linked_folder_is_named_and_looked_into(folders: Paths, tmp_path: Path) -> None:
    """A folder that is a link is told, and so are the files in it."""
    moved = folders.data.rename(tmp_path / "moved")
    folders.data.symlink_to(moved)
    folders.store.chmod(0o644)

    assert [folders.data, folders.store] == [path for path, _ in check_rights(folders)]


def test_another_accounts_file_is_named(folders: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """What belongs to another account is told with that account, everywhere."""
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)

    told = dict(check_rights(folders))

    assert f"user ID {owner}" in told[folders.store]
    assert f"sudo chown {owner + 1} {quote(str(folders.store))}" in told[folders.store]
    assert {folders.config, folders.data, folders.cache} < set(told)


def test_folders_in_one_another_are_told_once(tmp_path: Path) -> None:
    """Where the system puts two of the folders in one place, nothing is told twice."""
    tmp_path.chmod(0o755)
    paths = Paths(config=tmp_path, data=tmp_path, cache=tmp_path / "cache")

    assert [tmp_path] == [path for path, _ in check_rights(paths)]


def test_the_command_can_be_pasted(tmp_path: Path) -> None:
    """A path with a blank is quoted in the command."""
    folder = tmp_path / "two words"
    folder.mkdir(mode=0o755)

    [(_, sentence)] = check_rights(Paths(config=folder, data=folder, cache=folder))

    assert sentence.endswith(f"chmod 700 {quote(str(folder))}")
