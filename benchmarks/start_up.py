"""What a command costs, in millions of instructions: `python -m benchmarks.start_up`.

Instructions are counted, not seconds: they repeat, whatever else the machine is doing. Measured is the console script
of the environment that this runs in. Exit status 1 when a target is missed.
"""

import platform
import shutil
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks import remote, stores
from benchmarks.cachegrind import Bench, Case, Measured
from benchmarks.table import print_table

_MOST_FOR_GROWTH = 1.1
_LARGE = 100_000


def _commands(bench: Bench, authority: Path) -> list[Measured]:
    """Measure the floors and the commands that have a target of their own. `authority` is the shared store's."""
    script = str(bench.script)
    over_http = Case(
        "list -o json, over HTTP",
        [script, "list", "-o", "json"],
        "shared",
        most=600,
        more={"SSL_CERT_FILE": str(authority), "SUPPORTACCESS_ACCESS_TOKEN": remote.token(stores.TENANT)},
    )
    signed_in = Case(
        "the same, with a kept token",
        [script, "list", "-o", "json"],
        "signed in",
        most=600,
        more={"SSL_CERT_FILE": str(authority)},
    )
    cases = [
        Case("python -c pass  (floor)", ["-c", "pass"]),
        Case("python -c 'import typer'  (floor)", ["-c", "import typer"]),
        Case("python -c 'import typer, urllib3'  (floor)", ["-c", "import typer, urllib3"]),
        Case("supportaccess --version", [script, "--version"], most=45),
        Case("supportaccess --help", [script, "--help"], most=280),
        Case("list -o json", [script, "list", "-o", "json"], "busy", most=400),
        Case("list --approved -o json", [script, "list", "--approved", "-o", "json"], "busy"),
        over_http,
        signed_in,
        Case("list  (TSV: piped)", [script, "list"], "busy"),
        Case("list  (table: on a terminal)", [script, "list"], "busy", terminal=True),
    ]
    if bench.is_old:
        cases.insert(4, Case("the same, as the old pip made it", [str(bench.installed), "--version"]))
    return [bench.measure(case) for case in cases]


def _growth(bench: Bench) -> list[tuple[Measured, Measured]]:
    """Measure the same listing, of as many rows, on a small and a large store."""
    return [
        (
            bench.measure(Case(f"list {' '.join(options)}", [str(bench.script), "list", *options], small)),
            bench.measure(Case(f"list {' '.join(options)}", [str(bench.script), "list", *options], "large")),
        )
        for small, options in (
            ("busy", ["-o", "json"]),
            ("usual", ["-o", "json", "--limit", "4"]),
            ("usual", ["-o", "json", "--limit", "4", "--approved"]),
        )
    ]


def _print_commands(measured: Sequence[Measured]) -> None:
    floor = measured[0].minstr
    rows = [
        (
            one.case.name,
            "" if one.rows is None else str(one.rows),
            f"{one.minstr:.1f}",
            f"{one.minstr / floor:.1f}",
            "" if one.case.most is None else f"{one.case.most:g}{' MISSED' * one.missed}",
        )
        for one in measured
    ]
    print_table(("command", "rows", "Minstr", "x floor", "target"), rows)


def _print_growth(pairs: Sequence[tuple[Measured, Measured]]) -> None:
    rows = [
        (
            small.case.name,
            small.case.store,
            f"{small.rows}, {large.rows}",
            f"{small.minstr:.1f}",
            f"{large.minstr:.1f}",
            f"{large.minstr / small.minstr:.3f}",
            f"{_MOST_FOR_GROWTH}{' MISSED' * _grew((small, large))}",
        )
        for small, large in pairs
    ]
    print_table(("command", "small store", "rows", "100", f"{_LARGE:,}", "ratio", "target"), rows)


def _told(mix: stores.Mix) -> str:
    return f"{mix.requests:,} requests, {mix.pending:,} pending, {mix.open:,} with open access, the rest final"


def main() -> int:
    """Measure and print; return the exit status."""
    if shutil.which("valgrind") is None:
        sys.exit("valgrind is missing: apt-get install valgrind")
    mixes = {"usual": stores.USUAL[100], "busy": stores.BUSY, "large": stores.USUAL[_LARGE]}
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        for name, mix in mixes.items():
            bench.make_store(name, mix)
        with remote.serving(Path(folder), bench.printed("busy")) as shared:
            bench.make_remote("shared", shared.endpoint)
            bench.make_signed_in("signed in", shared.endpoint)
            commands, growth = _commands(bench, shared.authority), _growth(bench)
    packages = ", ".join(f"{name} {version(name)}" for name in ("supportaccess", "typer", "rich", "msgspec", "urllib3"))
    print(f"{platform.python_implementation()} {platform.python_version()}, {packages}")
    if bench.is_old:
        print("An old pip made this environment's console script: it imports `re`. Measured as a current pip makes it.")
    for name, mix in mixes.items():
        print(f"store {name!r}: {_told(mix)}, over two years")
    print("\nWhat a command costs; on the store 'busy', where `list` prints its 50 rows, and over TLS the same rows\n")
    _print_commands(commands)
    print(
        "\nWhat a larger store costs. Both sides print as many rows, and both have more: on 'busy' 50 of 60 against"
        "\n50 of 5,000; on 'usual', the mix of 'large', 4 of 5: 100 such requests have no 50 that need attention.\n"
    )
    _print_growth(growth)
    return int(any(one.missed for one in commands) or any(_grew(pair) for pair in growth))


def _grew(pair: tuple[Measured, Measured]) -> bool:
    small, large = pair
    return large.minstr / small.minstr > _MOST_FOR_GROWTH


if __name__ == "__main__":
    sys.exit(main())
