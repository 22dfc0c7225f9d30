"""What a list of everything costs the one who asks: `python -m benchmarks.streaming`.

The real command prints a whole store as JSON lines, over HTTP from the real server on PostgreSQL. The floor is a bare
loop over the same pages. They take turns. Exit status 1 when a target is missed.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import bulk, rest, stores
from benchmarks.environment import of_a_user
from benchmarks.issuer import token_of
from benchmarks.load import peak_memory
from benchmarks.postgresql import make_store, postgresql
from benchmarks.table import print_table
from psycopg.conninfo import make_conninfo
from tests.support.issuer import running

from supportaccess.domain.records import Status

_MOST_MEMORY = 150
_LEAST_SPEED = 0.5
_MOST_FOR_FIRST = 2.0
_PAGE = "/v1/access-requests?top=1000"
_PIECE = 1 << 20


@dataclass(frozen=True)
class Run:
    """What one run took: seconds until its first output and in all, of the processor, and MiB at its peak."""

    first: float
    seconds: float
    processor: float
    memory: float


class Bench:
    """A server with a store, and the home of the one who asks it."""

    def __init__(self, folder: Path, server: rest.Server, token: str, rows: int) -> None:
        script = str(Path(sys.executable).parent / "supportaccess")
        self._rows = rows
        self._environment = {
            **of_a_user(folder),
            "SUPPORTACCESS_ACCESS_TOKEN": token,
            "TOKEN": token,
        }
        every = [option for status in Status for option in ("-s", status.value)]
        self._command = [sys.executable, script, "list", *every, "--all", "-o", "jsonl"]
        self._floor = [sys.executable, "-m", "benchmarks.plain_pages", server.url + _PAGE]
        setting = [sys.executable, script, "tenant", "set", stores.TENANT, "--endpoint", server.url, "--quiet"]
        subprocess.run(setting, env=self._environment, check=True, stdout=subprocess.DEVNULL)

    def command(self) -> Run:
        """Print everything."""
        run, lines, _ = _run(self._command, self._environment)
        if lines != self._rows:
            raise ValueError(f"{lines:,} lines, not {self._rows:,}")
        return run

    def floor(self) -> Run:
        """Read everything."""
        run, _, last = _run(self._floor, self._environment)
        if int(last) != self._rows:
            raise ValueError(f"{last!r} rows, not {self._rows:,}")
        return run


def _run(command: Sequence[str], environment: Mapping[str, str]) -> tuple[Run, int, bytes]:
    """Return what a command took, how many lines it printed, and the last of its output."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    if process.stdout is None:
        raise ValueError("there is no pipe")
    piece = os.read(process.stdout.fileno(), _PIECE)
    first, lines, last, memory = time.perf_counter() - begun, 0, b"", 0.0
    while piece:
        lines, last, memory = lines + piece.count(b"\n"), piece, peak_memory(process.pid)
        piece = os.read(process.stdout.fileno(), _PIECE)
    process.stdout.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise ValueError(f"{command} failed")
    run = Run(first, time.perf_counter() - begun, usage.ru_utime + usage.ru_stime, memory)
    return run, lines, last


def _print(rows: int, floors: Sequence[Run], commands: Sequence[Run]) -> bool:
    """Print the table, and return whether a target was missed."""
    turns = list(zip(floors, commands, strict=True))
    speed = median(floor.seconds / run.seconds for floor, run in turns)
    first = median(run.first / floor.first for floor, run in turns)
    processor = median(run.processor / floor.processor for floor, run in turns)
    memory = max(run.memory for run in commands)
    missed = speed < _LEAST_SPEED, first > _MOST_FOR_FIRST, memory > _MOST_MEMORY
    table: list[tuple[str, ...]] = [
        (
            what,
            f"{rows / median(run.seconds for run in runs):,.0f}",
            f"{median(run.first for run in runs):.2f}",
            f"{median(run.processor for run in runs):.1f}",
            f"{max(run.memory for run in runs):.0f}",
        )
        for what, runs in (("floor: bare loop over pages", floors), ("supportaccess list --all -o jsonl", commands))
    ]
    table.append(("ratio", f"{speed:.2f}", f"{first:.2f}", f"{processor:.2f}", ""))
    targets = (f"{_LEAST_SPEED}", f"{_MOST_FOR_FIRST}", "", f"{_MOST_MEMORY}")
    marks = (missed[0], missed[1], False, missed[2])
    table.append(("target", *(f"{target}{' MISSED' * mark}" for target, mark in zip(targets, marks, strict=True))))
    print_table(("run", "rows/s", "s to first output", "CPU s", "MiB at peak"), table)
    return any(missed)


def main() -> int:
    """Measure and print; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.streaming")
    parser.add_argument("--rows", type=int, default=100_000, help="requests in the store")
    parser.add_argument("--turns", type=int, default=3, help="turns of floor and command")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, running(Path(name)) as authority, postgresql() as conninfo:
        folder, database = Path(name), {"postgresql": make_store(conninfo, "store")}
        bulk.fill(make_conninfo(conninfo, dbname="store"), options.rows)
        rest.write_settings(folder / "server.toml", authority, [stores.TENANT], database)
        with rest.server(folder / "server.toml") as server:
            bench = Bench(folder, server, token_of(authority, stores.TENANT), options.rows)
            turns = [(bench.floor(), bench.command()) for _ in range(options.turns)]
    print(f"{options.rows:,} requests, pages of 1,000, {options.turns} turns\n")
    floors, commands = zip(*turns, strict=True)
    return int(_print(options.rows, floors, commands))


if __name__ == "__main__":
    sys.exit(main())
