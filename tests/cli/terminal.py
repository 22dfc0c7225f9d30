"""A terminal of its own for a process, with somebody who reads the screen and types."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import NamedTuple, Self

PATIENCE = 180.0
"""Seconds after which something hangs; no test waits that long unless it fails."""

_PRESSED_AGAIN = 3.0

CTRL_C = "\x03"
CTRL_D = "\x04"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# The shell's own opening of the terminal is what makes it the controlling one, so that Ctrl-C arrives.
_LAUNCH = 'out=$1 tty=$2; shift 2; exec "$@" <"$tty" >"$out" 2>"$tty"'


class Screen(NamedTuple):
    """What a terminal got from a process, and how the process ended."""

    code: int
    raw: bytes

    @property
    def coloured(self) -> str:
        """The text with its colours."""
        return self.raw.decode().replace("\r\n", "\n")

    @property
    def text(self) -> str:
        """The text without its colours."""
        return _COLOUR.sub("", self.coloured)

    @property
    def words(self) -> str:
        """The text without its colours and line ends, for what may be wrapped anywhere."""
        return " ".join(self.text.split())

    @property
    def lines(self) -> list[str]:
        """The lines without their colours."""
        return self.text.splitlines()


class Terminal:
    """A process on a pseudo-terminal. `output` is a file that its standard output goes to instead."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        columns: int = 80,
        rows: int = 24,
        output: Path | None = None,
    ) -> None:
        self._master, self._slave = pty.openpty()
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        name = os.ttyname(self._slave)
        launch = ["/bin/sh", "-c", _LAUNCH, "sh", str(output or name), name]
        self._process = subprocess.Popen(
            [*launch, *command],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._got = bytearray()
        self._asked_at = 0

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave nothing running."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._slave)
        os.close(self._master)

    def wait_for(self, text: str) -> str:
        """Wait until the text is on the screen, after what was waited for before; return the screen."""
        deadline = monotonic() + PATIENCE
        while (at := self._shown().find(text, self._asked_at)) < 0:
            if not self._read(deadline) and self._process.poll() is not None and not self._read(0):
                raise AssertionError(f"the process ended without {text!r}:\n{self._shown()}")
            assert monotonic() < deadline, f"no {text!r} came:\n{self._shown()}"
        self._asked_at = at + len(text)
        return self._shown()

    def type(self, text: str) -> None:
        """Type it."""
        os.write(self._master, text.encode())

    def resize(self, columns: int, rows: int) -> None:
        """Make it another size; the process is told as a terminal does."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def interrupt(self) -> Screen:
        """Press Ctrl-C until the process ends, and return the whole screen.

        More than once, because Python can miss one that comes while it fills a buffer.
        """
        deadline = monotonic() + PATIENCE
        pressed = 0.0
        while self._process.poll() is None and monotonic() < deadline:
            if monotonic() - pressed > _PRESSED_AGAIN:
                pressed = monotonic()
                self.type(CTRL_C)
            self._read(deadline)
        return self.finish()

    def finish(self) -> Screen:
        """Wait for the end of the process; return the whole screen and the exit code."""
        deadline = monotonic() + PATIENCE
        while self._process.poll() is None:
            self._read(deadline)
            assert monotonic() < deadline, f"it does not end:\n{self._shown()}"
        while self._read(0):
            pass
        return Screen(self._process.returncode, bytes(self._got))

    def _shown(self) -> str:
        return _COLOUR.sub("", self._got.decode(errors="replace").replace("\r\n", "\n"))

    def _read(self, deadline: float) -> bool:
        """Take what is there, waiting a moment for it before the deadline; say whether there was something."""
        pause = 0.02 if deadline else 0
        if not select.select([self._master], [], [], pause)[0]:
            return False
        self._got += os.read(self._master, 65536)
        return True
