"""Counts the instructions of command lines with valgrind's cachegrind."""

import json
import os
import pty
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import remote, stores
from tests.support.kept import sign_in

_REFERENCES = re.compile(r"I\s+refs:\s+([\d,]+)")
# What a current pip writes.
_SCRIPT = """import sys
from supportaccess.__main__ import main
if __name__ == '__main__':
    sys.argv[0] = sys.argv[0].removesuffix('.exe')
    sys.exit(main())
"""


@dataclass(frozen=True)
class Case:
    """A command line to measure, after `python`, on one of the stores; `most` is the target in Minstr.

    `more` goes into its environment.
    """

    name: str
    arguments: Sequence[str]
    store: str = "none"
    most: float | None = None
    terminal: bool = False
    more: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Measured:
    """What a case cost, and how many rows it printed where it printed JSON."""

    case: Case
    minstr: float
    rows: int | None

    @property
    def missed(self) -> bool:
        """Whether it cost more than its target."""
        return self.case.most is not None and self.minstr > self.case.most


class Bench:
    """A folder with the stores, and the console script of the environment that this runs in.

    An old pip wrote a script that imports `re`: then `script` is one as a current pip writes it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.installed = Path(sys.executable).parent / "supportaccess"
        self.is_old = "import re\n" in self.installed.read_text()
        self.script = folder / "supportaccess" if self.is_old else self.installed
        if self.is_old:
            self.script.write_text(_SCRIPT)

    def make_store(self, name: str, mix: stores.Mix) -> None:
        """Make a home with a tenant's profile and a store."""
        stores.fill(self._folder / name / "data" / "supportaccess" / "store.db", mix)
        self._make_profile(name)

    def make_remote(self, name: str, endpoint: str) -> None:
        """Make a home with a tenant's profile, whose store is a shared one."""
        (self._folder / name).mkdir()
        self._make_profile(name, "--endpoint", endpoint)

    def make_signed_in(self, name: str, endpoint: str) -> None:
        """Make a home with a tenant's profile, whose store is a shared one, as a login with a browser leaves it."""
        home = self._folder / name
        home.mkdir()
        folders = {  # by their own variables: the usual ones are read from this process's environment
            f"SUPPORTACCESS_{kind.upper()}_DIR": str(home / kind / "supportaccess") for kind in ("config", "cache")
        }
        sign_in(
            {**self._environment(name), **folders}, endpoint, token=remote.token(stores.TENANT), tenant_id=stores.TENANT
        )

    def _make_profile(self, name: str, *options: str) -> None:
        command = [sys.executable, str(self.script), "tenant", "set", stores.TENANT, "--quiet", *options]
        subprocess.run(command, env=self._environment(name), check=True, stdout=subprocess.DEVNULL)

    def measure(self, case: Case) -> Measured:
        """Run a case twice: the first run writes what is missing of .pyc files, the second is counted."""
        command = [sys.executable, *case.arguments]
        self._run(command, case)
        log = self._folder / "cachegrind.log"
        options = ["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", f"--log-file={log}"]
        printed = self._run(["valgrind", *options, *command], case)
        counted = _REFERENCES.search(log.read_text())
        if counted is None:
            raise ValueError(f"valgrind counted nothing: {log.read_text()}")
        rows = len(json.loads(printed)) if "json" in case.arguments else None
        return Measured(case, int(counted[1].replace(",", "")) / 1e6, rows)

    def printed(self, store: str) -> bytes:
        """Return what `list -o json` prints on a store."""
        command = [sys.executable, str(self.script), "list", "-o", "json"]
        return self._run(command, Case("", (), store))

    def _run(self, command: Sequence[str], case: Case) -> bytes:
        environment = {**self._environment(case.store), **case.more}
        if case.terminal:
            with _terminal() as terminal:
                subprocess.run(command, env=environment, check=True, stdin=terminal, stdout=terminal, stderr=terminal)
            return b""
        return subprocess.run(
            command, env=environment, check=True, stdin=subprocess.DEVNULL, capture_output=True
        ).stdout

    def _environment(self, store: str) -> dict[str, str]:
        """Return the whole environment of a run: a user's, with nothing of this process's own in it."""
        home = self._folder / store
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / "config"),
            "XDG_DATA_HOME": str(home / "data"),
            "XDG_CACHE_HOME": str(home / "cache"),
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "COLUMNS": "120",
            "PYTHONHASHSEED": "0",
        }


@contextmanager
def _terminal() -> Iterator[int]:
    """Yield a terminal whose output is read and thrown away."""
    controller, terminal = pty.openpty()
    reader = threading.Thread(target=_drain, args=(controller,))
    reader.start()
    try:
        yield terminal
    finally:
        os.close(terminal)
        reader.join()
        os.close(controller)


def _drain(descriptor: int) -> None:
    try:
        while os.read(descriptor, 65536):
            pass
    except OSError:  # how Linux says that the other end was closed
        return
