"""Follows the pages of a list to its end."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from supportaccess.errors import StoreRefused

if TYPE_CHECKING:
    from supportaccess.store.background import Pending, Workers

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


Fetch = Callable[[str | None], AnyPage[T]]
"""Gets the page at a cursor; the first one without."""


def each_row(fetch: Fetch[T], *, most: int | None, ahead: bool) -> Iterator[T]:
    """Yield the rows of every page; nobody will take more than `most`.

    `ahead` fetches the next page, in a thread, while the rows of the one before are worked on.
    """
    workers = None
    if ahead:
        from supportaccess.store.background import Workers

        workers = Workers(1)
    return _rows(fetch, lambda: fetch(None), most, workers)


def each_row_by(workers: "Workers", fetch: Fetch[T], *, most: int | None) -> Iterator[T]:
    """Yield the rows as `each_row` does ahead. The first page is asked for at once: lists come side by side."""
    return _rows(fetch, workers.start(partial(fetch, None)).result, most, workers)


def _rows(fetch: Fetch[T], first: Callable[[], AnyPage[T]], most: int | None, workers: "Workers | None") -> Iterator[T]:
    page, seen = first(), 0
    while page.next is not None:
        seen += len(page.value)
        is_last = most is not None and seen >= most
        following: Pending[AnyPage[T]] | None = None
        if workers is not None and not is_last:
            following = workers.start(partial(fetch, page.next))
        yield from page.value
        begun, page = page.next, fetch(page.next) if following is None else following.result()
        if page.next == begun:
            raise StoreRefused("a page of the list leads to itself again", hint="The list is cut off here.")
    yield from page.value
