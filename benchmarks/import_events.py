"""What an import costs, in time and memory: `python -m benchmarks.import_events`.

The real command imports exports of 20,000 and 200,000 events into an empty embedded store. Seconds are of this machine
and this hour: compare with the floor, measured in the same run. Exit status 1 when memory is not bounded.
"""

import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

from benchmarks import exports
from benchmarks.stores import TENANT
from benchmarks.table import print_table

_SMALL, _LARGE = 20_000, 200_000
_MOST_MEMORY = 2.0
_MIB = 1024 * 1024


@dataclass(frozen=True)
class Measured:
    """What one run took: by the clock, of the processor, and of memory at its peak, in MiB."""

    what: str
    seconds: float
    processor: float
    memory: float


class Bench:
    """A folder in which everything is measured."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._script = Path(sys.executable).parent / "supportaccess"

    def measure(self, events: int) -> list[Measured]:
        """Measure the floor first, then the import: of the plain file, of the same once more, of the packed one."""
        plain = self._folder / f"{events}.json"
        exports.write_export(plain, events)
        packed = exports.compress(plain)
        print(f"{events:,} events: {plain.stat().st_size / _MIB:.0f} MiB, gzip {packed.stat().st_size / _MIB:.0f} MiB")
        return [
            self._floor(plain),
            self._import(plain, "import", plain.stem),
            self._import(plain, "import, all known", plain.stem),
            self._import(packed, "import, gzip", f"{plain.stem}-gzip"),
        ]

    def _floor(self, export: Path) -> Measured:
        database = self._folder / f"{export.stem}.db"
        command = [sys.executable, "-m", "benchmarks.plain_import", str(export), str(database)]
        return self._run("floor: json.load, bare table", command, os.environ)

    def _import(self, export: Path, what: str, home: str) -> Measured:
        environment = {
            **os.environ,
            "SUPPORTACCESS_CONFIG_DIR": str(self._folder / home / "config"),
            "SUPPORTACCESS_DATA_DIR": str(self._folder / home / "data"),
        }
        command = [sys.executable, str(self._script), "import", str(export), "--tenant", TENANT, "--quiet"]
        return self._run(what, command, environment)

    def _run(self, what: str, command: Sequence[str], environment: Mapping[str, str]) -> Measured:
        with (self._folder / "output").open("w+b") as output:
            begun = perf_counter()
            process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
            _, status, usage = os.wait4(process.pid, 0)
            seconds = perf_counter() - begun
            process.returncode = os.waitstatus_to_exitcode(status)
            output.seek(0)
            if process.returncode:
                raise ValueError(f"{command} failed: {output.read().decode(errors='replace')}")
        return Measured(what, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def _print(small: Sequence[Measured], large: Sequence[Measured]) -> None:
    floor = large[0]
    rows = [
        (
            many.what,
            f"{_SMALL / few.seconds:,.0f}",
            f"{_LARGE / many.seconds:,.0f}",
            f"{many.seconds:.1f}",
            f"{many.processor:.1f}",
            f"{many.processor / floor.processor:.1f}",
            f"{few.memory:.0f}",
            f"{many.memory:.0f}",
            f"{many.memory / few.memory:.2f}",
        )
        for few, many in zip(small, large, strict=True)
    ]
    sizes = [f"{events // 1000}k" for events in (_SMALL, _LARGE)]
    speed, memory = ([f"{unit}, {size}" for size in sizes] for unit in ("events/s", "MiB"))
    print_table(("run", *speed, f"s, {sizes[1]}", "CPU s", "x floor", *memory, "ratio"), rows)


def main() -> int:
    """Measure and print; return the exit status."""
    print(f"{platform.python_implementation()} {platform.python_version()}, supportaccess {version('supportaccess')}")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        small, large = bench.measure(_SMALL), bench.measure(_LARGE)
    print(f"\nPeak memory may at most grow {_MOST_MEMORY:g}-fold for {_LARGE // _SMALL} times the events\n")
    _print(small, large)
    imports = list(zip(small, large, strict=True))[1:]
    return int(any(many.memory > _MOST_MEMORY * few.memory for few, many in imports))


if __name__ == "__main__":
    sys.exit(main())
