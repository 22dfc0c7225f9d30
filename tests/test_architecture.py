"""Holds the arrows between the packages: docs and design draw them, the imports are what is true."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import supportaccess

PACKAGE = Path(supportaccess.__file__).parent
STARTS_THE_SERVER = "cli/commands/serve.py"

ALLOWED = {
    "domain": set[str](),
    "network": {"domain"},
    "private_files": {"domain"},
    "store": {"private_files", "network", "domain"},
    "settings": {"private_files", "domain"},
    "sources": {"domain"},
    "signin": {"settings", "private_files", "network", "domain"},
    "server": {"store", "domain"},
    "cli": {"store", "signin", "sources", "settings", "private_files", "network", "domain", "server"},
    "__main__": {"cli"},
    "__init__": set[str](),
}
"""Which packages each package may import besides itself."""

OUTSIDE_DOMAIN = sys.stdlib_module_names | {"supportaccess"}
MODULES = sorted(PACKAGE.rglob("*.py"))


def imports(tree: ast.AST, module: str) -> Iterator[str]:
    """Return the full name of everything that a module imports, wherever in it the import stands.

    `module` is its own dotted name, with `.__init__` for a package.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = module.split(".")[: -node.level] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)


def package_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imported_packages(path: Path) -> set[str]:
    """Return the packages of this project that a module imports."""
    names = imports(ast.parse(path.read_text("utf-8")), name_of(path))
    parts = (name.split(".") for name in names)
    return {part[1] for part in parts if part[0] == "supportaccess" and len(part) > 1} & set(ALLOWED)


def test_every_package_is_known() -> None:
    """A package that this test does not know is a question to ask, not one to pass over."""
    assert {package_of(path) for path in MODULES} <= set(ALLOWED)
    assert {"domain", "store"} <= {package_of(path) for path in MODULES}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_the_arrows_point_one_way(path: Path) -> None:
    """A module imports only what its package may: also inside functions and for type checkers alone."""
    own = package_of(path)

    assert imported_packages(path) - {own, "__init__"} <= ALLOWED[own]


@pytest.mark.parametrize("path", [path for path in MODULES if package_of(path) == "domain"], ids=name_of)
def test_the_domain_needs_nothing(path: Path) -> None:
    """The rules use the standard library and msgspec, and nothing of it that reaches outside."""
    names = {name.split(".")[0] for name in imports(ast.parse(path.read_text("utf-8")), name_of(path))}

    assert names <= OUTSIDE_DOMAIN | {"msgspec"}
    assert not names & {
        "os",
        "io",
        "pathlib",
        "socket",
        "sqlite3",
        "subprocess",
        "random",
        "secrets",
        "time",
        "logging",
    }


def test_the_server_is_imported_by_the_command_that_starts_it() -> None:
    """No other module of the command line knows the server."""
    knowing = {
        path.relative_to(PACKAGE).as_posix()
        for path in MODULES
        if package_of(path) == "cli" and "server" in imported_packages(path)
    }

    assert knowing <= {STARTS_THE_SERVER}


@pytest.mark.parametrize("path", [path for path in MODULES if package_of(path) not in {"cli", "__main__"}], ids=name_of)
def test_nothing_is_imported_by_a_computed_name(path: Path) -> None:
    """Below the command line no import hides from this test."""
    words = {node.id for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Name)}
    words |= {node.attr for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Attribute)}

    assert not words & {"__import__", "import_module"}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_the_output_prints(path: Path) -> None:
    """Nothing outside cli/output calls print: what a user sees has one way out."""
    calls = (node.func for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call))
    prints = [call for call in calls if isinstance(call, ast.Name) and call.id == "print"]

    assert not prints or path.is_relative_to(PACKAGE / "cli" / "output")


def test_the_reader_of_imports_sees_them_all() -> None:
    """Plain, renamed, relative, hidden and nested imports are all seen."""
    source = """
import supportaccess.cli.output as output
from supportaccess import server
from ..store import protocol
from . import sibling
if TYPE_CHECKING:
    from supportaccess.settings.paths import Paths
def late():
    from ...supportaccess.signin import cache
"""
    assert set(imports(ast.parse(source), "supportaccess.domain.lifecycle")) >= {
        "supportaccess.cli.output",
        "supportaccess.server",
        "supportaccess.store.protocol",
        "supportaccess.domain.sibling",
        "supportaccess.settings.paths.Paths",
        "supportaccess.signin.cache",
    }
