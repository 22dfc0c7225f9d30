"""Runs a command for each event, which it gets as JSON on its standard input and nowhere else."""

import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from supportaccess.cli.output.encoding import encode
from supportaccess.cli.watch.notifying import URLS_VARIABLE
from supportaccess.domain.events import Event
from supportaccess.errors import InvalidInput


class Command:
    """A command, without a shell around it. `seconds` is how long it may take."""

    def __init__(self, text: str, seconds: float, environment: Mapping[str, str], *, shown: bool) -> None:
        """Take the command line; `shown` lets what it prints go to standard error. Raises InvalidInput."""
        self._command = _split(text)
        self._seconds = seconds
        self._environment = {name: value for name, value in environment.items() if name != URLS_VARIABLE}
        self._output = None if shown else subprocess.DEVNULL

    def run(self, event: Event) -> str | None:
        """Run it for an event; return what went wrong, if anything did."""
        try:
            process = subprocess.Popen(  # noqa: S603 - what the user named, without a shell
                self._command,
                stdin=subprocess.PIPE,
                stdout=2 if self._output is None else self._output,
                stderr=self._output,
                env=self._environment,
                **_OF_ITS_OWN,
            )
        except OSError as error:
            return f"the command cannot be started: {error.strerror or error}"
        try:
            process.communicate(encode(event) + b"\n", timeout=self._seconds)
        except subprocess.TimeoutExpired:
            return f"the command took longer than {self._seconds:g} seconds and was stopped"
        except OSError:  # on Windows: it did not read to the end
            process.wait()
        finally:
            _end(process)
        return f"the command ended with {process.returncode}" if process.returncode else None


# A group of its own: a time limit then ends what the command started, too.
_OF_ITS_OWN: dict[str, Any] = {"start_new_session": True} if os.name != "nt" else {}


def _split(text: str) -> str | Sequence[str]:
    """Return the command as the system takes it. Raises InvalidInput for one that is not there."""
    try:
        words = shlex.split(text, posix=os.name != "nt")
    except ValueError as error:
        raise InvalidInput(f"--exec cannot be read: {error}", hint="Quotes go in pairs, as in a shell.") from None
    if not words:
        raise InvalidInput("--exec is empty", hint="--exec '/usr/local/bin/tell --urgent'")
    if shutil.which(words[0].strip('"')) is None:
        raise InvalidInput(
            f"--exec names {words[0]!r}, which is no program that can be run",
            hint="Give its path. There is no shell: for pipes and variables, --exec 'sh -c \"...\"'.",
        )
    return text if os.name == "nt" else words  # Windows splits by itself


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Leave nothing of it running."""
    if process.poll() is not None:
        return
    with suppress(OSError):
        if os.name == "nt":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
