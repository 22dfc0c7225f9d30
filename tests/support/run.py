"""One run of the tests, whose processes share what is costly to start: a folder, and programs that end with the run."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

from filelock import FileLock

IN_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""A folder in memory, where the machine has one."""
SECONDS = 60

# The process that pytest was started as holds `alive` until the run is over, however it ends: a lock goes with its
# process. That is what a keeper waits for, which is no child of a worker, to end its program and to clean up.
_KEEPER = """
import fcntl, os, shutil, subprocess, sys
alive, number, account, *command = sys.argv[1:]
if os.fork():
    os._exit(0)
os.setsid()
program = subprocess.Popen(command, stdin=subprocess.PIPE, user=account or None)
fcntl.flock(open(alive), fcntl.LOCK_SH)
program.send_signal(int(number))
program.wait()
shutil.rmtree(os.path.dirname(alive), ignore_errors=True)
"""


class Run:
    """The run as one of its processes sees it: the one that pytest was started as, or a worker."""

    def __init__(self, folder: str | None = None) -> None:
        self._is_first = folder is None
        self.folder = Path(folder or tempfile.mkdtemp(prefix="sa-tests-", dir=IN_MEMORY))
        self.at_end = ExitStack()
        """What this process does at its end, while the programs of the run are still there."""
        if self._is_first:
            self.folder.chmod(0o711)  # PostgreSQL, which does not run as root, goes through it to its own folder
            self._alive = (self.folder / "alive").open("w")
            fcntl.flock(self._alive, fcntl.LOCK_EX)

    def end(self) -> None:
        """End what this process uses, and with the run's first process all that the run has started."""
        self.at_end.close()
        if self._is_first:
            with (self.folder / "kept").open("a") as kept:
                self._alive.close()
                _wait_for_keepers(kept)
            shutil.rmtree(self.folder, ignore_errors=True)

    def shared(self, name: str, make: Callable[[Path], Mapping[str, Any]]) -> dict[str, Any]:
        """Return what is known of something that all processes share. Whoever asks first makes it, in a new folder."""
        known = self.folder / f"{name}.json"
        with FileLock(self.folder / f"{name}.lock"):
            if not known.exists():
                made = make(Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder)))
                known.touch(mode=0o600)
                known.write_text(json.dumps(made))
            told: dict[str, Any] = json.loads(known.read_text())
            return told

    def keep(
        self, command: list[str], folder: Path, *, end: signal.Signals = signal.SIGTERM, user: str | None = None
    ) -> Path:
        """Start a program that is sent a signal when the run is over, and return the file with what it prints.

        Its standard input stays open until then. What it says on standard error is in a file `log`.
        """
        printed = folder / "printed"
        with (
            (self.folder / "kept").open("w") as kept,
            printed.open("wb") as output,
            (folder / "log").open("ab") as log,
        ):
            fcntl.flock(kept, fcntl.LOCK_SH)  # until the keeper ends, who has it from here
            keeper = [sys.executable, "-I", "-S", "-c", _KEEPER]
            subprocess.run(
                [*keeper, self.folder / "alive", str(end.value), user or "", *command],
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=log,
                cwd=folder,
                pass_fds=[kept.fileno()],
            )
        return printed


def _wait_for_keepers(kept: TextIO) -> None:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        try:
            fcntl.flock(kept, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.01)
        else:
            return


_runs: list[Run] = []


def begin(folder: str | None = None) -> Run:
    """Begin a run, or take part in one with this folder."""
    _runs.append(Run(folder))
    return _runs[-1]


def current() -> Run:
    """Return the run that this process takes part in."""
    return _runs[-1]
