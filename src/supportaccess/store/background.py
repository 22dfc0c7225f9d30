"""Work that is done meanwhile, by a few threads that never keep the process."""

from collections import deque
from collections.abc import Callable
from threading import Event, Lock, Thread
from typing import Any, Generic, TypeVar

T = TypeVar("T")

MOST_AT_ONCE = 16
"""How many tenants are asked at the same time, and how many connections to one endpoint are kept for that."""


class Pending(Generic[T]):
    """Something that is being done. What went wrong is raised where the result is wanted."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._done = Event()
        self._error: BaseException | None = None
        self._result: list[T] = []

    def run(self) -> None:
        """Do it, in whatever thread."""
        try:
            self._result.append(self._work())
        except BaseException as error:  # noqa: BLE001 - raised in the thread that asks for the result
            self._error = error
        finally:
            self._done.set()

    def result(self) -> T:
        """Wait for it and return it. Ctrl-C ends the waiting, not the work."""
        self._done.wait()
        if self._error is not None:
            raise self._error
        return self._result[0]


class Workers:
    """At most so many threads, which take what is to be done in its order and end when nothing is left.

    Not an executor of the standard library: the interpreter waits for its threads, so that Ctrl-C would end nothing
    before the slowest server has answered.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._running = 0
        self._waiting: deque[Pending[Any]] = deque()
        self._lock = Lock()

    def start(self, work: Callable[[], T]) -> Pending[T]:
        """Have it done as soon as a thread is free. It must not wait for other work of the same threads."""
        pending = Pending(work)
        with self._lock:
            self._waiting.append(pending)
            if self._running == self._most:
                return pending
            self._running += 1
        Thread(target=self._run, daemon=True).start()
        return pending

    def _run(self) -> None:
        while (pending := self._next()) is not None:
            pending.run()

    def _next(self) -> Pending[Any] | None:
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._running -= 1
            return None
