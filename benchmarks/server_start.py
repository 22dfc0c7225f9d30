"""What a server costs before it is asked anything: `python -m benchmarks.server_start`.

Time until /healthz answers, and memory then, of `supportaccess serve` against a bare uvicorn with as many workers. All
take turns. Exit status 1 when a target is missed.
"""

import argparse
import http.client
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks import rest, stores
from benchmarks.environment import of_a_user
from benchmarks.postgresql import make_store, postgresql
from benchmarks.table import print_table
from tests.support.issuer import running

_MOST_SECONDS = 5.0
_MOST_MEMORY = 3.0
_SECONDS_TO_START = 60
_SECONDS_TO_SETTLE = 0.5
"""Until the last of the workers has started, too."""


@dataclass(frozen=True)
class Case:
    """A command after `python` that serves on a port, and what its starts took: s, s of the processor, MiB, MiB."""

    name: str
    arguments: Sequence[str]
    port: int
    home: Path
    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    resident: list[float] = field(default_factory=list)
    proportional: list[float] = field(default_factory=list)

    def measure(self) -> None:
        """Start it, wait until it answers, note what that took, and stop it."""
        command, nothing = [sys.executable, *self.arguments], subprocess.DEVNULL
        begun = time.perf_counter()
        process = subprocess.Popen(command, stdin=nothing, stdout=nothing, stderr=nothing, env=of_a_user(self.home))
        try:
            while not _answers(self.port):
                if process.poll() is not None or time.perf_counter() - begun > _SECONDS_TO_START:
                    raise ValueError(f"{self.name} did not start")
                time.sleep(0.002)
            self.seconds.append(time.perf_counter() - begun)
            time.sleep(_SECONDS_TO_SETTLE)
            family = _family(process.pid)
            self.resident.append(sum(_mebibytes(pid, "Rss:") for pid in family))
            self.proportional.append(sum(_mebibytes(pid, "Pss:") for pid in family))
        finally:
            process.terminate()
            _, _, usage = os.wait4(process.pid, 0)
            process.returncode = 0
        self.processor.append(usage.ru_utime + usage.ru_stime)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _family(pid: int) -> list[int]:
    """Return a process and all that descend from it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in _family(int(child)))]


def _mebibytes(pid: int, name: str) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _bare(workers: int, home: Path) -> Case:
    port = _free_port()
    options = ["--port", str(port), "--workers", str(workers), "--log-level", "critical"]
    arguments = ["-m", "uvicorn", "benchmarks.hello:application", *options]
    return Case(f"bare uvicorn, {_told(workers)}  (floor)", arguments, port, home)


def _serve(name: str, settings: Path, workers: int, port: int) -> Case:
    script = str(Path(sys.executable).parent / "supportaccess")
    return Case(
        f"serve on {name}, {_told(workers)}", [script, "serve", "--config", str(settings)], port, settings.parent
    )


def _told(workers: int) -> str:
    return f"{workers} worker{'s' * (workers > 1)}"


def _empty() -> tuple[float, float]:
    """Return the seconds and MiB of a Python that does nothing but tell its memory."""
    begun = time.perf_counter()
    telling = [sys.executable, "-c", "print(open('/proc/self/smaps_rollup').read())"]
    told = subprocess.run(telling, check=True, capture_output=True, text=True).stdout
    seconds = time.perf_counter() - begun
    return seconds, next(int(line.split()[1]) for line in told.splitlines() if line.startswith("Rss:")) / 1024


def _row(case: Case, floor: Case) -> tuple[str, ...]:
    figures = (case.seconds, case.processor, case.resident, case.proportional)
    cells = [f"{median(each):.{digits}f}" for each, digits in zip(figures, (2, 2, 0, 0), strict=True)]
    if case is floor:
        return (case.name, *cells, "", "")
    slow, large = _times(case, floor)
    return (
        case.name,
        *cells,
        f"{slow:.1f} of {_MOST_SECONDS:g}{' MISSED' * (slow > _MOST_SECONDS)}",
        f"{large:.1f} of {_MOST_MEMORY:g}{' MISSED' * (large > _MOST_MEMORY)}",
    )


def _times(case: Case, floor: Case) -> tuple[float, float]:
    """Return how many times the floor's seconds and memory a case took."""
    return median(case.seconds) / median(floor.seconds), median(case.proportional) / median(floor.proportional)


def main() -> int:
    """Measure and print; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.server_start")
    parser.add_argument("--turns", type=int, default=10, help="starts of each")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, running(Path(name)) as authority, postgresql() as conninfo:
        folder, database = Path(name), {"postgresql": make_store(conninfo, "store")}
        cases = []
        for kind, named, workers in (
            ("SQLite", {"sqlite": f"{name}/store.db"}, 1),
            ("PostgreSQL", database, 1),
            ("PostgreSQL", database, 2),
        ):
            settings, port = folder / f"{kind}-{workers}.toml", _free_port()
            rest.write_settings(settings, authority, [stores.TENANT], named, workers=workers, port=port)
            cases.append((_serve(kind, settings, workers, port), _bare(workers, folder)))
        empty = []
        for _ in range(options.turns):
            empty.append(_empty())
            for case, floor in cases:
                floor.measure()
                case.measure()
    seconds, memory = (median(each) for each in zip(*empty, strict=True))
    rows: list[tuple[str, ...]] = [("empty Python", f"{seconds:.2f}", "", f"{memory:.0f}", "", "", "")]
    rows += [_row(each, floor) for case, floor in cases for each in (floor, case)]
    print(f"{options.turns} starts of each, by turns; CPU includes the stop; PSS counts what processes share once\n")
    print_table(("start", "s", "CPU s", "MiB RSS", "MiB PSS", "x floor, s", "x floor, PSS"), rows)
    times = [_times(case, floor) for case, floor in cases]
    return int(any(slow > _MOST_SECONDS or large > _MOST_MEMORY for slow, large in times))


if __name__ == "__main__":
    sys.exit(main())
