"""A watch as a process in pipes, whose lines are read as they come."""

import queue
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import IO, Any

import msgspec
from tests.cli.home import Home
from tests.cli.terminal import PATIENCE
from tests.support.program import installed_program

BEGUN = "Watching from now on."


class Watcher:
    """The process. `wait_for` waits for what it says on standard error."""

    def __init__(self, home: Home, *arguments: str, env: Mapping[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [installed_program(), "watch", "--interval", "1s", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**home.environment, **(env or {})},
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self._events, reading_events = _read(self.process.stdout)
        self._said, reading_said = _read(self.process.stderr)
        self._readers = (reading_events, reading_said)
        self.said: list[str] = []

    def event(self) -> Any:
        """Return the next event."""
        try:
            line = self._events.get(timeout=PATIENCE)
        except queue.Empty:
            raise AssertionError(f"no event came; it said {self.said}") from None
        assert line is not None, f"it ended: {self._rest()}"
        return msgspec.json.decode(line)

    def wait_for(self, text: str) -> str:
        """Return the next line of standard error that begins with the text."""
        while (line := self._said.get(timeout=PATIENCE)) is not None:
            self.said.append(line)
            if line.startswith(text):
                return line
        code = self.process.wait(PATIENCE)
        raise AssertionError(f"it ended with {code} and without {text!r}: {self.said}")

    def end(self, number: int = signal.SIGTERM) -> tuple[int, list[Any], str]:
        """Send a signal, and return the exit code, the events that were not read yet, and what it said at the end."""
        self.process.send_signal(number)
        return self.finish()

    def finish(self) -> tuple[int, list[Any], str]:
        """Wait for its end, and return the same."""
        code = self.process.wait(PATIENCE)
        events = [msgspec.json.decode(line) for line in iter(lambda: self._events.get(timeout=PATIENCE), None)]
        return code, events, self._rest()

    def kill(self) -> None:
        """Leave nothing of it."""
        with suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)

    def _rest(self) -> str:
        return "\n".join(iter(lambda: self._said.get(timeout=PATIENCE), None))


def _read(stream: IO[str]) -> "tuple[queue.Queue[str | None], threading.Thread]":
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        with stream:
            for line in stream:
                lines.put(line.rstrip("\n"))
        lines.put(None)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return lines, thread


@contextmanager
def watching(home: Home, *arguments: str, env: Mapping[str, str] | None = None) -> Iterator[Watcher]:
    """Run a watch; leave nothing running."""
    watcher = Watcher(home, *arguments, env=env)
    try:
        yield watcher
    finally:
        watcher.kill()
