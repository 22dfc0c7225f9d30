"""What audits of a large store cost: `python -m benchmarks.audits`.

The real commands, on the embedded store. The floor prints the same requests and the same log as JSON lines, a row at a
time. Exit status 1 when a command grows faster than its store.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import stores
from benchmarks.environment import of_a_user
from benchmarks.table import print_table

from supportaccess.domain.records import Status

_SIZES = (1_000, 10_000, 100_000)
_MOST_GROWTH = 2.0
"""How much more often the floor a command may cost on the largest store than on the one before.

On the smaller one more of the floor is the start of its two commands; what grows with the square would be ten.
"""
_FLOOR = "floor: list and audit log, -o jsonl"
_ALL = [option for status in Status for option in ("-s", status.value)]
_FLOORS = (("list", *_ALL, "--all", "-o", "jsonl"), ("audit", "log", "--all", "-o", "jsonl"))
_COMMANDS = {
    "audit lint -o json": (("audit", "lint", "-o", "json"),),
    "audit who -o json": (("audit", "who", "-o", "json"),),
    "audit verify -o json": (("audit", "verify", "-o", "json"),),
    "audit report, 30 days": (("audit", "report", "-o", "json"),),
    "audit report, 2 years": (("audit", "report", "--since", "104w", "-o", "json"),),
    "audit report, 2 years, --html": (("audit", "report", "--since", "104w", "--html", "-"),),
}
# In a process of its own: what this one had would count as the commands' memory.
_FILL = "import sys; from pathlib import Path; from benchmarks import stores; n = int(sys.argv[2]); "
_FILL += "stores.fill(Path(sys.argv[1]), stores.Mix(n, n * 2 // 100, n * 3 // 100))"


@dataclass(frozen=True)
class Run:
    """What one run took: seconds of the processor, and MiB at its peak."""

    processor: float
    memory: float


def measure(folder: Path, size: int) -> dict[str, Run]:
    """Make a store of that many requests, and run everything on it."""
    home = folder / str(size)
    data = home / "data"
    data.mkdir(parents=True, mode=0o700)
    subprocess.run([sys.executable, "-c", _FILL, str(data / "store.db"), str(size)], check=True)
    environment = {
        **of_a_user(home),
        "SUPPORTACCESS_DATA_DIR": str(data),
        "SUPPORTACCESS_CONFIG_DIR": str(home / "config"),
    }
    _run(["tenant", "set", stores.TENANT, "--quiet"], environment)
    _run(["provider", "raise", "--support-request", "1", "--engineer", "E", "--reason", "r", "--quiet"], environment)
    both = [_run(arguments, environment) for arguments in _FLOORS]
    runs = {_FLOOR: Run(sum(run.processor for run in both), max(run.memory for run in both))}
    for what, (arguments,) in _COMMANDS.items():
        runs[what] = _run(arguments, environment)
    return runs


def _run(arguments: Sequence[str], environment: Mapping[str, str]) -> Run:
    script = str(Path(sys.executable).parent / "supportaccess")
    process = subprocess.Popen(
        [sys.executable, script, *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise ValueError(f"{arguments} ended with {process.returncode}")
    return Run(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def _print(sizes: Sequence[int], measured: Sequence[Mapping[str, Run]]) -> bool:
    """Print the table, and return whether a command grew too fast."""
    missed, table = False, []
    for what in measured[0]:
        ratios = [runs[what].processor / runs[_FLOOR].processor for runs in measured]
        grew = ratios[-1] / ratios[-2]
        missed = missed or grew > _MOST_GROWTH
        table.append(
            (
                what,
                f"{measured[-1][what].processor:.1f}",
                *(f"{ratio:.2f}" for ratio in ratios),
                f"{grew:.2f}{' MISSED' * (grew > _MOST_GROWTH)}",
                *(f"{runs[what].memory:.0f}" for runs in measured),
            )
        )
    named = [f"{size:,}" for size in sizes]
    header = ("run", f"CPU s, {named[-1]}", *(f"x floor, {each}" for each in named), "growth")
    print_table((*header, *(f"MiB, {each}" for each in named)), table)
    return missed


def main() -> int:
    """Measure and print; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.audits")
    parser.add_argument("--sizes", type=int, nargs="+", default=_SIZES, help="requests in the stores, at least two")
    sizes = parser.parse_args().sizes
    if len(sizes) < 2:
        parser.error("growth is between two sizes or more")
    with tempfile.TemporaryDirectory() as name:
        measured = [measure(Path(name), size) for size in sizes]
    return int(_print(sizes, measured))


if __name__ == "__main__":
    sys.exit(main())
