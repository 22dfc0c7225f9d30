"""How a watch is ended from outside: at once while it waits, and after the event that it is just telling."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Terminated(BaseException):
    """SIGTERM: whoever runs the watch ends it."""


class Ending:
    """Takes SIGINT and SIGTERM. A second signal does not wait for the event."""

    def __init__(self) -> None:
        self._wanted: BaseException | None = None
        self._is_telling = False

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Take the signals while the block runs; one that is ignored stays so. Raises KeyboardInterrupt, Terminated."""
        taken = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) != signal.SIG_IGN]
        before = {number: signal.signal(number, self._take) for number in taken}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Let the block come to its end first: what was told to some is told to all, and taken note of."""
        self._is_telling = True
        try:
            yield
        finally:
            self._is_telling = False
        if self._wanted is not None:
            raise self._wanted

    def _take(self, number: int, _: FrameType | None) -> None:
        wanted = Terminated() if number == signal.SIGTERM else KeyboardInterrupt()
        if not self._is_telling or self._wanted is not None:
            raise wanted
        self._wanted = wanted
