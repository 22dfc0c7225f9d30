"""Follows the pages of a list to its end."""

from collections.abc import Callable, Iterator, Sequence
from threading import Thread
from typing import Generic, Protocol, TypeVar

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


class AnyPage(Protocol[T_co]):
    """A page of whatever."""

    @property
    def value(self) -> Sequence[T_co]:
        """Its rows."""
        ...

    @property
    def next(self) -> str | None:
        """Where the next page starts."""
        ...


def each_row(fetch: Callable[[str | None], AnyPage[T]], *, most: int | None, ahead: bool) -> Iterator[T]:
    """Yield the rows of every page; nobody will take more than `most`.

    `ahead` fetches the next page, in a thread, while the rows of the one before are worked on.
    """
    page, seen = fetch(None), 0
    while page.next is not None:
        seen += len(page.value)
        is_last = most is not None and seen >= most
        following = _Fetching(fetch, page.next) if ahead and not is_last else None
        yield from page.value
        page = following.result() if following else fetch(page.next)
    yield from page.value


class _Fetching(Generic[T]):
    """Fetches one page, and raises what went wrong where the page is wanted. Given up, it does not keep the process."""

    def __init__(self, fetch: Callable[[str | None], AnyPage[T]], cursor: str) -> None:
        self._fetch, self._cursor = fetch, cursor
        self._page: AnyPage[T] | None = None
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def result(self) -> AnyPage[T]:
        """Wait for the page and return it."""
        self._thread.join()
        if self._page is None:
            raise self._error or RuntimeError("the page was not fetched")
        return self._page

    def _run(self) -> None:
        try:
            self._page = self._fetch(self._cursor)
        except BaseException as error:  # noqa: BLE001 - raised in the thread that asks for the page
            self._error = error
