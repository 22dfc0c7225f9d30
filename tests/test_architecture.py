"""Holds the arrows between the packages: docs and design draw them, the imports are what is true."""

import ast
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

from benchmarks import structure

import supportaccess

PACKAGE = Path(supportaccess.__file__).parent
KNOWS_THE_SERVER = {"cli/serve.py", "cli/app/operator_store.py"}
FINDS_METHODS = "signin/method.py"
"""Imports the module of a method of sign-in by its name: tests/signin/test_methods.py holds it to what is there."""

FLOOR = {"errors", "structs", "suggestions"}
ALLOWED = {
    "errors": set[str](),
    "structs": set[str](),
    "suggestions": set[str](),
    "private_files": FLOOR,
    "tlog": FLOOR | {"private_files"},
    "http": FLOOR,
    "domain": FLOOR,
    "sources": FLOOR | {"domain", "http"},
    "store": FLOOR | {"private_files", "tlog", "http", "sources", "domain"},
    "settings": FLOOR | {"private_files", "http", "domain"},
    "signin": FLOOR | {"settings", "private_files", "http", "domain"},
    "server": FLOOR | {"store", "tlog", "sources", "http", "domain"},
    "cli": FLOOR | {"store", "tlog", "signin", "sources", "settings", "private_files", "http", "domain", "server"},
    "__main__": {"cli"},
    "__init__": set[str](),
}
"""Which packages each package may import besides itself."""

OUTSIDE_DOMAIN = sys.stdlib_module_names | {"supportaccess", "msgspec"}
"""What the domain may import."""
REACHES_OUTSIDE = {
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
"""What it may not import for all that."""
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


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def imports_of(path: Path) -> set[str]:
    return set(imports(tree_of(path), name_of(path)))


def imported_packages(path: Path) -> set[str]:
    """Return the packages of this project that a module imports."""
    parts = (name.split(".") for name in imports_of(path))
    return {part[1] for part in parts if part[0] == "supportaccess" and len(part) > 1} & set(ALLOWED)


def assert_none(modules: Iterable[Path], wrong: Callable[[Path], set[str]]) -> None:
    """Fail, and name every module that has something wrong, with what it is."""
    offenders = [f"{name_of(path)}: {', '.join(sorted(found))}" for path in modules if (found := wrong(path))]
    assert not offenders, "\n".join(offenders)


def test_every_package_is_known() -> None:
    """A package that this test does not know is a question to ask, not one to pass over."""
    assert {package_of(path) for path in MODULES} <= set(ALLOWED)
    assert {"domain", "store"} <= {package_of(path) for path in MODULES}


def test_the_arrows_point_one_way() -> None:
    """A module imports only what its package may: also inside functions and for type checkers alone."""

    def forbidden(path: Path) -> set[str]:
        own = package_of(path)
        return imported_packages(path) - {own, "__init__"} - ALLOWED[own]

    assert_none(MODULES, forbidden)


def test_the_domain_needs_nothing() -> None:
    """The rules use the standard library and msgspec, and nothing of it that reaches outside."""

    def forbidden(path: Path) -> set[str]:
        names = {name.split(".")[0] for name in imports_of(path)}
        return (names - OUTSIDE_DOMAIN) | (names & REACHES_OUTSIDE)

    assert_none([path for path in MODULES if package_of(path) == "domain"], forbidden)


def test_the_server_is_imported_by_what_starts_it_or_opens_its_store() -> None:
    """No other module of the command line knows the server."""
    knowing = {PACKAGE / each for each in KNOWS_THE_SERVER}
    others = [path for path in MODULES if package_of(path) == "cli" and path not in knowing]

    assert_none(others, lambda path: imported_packages(path) & {"server"})


def test_nothing_is_imported_by_a_computed_name() -> None:
    """Below the command line no import hides from this test, but that of a method of sign-in from its own folder."""

    def hidden(path: Path) -> set[str]:
        nodes = list(ast.walk(tree_of(path)))
        words = {node.id for node in nodes if isinstance(node, ast.Name)}
        words |= {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        return words & {"__import__", "import_module"}

    below = [path for path in MODULES if package_of(path) not in {"cli", "__main__"}]
    assert_none([path for path in below if path != PACKAGE / FINDS_METHODS], hidden)


def test_only_the_output_prints() -> None:
    """Nothing outside cli/output calls print: what a user sees has one way out."""

    def prints(path: Path) -> set[str]:
        calls = (node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call))
        return {f"line {call.lineno}" for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"}

    assert_none([path for path in MODULES if not path.is_relative_to(PACKAGE / "cli" / "output")], prints)


def test_no_module_imports_one_that_imports_it() -> None:
    """There is no circle of imports, within a package as little as between them."""
    assert structure.cycles(structure.imports(structure.modules())) == []
    assert structure.cycles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == [["b", "c"]]


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
