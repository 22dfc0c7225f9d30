"""The transparency log without the rest of the program: its wheel has all that it needs, and its tests pass with it."""

import ast
import subprocess
import sys
import sysconfig
import tomllib
import venv
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = ROOT / "packaging" / "tlog"
TESTS = ROOT / "tests" / "tlog"

_CONFTEST = """
from hypothesis import settings
settings.register_profile("alone", deadline=None, database=None)
settings.load_profile("alone")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel of the log alone."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(PROJECT)]
    subprocess.run(build, check=True, capture_output=True, timeout=600)
    (path,) = folder.glob("supportaccess_tlog-*.whl")
    return path


def imported(source: str) -> Iterator[str]:
    """Return the full name of everything that a module imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield f"{'.' * node.level}{node.module or ''}"


def test_it_has_what_it_needs(wheel: Path) -> None:
    """It is the log and the floor that it stands on, and imports nothing but these and what it declares."""
    with ZipFile(wheel) as archive:
        sources = {name: archive.read(name).decode() for name in archive.namelist() if name.endswith(".py")}
    floor = {f"supportaccess/{name}.py" for name in ("errors", "structs", "private_files")}
    log = {path.relative_to(ROOT / "src").as_posix() for path in (ROOT / "src/supportaccess/tlog").rglob("*.py")}
    assert set(sources) == floor | log

    declared = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["dependencies"]
    outside = sys.stdlib_module_names | {each.partition(">")[0] for each in declared}
    own = {name.removesuffix(".py").replace("/", ".").removesuffix(".__init__") for name in sources} | {"supportaccess"}
    names = {name for source in sources.values() for name in imported(source)}
    assert {name for name in names if name.partition(".")[0] not in outside} <= own


def test_its_tests_pass_without_the_rest(wheel: Path, tmp_path: Path) -> None:
    """With the wheel, its dependencies and nothing else of the program, the tests of the log pass."""
    venv.create(tmp_path / "environment", symlinks=True)
    python = str(tmp_path / "environment" / "bin" / "python")
    where = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    packages = Path(subprocess.run(where, check=True, capture_output=True, text=True, timeout=60).stdout.strip())
    with ZipFile(wheel) as archive:
        archive.extractall(packages)
    # Libraries are those of this environment; of a path that is added so, no .pth is read: the checkout is not there.
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    copied = tmp_path / "tests" / "tlog"
    copied.mkdir(parents=True)
    for path in TESTS.glob("*.py"):
        (copied / path.name).write_bytes(path.read_bytes())

    (tmp_path / "conftest.py").write_text(_CONFTEST)

    alone = "import importlib.util as util; raise SystemExit(util.find_spec('supportaccess.domain') is not None)"
    assert subprocess.run([python, "-c", alone], cwd=tmp_path, timeout=60, check=False).returncode == 0
    options = ["-q", "--import-mode=importlib", "-p", "no:cacheprovider", "-o", "pythonpath=."]
    ran = subprocess.run(
        [python, "-m", "pytest", *options, "-c", "/dev/null", "--rootdir", str(tmp_path), "tests/tlog"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    assert " passed" in ran.stdout
