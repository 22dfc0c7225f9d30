import sys
from pathlib import Path

import pytest
from platformdirs import PlatformDirs

from supportaccess.errors import InvalidInput
from supportaccess.settings.paths import Paths


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


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux, where platformdirs is not asked")
@pytest.mark.parametrize("home", ["/home/ann", "/home/a nn/ä", "/", "relative", "", None])
@pytest.mark.parametrize("base", ["/srv/x", "/srv/x/", " /srv/x", "relative", "~/x", "", None])
def test_usual_folders_are_those_of_platformdirs(
    monkeypatch: pytest.MonkeyPatch, home: str | None, base: str | None
) -> None:
    """The folders that are worked out without platformdirs are the ones that it names."""
    variables = {"HOME": home, **{f"XDG_{kind}_HOME": base for kind in ("CONFIG", "DATA", "CACHE")}}
    for name, value in variables.items():
        monkeypatch.setenv(name, value) if value is not None else monkeypatch.delenv(name, raising=False)
    usual = PlatformDirs("supportaccess", appauthor=False)
    expected = tuple(map(Path, (usual.user_config_dir, usual.user_data_dir, usual.user_cache_dir)))

    if all(path.is_absolute() for path in expected):
        assert tuple(Paths.from_environment({})) == expected
    else:
        with pytest.raises(InvalidInput, match="not an absolute path"):
            Paths.from_environment({})
