"""One command of the program, run in this process: some forty times cheaper than as a process of its own.

It gets its arguments, an environment, a folder and streams, as a process would, and nothing else of this process. What
only a process of its own shows (signals, a controlling terminal, what the interpreter itself reads) takes one.
"""

import fcntl
import io
import os
import pty
import struct
import sys
import termios
import threading
import time
import webbrowser
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, NoReturn, TextIO

import pytest
from tests.cli.terminal import PATIENCE, Screen

from supportaccess.cli.main import run
from supportaccess.cli.output.streams import Streams

QUESTION = b"[y/N] "


def run_in_pipe(
    arguments: Sequence[str | bytes], environment: Mapping[str, str], folder: Path, stdin: bytes
) -> tuple[int, bytes, bytes]:
    """Run a command as in a pipe; return its exit code and what it wrote."""
    out, err, given = io.BytesIO(), io.BytesIO(), _text(io.BytesIO(stdin))
    with _as_a_process(environment, folder, _Nothing(), _Nothing(), given):
        code = run([*map(os.fsdecode, arguments)], environment, Streams(out, err, given, environ=environment))
    return code, out.getvalue(), err.getvalue()


def run_on_terminal(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    *,
    columns: int,
    rows: int = 24,
    answer: str | None = None,
    output: Path | None = None,
) -> Screen:
    """Run a command on a terminal to its end, and give an answer to its question. `output` as for a Terminal."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    person = _Person(master, answer)
    person.start()
    with ExitStack() as opened:
        opened.callback(person.leave)
        opened.callback(os.close, slave)  # before that, so that the person sees the end
        err = opened.enter_context(os.fdopen(os.dup(slave), "wb"))
        out = opened.enter_context(os.fdopen(os.dup(slave), "wb") if output is None else output.open("wb"))
        given = opened.enter_context(_text(os.fdopen(os.dup(slave), "rb")))
        with _text(out) as stdout, _text(err) as stderr, _as_a_process(environment, folder, stdout, stderr, given):
            code = run(arguments, environment, Streams(out, err, given, environ=environment))
    return Screen(code, bytes(person.seen))


class _Nothing(io.TextIOBase):
    """The process's own output where a command has streams: whatever is written past them fails."""

    def write(self, text: str, /) -> NoReturn:
        """Refuse it."""
        raise AssertionError(f"written past the streams: {text!r}")


class _Person(threading.Thread):
    """Who reads the screen and gives one answer, if there is one to give."""

    def __init__(self, master: int, answer: str | None) -> None:
        super().__init__(daemon=True)
        self._master = master
        self._answer = answer
        self.seen = bytearray()

    def run(self) -> None:
        """Read until nobody has the terminal any more."""
        while True:
            try:
                got = os.read(self._master, 65536)
            except OSError:  # how Linux tells that the other side was closed
                got = b""
            if not got:
                return
            self.seen += got
            if self._answer is not None and QUESTION in self.seen:
                os.write(self._master, self._answer.encode())
                self._answer = None

    def leave(self) -> None:
        """Wait for the end."""
        self.join(PATIENCE)
        os.close(self._master)


def _text(stream: BinaryIO) -> io.TextIOWrapper:
    return io.TextIOWrapper(stream, encoding="utf-8", errors="surrogateescape", write_through=True)


@contextmanager
def _as_a_process(
    environment: Mapping[str, str], folder: Path, stdout: TextIO | _Nothing, stderr: TextIO | _Nothing, stdin: TextIO
) -> Iterator[None]:
    """Let libraries, and what a command starts, find what they would find in a process of its own."""
    taken = [name for name in environment if name.startswith("PYTHON")]
    assert not taken, f"{taken} are read by an interpreter that starts: run it as a process"
    with pytest.MonkeyPatch.context() as patch:
        try:
            for name in set(os.environ) - set(environment):
                patch.delenv(name)
            for name, value in environment.items():
                patch.setenv(name, value)
            patch.chdir(folder)
            for name, stream in (("stdout", stdout), ("stderr", stderr), ("stdin", stdin)):
                patch.setattr(sys, name, stream)
            time.tzset()
            # What the library read of the variable BROWSER, the first time that it was asked.
            patch.setattr(webbrowser, "_tryorder", None)
            patch.setattr(webbrowser, "_browsers", {})
            yield
        finally:
            patch.undo()
            time.tzset()
