import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from supportaccess.errors import StoreUnavailable
from supportaccess.settings import files
from supportaccess.settings.paths import Paths
from supportaccess.settings.profiles import Profile, Settings

pytestmark = pytest.mark.process

PROCESSES = 20
SHARED = "ffffffff-0000-4000-8000-000000000000"

WRITER = """
import sys
from pathlib import Path
from supportaccess.settings import files
from supportaccess.settings.paths import Paths
from supportaccess.settings.profiles import Profile, Settings

files.PATIENCE = 100  # twenty take turns, and the machine may be busy
folder, number, shared = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
settings = Settings(Paths(folder, folder, folder), {})
own = f"00000000-0000-4000-8000-{number:012}"
sys.stdin.read()  # until all are ready
for turn in range(3):
    settings.save(Profile(tenant_id=own, alias=f"own-{number}-{turn}"))
    settings.save(Profile(tenant_id=shared, alias=f"shared-{number}-{turn}"))
    settings.use(own)
    settings.profiles()
"""


def test_many_processes_at_once_lose_nothing(tmp_path: Path) -> None:
    """Twenty processes save profiles of their own and one they share, and read meanwhile: all is there and whole."""
    folder = tmp_path / "config"
    settings = Settings(Paths(folder, folder, folder), {})
    settings.save(Profile(tenant_id=SHARED))
    shared_file = folder / "tenants" / f"{SHARED}.toml"
    shared_file.write_text("# kept\nunknown = 1\n")

    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder), str(number), SHARED],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]
    for writer in writers:
        assert writer.stdin
        writer.stdin.close()
        writer.stdin = None
    errors = [writer.communicate(timeout=120)[1] for writer in writers]

    assert errors == [""] * PROCESSES
    aliases = {profile.alias for profile in settings.profiles() if profile.tenant_id != SHARED}
    assert {f"own-{number}-2" for number in range(PROCESSES)} == aliases
    assert str(settings.chosen(SHARED).alias).endswith("-2")
    assert shared_file.read_text().startswith("# kept\nunknown = 1\n")
    assert settings.chosen(None).tenant_id == settings.default_tenant()
    left = {path.name for path in folder.rglob("*")} - {f"{profile.tenant_id}.toml" for profile in settings.profiles()}
    assert {".lock", "config.toml", "tenants"} == left


CHANGER = """
import sys
from msgspec.structs import replace
from pathlib import Path
from supportaccess.settings.paths import Paths
from supportaccess.settings.profiles import Settings

folder, key, tenant, values = Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:]
settings = Settings(Paths(folder, folder, folder), {})
sys.stdin.read()  # until all are ready
for value in values:
    settings.change(tenant, lambda profile: replace(profile, **{key: value}))
"""


def test_changes_of_different_values_are_all_kept(tmp_path: Path) -> None:
    """A process that changes one value of a profile takes back nothing that another one changes meanwhile."""
    folder = tmp_path / "config"
    settings = Settings(Paths(folder, folder, folder), {})
    settings.save(Profile(tenant_id=SHARED))
    turns = [f"{number:02}" for number in range(40)]
    values = {
        "alias": [f"alias-{turn}" for turn in turns],
        "store": [f"https://store-{turn}.example.com" for turn in turns],
    }
    changers = [
        subprocess.Popen([sys.executable, "-c", CHANGER, str(folder), key, SHARED, *each], stdin=subprocess.PIPE)
        for key, each in values.items()
    ]
    for changer in changers:
        changer.communicate(timeout=120)

    assert [changer.returncode for changer in changers] == [0, 0]
    profile = settings.chosen(SHARED)
    assert (profile.alias, profile.store) == (values["alias"][-1], values["store"][-1])


def test_one_alias_goes_to_one_of_many_processes(tmp_path: Path) -> None:
    """Of processes that want the same alias for different tenants, exactly one gets it."""
    program = WRITER.split("sys.stdin")[0] + "settings.save(Profile(tenant_id=own, alias='wanted'))"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "config"), str(number), SHARED], stderr=subprocess.DEVNULL
        )
        for number in range(8)
    ]

    assert sorted(writer.wait(timeout=120) for writer in writers) == [0] + [1] * 7


def test_a_lock_that_is_never_freed(settings: Settings, paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer gives up after a while and says why; readers never wait."""
    profile = Profile(tenant_id=SHARED, alias="contoso")
    settings.save(profile)
    monkeypatch.setattr(files, "PATIENCE", 0.1)

    changes: list[Callable[[], None]] = [
        lambda: settings.save(profile),
        lambda: settings.use(SHARED),
        lambda: settings.remove(SHARED),
    ]

    with FileLock(paths.config / ".lock"):
        for change in changes:
            with pytest.raises(StoreUnavailable, match=r"another process .* locked"):
                change()
        assert [profile] == settings.profiles()
    settings.use(SHARED)


def test_reading_imports_no_writer(settings: Settings, paths: Paths) -> None:
    """Every command reads settings: what only writers need is not imported on the way, nor is anything slow."""
    settings.save(Profile(tenant_id=SHARED, alias="contoso"))
    settings.use(SHARED)
    program = """
import sys
from pathlib import Path
from supportaccess.settings.paths import Paths
from supportaccess.settings.profiles import Settings
assert "platformdirs" not in sys.modules
folder = Path(sys.argv[1])
settings = Settings(Paths(folder, folder, folder), {})
settings.chosen(None), settings.chosen("contoso"), settings.profiles()
print(*sorted({"tomlkit", "filelock", "difflib", "asyncio", "platformdirs"} & set(sys.modules)))
"""

    run = subprocess.run(
        [sys.executable, "-c", program, str(paths.config)], capture_output=True, text=True, check=True, timeout=60
    )

    assert run.stdout == "\n"


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    """A file is whole at every moment while it is written over and over."""
    folder = tmp_path / "config"
    Settings(Paths(folder, folder, folder), {}).save(Profile(tenant_id=SHARED, alias="first"))
    program = WRITER.split("sys.stdin")[0] + (
        "for turn in range(40): settings.save(Profile(tenant_id=shared, alias='x' * (1 + turn % 60)))"
    )
    path = folder / "tenants" / f"{SHARED}.toml"

    with subprocess.Popen([sys.executable, "-c", program, str(folder), "0", SHARED]) as writer:
        while writer.poll() is None:
            assert {"alias", "store"} == set(tomllib.loads(path.read_text()))
    assert writer.returncode == 0
