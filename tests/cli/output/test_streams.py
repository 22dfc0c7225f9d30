"""Standard input, output and error output."""

import errno
import io
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from tests.cli.output.samples import Terminal

import supportaccess
from supportaccess.cli.output.colour import wants_colour
from supportaccess.cli.output.streams import Streams
from supportaccess.errors import SupportAccessError

posix_only = pytest.mark.skipif(os.name == "nt", reason="needs POSIX devices")

LOOP = """
import os, sys
from supportaccess.cli.output.streams import Streams
streams = Streams.from_process(os.environ)
try:
    for number in range(5000):
        streams.write(f"line {number}\\n")
    streams.note(f"all done, closed: {streams.out_closed}")
    streams.close()
except Exception as error:
    streams.error(str(error))
    sys.exit(1)
"""


@pytest.fixture(autouse=True)
def _usual_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Python buffer as it does for a user, and nothing force colours."""
    for name in ("PYTHONUNBUFFERED", "FORCE_COLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(name, raising=False)


class Failing(io.BytesIO):
    """Fails every write with one error."""

    def __init__(self, code: int) -> None:
        super().__init__()
        self._code = code

    def write(self, _: object) -> int:
        raise OSError(self._code, os.strerror(self._code))


def streams(
    stdout: BinaryIO | None = None, stderr: BinaryIO | None = None, typed: str | None = None, *, quiet: bool = False
) -> Streams:
    stdin = None if typed is None else io.StringIO(typed)
    return Streams(stdout, stderr, stdin, environ={}, quiet=quiet)


def test_text_is_written_as_utf8_with_plain_newlines() -> None:
    """The bytes do not depend on the locale; what UTF-8 cannot hold is written as an escape."""
    out = io.BytesIO()
    streams(out).write("é\n\ud800")
    assert out.getvalue() == b"\xc3\xa9\n\\ud800"


def test_a_closed_pipe_is_noted_and_never_raises() -> None:
    """The first write after the reader went says so; later ones do nothing."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb", buffering=0) as out:
        to_pipe = streams(out)
        to_pipe.write(b"one")
        assert to_pipe.out_closed
        to_pipe.write("two")
        to_pipe.flush()
        to_pipe.close()


def test_a_pipe_that_closes_while_data_is_buffered() -> None:
    """Data in the buffer is given up silently, at the latest at the end."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as out:
        to_pipe = streams(out)
        to_pipe.write(b"one")
        to_pipe.close()
        assert to_pipe.out_closed


@pytest.mark.parametrize("code", [errno.EPIPE, errno.EBADF, errno.ESHUTDOWN])
def test_every_way_of_being_closed_is_the_same(code: int) -> None:
    """A reader who is gone is not an error, however the system calls it."""
    to_nobody = streams(Failing(code))
    to_nobody.write(b"one")
    assert to_nobody.out_closed


def test_a_missing_output_is_a_closed_one() -> None:
    """A process that was started without standard output still runs."""
    without = streams()
    without.write(b"one")
    without.note("two")
    without.close()
    assert without.out_closed


def test_rows_are_no_longer_taken_from_the_source_once_the_reader_is_gone() -> None:
    """A listing of a million rows ends with its reader."""
    taken: list[int] = []

    def rows() -> object:
        for number in range(1000):
            taken.append(number)
            yield b"x" * 1024

    streams(Failing(errno.EPIPE)).write_all(rows())  # type: ignore[arg-type]
    assert len(taken) < 100


def test_rows_that_came_before_a_failure_are_written() -> None:
    """What was read before the source failed is not lost."""
    out = io.BytesIO()

    def rows() -> object:
        yield b"one\n"
        raise SupportAccessError("the store went away")

    with pytest.raises(SupportAccessError, match="went away"):
        streams(out).write_all(rows())  # type: ignore[arg-type]
    assert out.getvalue() == b"one\n"


@posix_only
def test_a_full_disk_is_an_error() -> None:
    """Output that was lost is never success; it is said once."""
    with Path("/dev/full").open("wb", buffering=0) as full:
        to_disk = streams(full)
        with pytest.raises(SupportAccessError, match="could not be written: No space left on device"):
            to_disk.write(b"one")
        to_disk.write(b"two")
        to_disk.close()


@posix_only
def test_a_full_disk_is_found_at_the_end_at_the_latest() -> None:
    """A short output that was only buffered fails when it is handed on."""
    with Path("/dev/full").open("wb") as full:
        to_disk = streams(full)
        to_disk.write(b"one")
        with pytest.raises(SupportAccessError, match="No space left on device"):
            to_disk.close()


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("lines", [1, 5000])
def test_a_process_whose_reader_leaves_goes_on_and_ends_quietly(
    lines: int, unbuffered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop runs to its end, Python adds no complaint, and the exit code is 0."""
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    script = LOOP.replace("5000", str(lines))
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read().decode().splitlines()
    assert len(said) == 1
    assert said[0].startswith("all done")
    assert process.returncode == 0


@posix_only
def test_a_process_whose_disk_is_full_says_so_once() -> None:
    """The error is ours alone: Python's own last flush finds nothing left to fail on."""
    script = LOOP.replace("range(5000)", "range(1)")
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([sys.executable, "-c", script], stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.stderr.decode() == "the output could not be written: No space left on device\n"
    assert done.returncode == 1


@posix_only
@pytest.mark.parametrize("closed", ["1>&-", "2>&-", "0<&- 1>&- 2>&-", "1</dev/null"])
def test_a_process_started_with_closed_streams_runs(closed: str) -> None:
    """Descriptors that are not there, or cannot be written, are no reason to fail."""
    command = f'"$0" -c "$1" {closed}'
    done = subprocess.run(["/bin/sh", "-c", command, sys.executable, LOOP], capture_output=True, check=False)
    assert done.returncode == 0
    assert b"Exception" not in done.stderr


def test_the_encoding_does_not_depend_on_the_locale() -> None:
    """The C locale, without Python's UTF-8 mode, changes nothing."""
    script = LOOP.replace("range(5000)", "range(1)").replace("line", "l\\xefne")
    # Without `site`, which reads an editable install's path file by the locale: a checkout at such a path fails there.
    folders = (str(Path(supportaccess.__file__).parents[1]), sysconfig.get_path("purelib"))
    environ = (
        os.environ
        | {"PYTHONPATH": os.pathsep.join(folders)}
        | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    )
    done = subprocess.run([sys.executable, "-S", "-c", script], capture_output=True, check=False, env=environ)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "l\xefne 0\n".encode()


def test_notes_are_silenced_by_quiet_and_the_rest_is_not() -> None:
    """Quiet takes away what is only good to know."""
    err = io.BytesIO()
    quiet = streams(stderr=err, quiet=True)
    quiet.note("a note")
    quiet.warn("a warning")
    quiet.error("an error")
    assert err.getvalue() == b"a warning\nan error\n"


def test_messages_are_made_safe() -> None:
    """A record's text inside a message reaches the terminal as text."""
    err = Terminal()
    streams(stderr=err).error("no request \x1b[2J\u202e\nlook again")
    assert err.getvalue() == b"\x1b[31mno request \\u{1b}[2J\\u{202e}\nlook again\x1b[0m\n"


def test_a_message_follows_the_data_written_before_it() -> None:
    """Buffered data comes out before what is said about it."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as reader:
        with os.fdopen(writing, "wb") as out, os.fdopen(os.dup(writing), "wb") as err:
            both = streams(out, err)
            both.write("data\n")
            both.note("note")
            both.write("more\n")
            both.close()
        assert reader.read() == b"data\nnote\nmore\n"


def test_a_stream_that_takes_little_at_a_time_gets_everything() -> None:
    """Unbuffered output to a pipe may be taken in parts."""

    class Sipping(io.BytesIO):
        def write(self, data: Any) -> int:
            return super().write(data[:3])

    out = Sipping()
    streams(out).write(b"one two three")
    assert out.getvalue() == b"one two three"


def test_a_stream_that_takes_nothing_is_an_error() -> None:
    """A pipe that does not wait for its reader loses data, which is said."""

    class Refusing(io.BytesIO):
        def write(self, _: object) -> int:
            return 0

    with pytest.raises(SupportAccessError, match="temporarily unavailable"):
        streams(Refusing()).write(b"one")


def test_a_broken_error_output_is_survived() -> None:
    """There is nobody left to tell."""
    broken = streams(stderr=Failing(errno.ENOSPC))
    broken.error("one")
    broken.error("two")
    broken.close()


@pytest.mark.parametrize(
    ("typed", "agreed"), [("y\n", True), ("YES\n", True), (" yes \n", True), ("\n", False), ("n\n", False), ("", False)]
)
def test_only_a_yes_is_a_yes(typed: str, agreed: bool) -> None:
    """An empty answer, the end of the input and anything else are a no."""
    err = io.BytesIO()
    assert streams(stderr=err, typed=typed).confirm("Revoke \x1b it?") is agreed
    assert err.getvalue().decode().startswith("Revoke \\u{1b} it? [y/N] ")


def test_a_question_that_nobody_can_see_is_not_agreed_to() -> None:
    """Without an error output, or without an input, the answer is no."""
    assert not streams(typed="y\n").confirm("Revoke it?")
    assert not streams(stderr=Failing(errno.EPIPE), typed="y\n").confirm("Revoke it?")
    assert not streams(stderr=io.BytesIO()).confirm("Revoke it?")


def test_an_answer_that_is_not_text_is_a_no() -> None:
    """Bytes that are not UTF-8 agree to nothing."""
    stdin = io.TextIOWrapper(io.BytesIO(b"y\xff\n"), encoding="utf-8")
    assert not Streams(None, io.BytesIO(), stdin, environ={}).confirm("Revoke it?")


@posix_only
def test_a_terminal_is_known_with_its_width() -> None:
    """Each stream is judged by itself, and the width is that of the moment."""
    import fcntl
    import struct
    import termios

    controller, terminal = os.openpty()
    with os.fdopen(controller, "rb"), os.fdopen(terminal, "wb", buffering=0) as out:
        for columns in (132, 60):
            fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
            on_terminal = Streams(out, io.BytesIO(), io.StringIO(), environ={})
            assert on_terminal.width == columns
        assert (on_terminal.out_is_terminal, on_terminal.err_is_terminal) == (True, False)
        assert not on_terminal.can_ask
        assert Streams(out, out, io.StringIO(), environ={"COLUMNS": "99"}).width == 99


@pytest.mark.parametrize("columns", ["", "0", "wide", "²", "-5", "9999999"])
def test_a_width_that_is_no_width_is_80(columns: str) -> None:
    """Without a terminal or a usable COLUMNS the width is 80."""
    assert Streams(None, None, None, environ={"COLUMNS": columns}).width == 80


@pytest.mark.parametrize(
    ("environ", "on_terminal", "in_pipe"),
    [
        ({}, True, False),
        ({"NO_COLOR": "1"}, False, False),
        ({"NO_COLOR": ""}, True, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False, False),
        ({"SUPPORTACCESS_NO_COLOR": "1", "FORCE_COLOR": "1"}, False, False),
        ({"SUPPORTACCESS_NO_COLOR": "0"}, True, False),
        ({"FORCE_COLOR": "1"}, True, True),
        ({"FORCE_COLOR": "0"}, True, False),
        ({"FORCE_COLOR": ""}, True, False),
        ({"CLICOLOR_FORCE": "1"}, True, True),
        ({"TERM": "dumb"}, False, False),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, True, True),
        ({"CLICOLOR": "0"}, False, False),
        ({"CLICOLOR": "1"}, True, False),
    ],
)
def test_colour(environ: dict[str, str], on_terminal: bool, in_pipe: bool) -> None:
    """The variables are heard in their order, on a terminal and in a pipe; the flag is above them all."""
    environ = {"WT_SESSION": "for Windows"} | environ
    assert wants_colour(environ, is_terminal=True, no_color=False) is on_terminal
    assert wants_colour(environ, is_terminal=False, no_color=False) is in_pipe
    assert not wants_colour(environ, is_terminal=True, no_color=True)
