"""How the source is cut into files and functions, and which modules lean on which: `python -m benchmarks.structure`.

Exit status 1 when a target is missed. Lines are all lines of a file, or of a function from `def` on; packages' own
`__init__.py` are left out. Imports for type checkers alone do not count, imports inside functions do.
"""

import ast
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1] / "src"
TINY = 60
MOST_TINY = 6
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Module(NamedTuple):
    """A file of the source."""

    name: str
    lines: int
    tree: ast.Module


def modules() -> dict[str, Module]:
    """Return every module by its dotted name."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        text = path.read_text("utf-8")
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = Module(name, text.count("\n"), ast.parse(text))
    return found


def imports(known: Mapping[str, Module]) -> dict[str, set[str]]:
    """Return which modules each module imports."""
    graph: dict[str, set[str]] = defaultdict(set)
    for name, module in known.items():
        ignored = {id(node) for block in _for_type_checkers(module.tree) for node in ast.walk(block)}
        for node in ast.walk(module.tree):
            if id(node) not in ignored:
                graph[name] |= {each for each in _imported(node, known) if each != name}
    return graph


def _for_type_checkers(tree: ast.Module) -> Iterator[ast.If]:
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            yield node


def _imported(node: ast.AST, known: Mapping[str, Module]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name in known)
    elif isinstance(node, ast.ImportFrom) and node.module in known:
        for alias in node.names:
            inner = f"{node.module}.{alias.name}"
            yield inner if inner in known else str(node.module)


def cycles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the groups of modules that import each other (Tarjan's strongly connected components)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in sorted(graph.get(name, ())):
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            group = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(group) > 1:
                found.append(sorted(group))

    sys.setrecursionlimit(10_000)
    for name in sorted(graph):
        if name not in index:
            visit(name)
    return found


def tiny(known: Mapping[str, Module], graph: Mapping[str, set[str]]) -> list[str]:
    """Return the small modules that exactly one other module imports."""
    users: dict[str, set[str]] = defaultdict(set)
    for name, imported in graph.items():
        for each in imported:
            users[each].add(name)
    return [name for name, module in _files(known) if module.lines < TINY and len(users[name]) == 1]


def _files(known: Mapping[str, Module]) -> Iterator[tuple[str, Module]]:
    return ((name, module) for name, module in known.items() if not module.name.endswith(".__init__"))


def _functions(known: Mapping[str, Module]) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for module in known.values() for node in ast.walk(module.tree) if isinstance(node, _FUNCTIONS)]


def _length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def _is_annotated(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    given = [each for each in named if each.arg not in {"self", "cls"}]
    return function.returns is not None and all(each.annotation is not None for each in given)


def _share(counted: int, of: int) -> str:
    return f"{100 * counted / of:.0f} %"


def _at(values: list[int], share: float) -> int:
    return sorted(values)[int(share * (len(values) - 1))]


def main() -> int:
    """Print the measures; return how many targets were missed."""
    known = modules()
    graph = imports(known)
    files = [module.lines for _, module in _files(known)]
    functions = _functions(known)
    lengths = [_length(function) for function in functions]
    public = [each for each in functions if not each.name.startswith("_")]
    circles, small = cycles(graph), tiny(known, graph)
    median = int(statistics.median(files))
    rows = [
        ("files, lines", f"{len(files)}, {sum(files):,}", "", True),
        ("file: median, p90, most", f"{median}, {_at(files, 0.9)}, {max(files)}", "median 120", median >= 120),
        (f"files under {TINY} lines", str(sum(each < TINY for each in files)), "", True),
        ("of these with one importer", str(len(small)), f"{MOST_TINY}", len(small) <= MOST_TINY),
        (
            "function: median, p90, most",
            f"{int(statistics.median(lengths))}, {_at(lengths, 0.9)}, {max(lengths)}",
            "7, 17, 105",
            statistics.median(lengths) <= 7 and _at(lengths, 0.9) <= 17 and max(lengths) <= 105,
        ),
        ("functions over 60 lines", str(sum(each > 60 for each in lengths)), "", True),
        ("annotated", _share(sum(map(_is_annotated, functions)), len(functions)), "100 %", True),
        (
            "public with a docstring",
            _share(sum(bool(ast.get_docstring(each)) for each in public), len(public)),
            "",
            True,
        ),
        ("imports of a module: median, p90", _fan_out(graph, known), "", True),
        ("import cycles", str(len(circles)), "0", not circles),
    ]
    for what, measured, target, holds in rows:
        print(f"{what:34} {measured:18} {target:12} {'' if holds else 'MISSED'}".rstrip())
    for name in small:
        print(f"  one importer: {name}, {known[name].lines} lines")
    for group in circles:
        print(f"  cycle: {', '.join(group)}")
    return sum(not holds for *_, holds in rows)


def _fan_out(graph: Mapping[str, set[str]], known: Mapping[str, Module]) -> str:
    counts = [len(graph[name]) for name, _ in _files(known)]
    return f"{int(statistics.median(counts))}, {_at(counts, 0.9)}"


if __name__ == "__main__":
    sys.exit(min(main(), 1))
