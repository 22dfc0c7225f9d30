"""The process's standard input, output and error output.

Data goes to standard output, everything else to standard error. Both are UTF-8 with plain newlines, whatever the locale
and the system.
"""

import os
import select
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from copy import copy
from errno import EAGAIN, EBADF, EINVAL, EIO, EPIPE, ESHUTDOWN
from io import UnsupportedOperation
from time import sleep
from typing import BinaryIO, Self, TextIO

from supportaccess.cli.output.colour import Colour, paint, wants_colour
from supportaccess.cli.output.text import safe
from supportaccess.errors import SupportAccessError

_BATCH = 32 * 1024
# Windows calls a closed pipe an invalid argument.
_GONE = {EPIPE, EBADF, ESHUTDOWN} | ({EINVAL} if os.name == "nt" else set())
_WIDTH_UNKNOWN = 80
_HEIGHT_UNKNOWN = 24


class _Sink:
    """One output of the process. Once given up, what is written to it goes nowhere."""

    def __init__(self, stream: BinaryIO | None) -> None:
        self._stream = stream
        self.is_terminal = stream is not None and stream.isatty()

    @property
    def is_open(self) -> bool:
        return self._stream is not None

    def write(self, data: bytes | bytearray) -> None:
        rest = memoryview(data)
        while rest and self._stream is not None:
            # Unbuffered (PYTHONUNBUFFERED), a stream may take less than it is given.
            taken = self._stream.write(rest)
            if not taken:
                raise BlockingIOError(EAGAIN, os.strerror(EAGAIN))
            rest = rest[taken:]

    def flush(self) -> None:
        if self._stream is not None:
            self._stream.flush()

    def width(self) -> int:
        if self._stream is not None:
            with suppress(OSError):
                return os.get_terminal_size(self._stream.fileno()).columns
        return 0

    def wait_for_end(self, seconds: float) -> bool:
        """Wait, and say whether the other end was closed; where the system cannot tell, the next write will."""
        if self._stream is not None and hasattr(select, "poll"):
            with suppress(UnsupportedOperation):  # of a stream that is no file
                poll = select.poll()
                poll.register(self._stream.fileno(), 0)
                return bool(poll.poll(seconds * 1000))
        sleep(seconds)
        return False

    def height(self) -> int:
        if self._stream is not None:
            with suppress(OSError):
                return os.get_terminal_size(self._stream.fileno()).lines
        return 0

    def give_up(self) -> None:
        """Write no more. The descriptor then leads nowhere, so that Python's own last flush cannot fail on it."""
        stream, self._stream = self._stream, None
        if stream is not None:
            with suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream.fileno())
                os.close(nowhere)


class Streams:
    """Where everything that is read from or written to a terminal or a pipe passes through."""

    def __init__(
        self,
        stdout: BinaryIO | None,
        stderr: BinaryIO | None,
        stdin: TextIO | None,
        *,
        environ: Mapping[str, str],
        no_color: bool = False,
        quiet: bool = False,
    ) -> None:
        self._out = _Sink(stdout)
        self._err = _Sink(stderr)
        self._environ = environ
        self.stdin = stdin
        self.quiet = quiet
        self._told: list[SupportAccessError] = []
        self.out_closed = not self._out.is_open
        self.out_is_terminal = self._out.is_terminal
        self.err_is_terminal = self._err.is_terminal
        self.in_is_terminal = stdin is not None and stdin.isatty()
        self.colour = wants_colour(environ, is_terminal=self.out_is_terminal, no_color=no_color)
        self.err_colour = wants_colour(environ, is_terminal=self.err_is_terminal, no_color=no_color)

    @classmethod
    def from_process(cls, environ: Mapping[str, str]) -> Self:
        """Take over the streams that the process was started with; any of them may be closed."""
        stdout, stderr = (_bytes_of(stream) for stream in (sys.stdout, sys.stderr))
        return cls(stdout, stderr, sys.stdin, environ=environ)

    def beside(self) -> Self:
        """Return streams whose standard output is this one's standard error: to show a table beside a question."""
        other = copy(self)
        other._out, other.out_closed = self._err, not self._err.is_open
        other.out_is_terminal, other.colour = self.err_is_terminal, self.err_colour
        return other

    @property
    def width(self) -> int:
        """The columns of the terminal that standard output is, now."""
        columns = self._environ.get("COLUMNS", "")
        if columns.isascii() and columns.isdigit() and len(columns) < 5 and int(columns) > 0:
            return int(columns)
        return self._out.width() or _WIDTH_UNKNOWN

    @property
    def height(self) -> int:
        """The lines of the terminal that standard output is, now."""
        return self._out.height() or _HEIGHT_UNKNOWN

    @property
    def can_ask(self) -> bool:
        """Whether somebody can see a question and answer it."""
        return self.in_is_terminal and self.err_is_terminal

    def write(self, data: bytes | bytearray | str) -> None:
        """Write to standard output. A reader who is gone is noted in `out_closed`; it is never an error.

        Raises SupportAccessError when the output cannot be written for another reason, such as a full disk.
        """
        try:
            self._out.write(data.encode("utf-8", "backslashreplace") if isinstance(data, str) else data)
            if self.out_is_terminal:
                self._out.flush()
        except OSError as error:
            self._failed(error)

    def write_all(self, parts: Iterable[bytes]) -> None:
        """Write the parts as they come, some dozen KiB at a time; stops taking them when the reader is gone."""
        batch = bytearray()
        try:
            for part in parts:
                batch += part
                if len(batch) >= _BATCH:
                    self.write(batch)
                    batch = bytearray()
                    if self.out_closed:
                        return
        finally:
            self.write(batch)

    def write_each(self, parts: Iterable[bytes]) -> None:
        """Write and hand on each part the moment it comes; stops taking them when the reader is gone."""
        for part in parts:
            self.write(part)
            self.flush()
            if self.out_closed:
                return

    def wait(self, seconds: float) -> bool:
        """Let the time pass, or less of it if the reader goes away meanwhile; say whether there still is one."""
        if not self.out_closed and self._out.wait_for_end(seconds):
            self._out.give_up()
            self.out_closed = True
        return not self.out_closed

    def flush(self) -> None:
        """Hand on what was written so far."""
        try:
            self._out.flush()
        except OSError as error:
            self._failed(error)

    def close(self) -> None:
        """Hand everything on, at the end of the process. Raises like `write`."""
        try:
            self.flush()
        finally:
            try:
                self._err.flush()
            except OSError:
                self._err.give_up()

    def note(self, text: str, *, colour: Colour | None = None) -> None:
        """Say something to the person on standard error, unless they asked for quiet."""
        if not self.quiet:
            self._say(text, colour, end="\n")

    def warn(self, text: str, *, colour: Colour | None = Colour.YELLOW) -> None:
        """Say something on standard error that must not be missed."""
        self._say(text, colour, end="\n")

    def error(self, text: str, *, colour: Colour | None = Colour.RED) -> None:
        """Say on standard error what went wrong; without colour, a line of advice that belongs to it."""
        self._say(text, colour, end="\n")

    def tell(self, error: SupportAccessError, *, about: str | None = None) -> None:
        """Say on standard error why something was refused, what mends it, and the server's name for the request.

        `about` names what it is about, unless the message does.
        """
        self._told.append(error)
        named = about is None or about in error.message
        self.error(f"Error: {error.message}" if named else f"Error: {about}: {error.message}")
        if error.hint:
            self.advise(error.hint)
        if error.request_id:
            self.error(f"Request ID: {error.request_id}", colour=None)

    def has_told(self, error: SupportAccessError) -> bool:
        """Return whether that was said already."""
        return any(told is error for told in self._told)

    def advise(self, text: str) -> None:
        """Say on standard error what mends what went wrong; further lines stand below the first one."""
        self._say("Try:   " + text.replace("\n", "\n       "), None, end="\n")

    def confirm(self, question: str) -> bool:
        """Ask on the terminal. Only a yes is one: no answer, another answer or no way to ask is a no."""
        self._say(question, Colour.BOLD, end=" [y/N] ")
        if self.stdin is None or not self._err.is_open:
            return False
        try:
            answer = self.stdin.readline()
        except (OSError, UnicodeDecodeError):
            answer = ""
        if not answer.endswith("\n"):
            self._say("", None, end="\n")
        return answer.strip().lower() in {"y", "yes"}

    def _say(self, text: str, colour: Colour | None, *, end: str) -> None:
        # What was written before is seen before, where both are the same terminal.
        self.flush()
        shown = paint(safe(text, multiline=True), colour if self.err_colour else None) + end
        try:
            self._err.write(shown.encode())
            self._err.flush()
        except OSError:
            self._err.give_up()

    def _failed(self, error: OSError) -> None:
        self._out.give_up()
        self.out_closed = True
        hung_up = error.errno == EIO and self.out_is_terminal
        if error.errno not in _GONE and not hung_up:
            raise SupportAccessError(f"the output could not be written: {error.strerror or error}") from error


def _bytes_of(stream: TextIO | None) -> BinaryIO | None:
    return None if stream is None or stream.closed else stream.buffer
