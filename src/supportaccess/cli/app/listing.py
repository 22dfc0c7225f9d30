"""The rows of a list: of one tenant, or of several merged in one order, and how many of them were printed."""

from collections.abc import Callable, Iterator
from heapq import merge
from itertools import chain
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from supportaccess.cli.app.context import Context
from supportaccess.cli.app.tenants import Tenant, Tenants
from supportaccess.cli.output.printer import Printer
from supportaccess.errors import SupportAccessError
from supportaccess.store.paging import AnyPage, Fetch, each_row, each_row_by
from supportaccess.store.protocol import LARGEST_PAGE, RequestReader

R = TypeVar("R", bound=msgspec.Struct)


class Question(NamedTuple, Generic[R]):
    """What is asked of each tenant's store, and in which order rows of several come.

    `count` goes no further than `counted`; `mark` gives a row of several tenants the ID of the one whose it is.
    """

    page: Callable[[RequestReader, int, str | None], AnyPage[R]]
    count: Callable[[RequestReader], int]
    key: Callable[[R], Any]
    newest_first: bool = False
    counted: int | None = None
    mark: Callable[[R, str], R] = lambda row, _: row


class Listing(Generic[R]):
    """The rows of a question, page by page."""

    def __init__(self, context: Context, tenants: Tenants, question: Question[R], most: int | None) -> None:
        """Take whom to ask what; at `most` so many rows are printed, None for all of them."""
        self._context = context
        self._tenants = tenants
        self._question = question
        self._most = most
        self._cut = False
        self.printed = 0

    def print_by(
        self,
        printer: Printer,
        *,
        sort: Callable[[Iterator[R]], list[R]] | None = None,
        shaped: Callable[[R], msgspec.Struct] = lambda row: row,
    ) -> None:
        """Print the rows, and say what was left out.

        `sort` takes every row, however many, and returns them in an order that no store has; `shaped` makes of each
        row what is printed.
        """
        rows = map(shaped, self._first() if sort is None else self._sorted(sort))
        first = next(rows, None)
        # Nothing at all rather than an empty list: that would say that there is nothing.
        if first is not None or not self._tenants.all_failed:
            printer.print_all(chain([] if first is None else [first], rows))
        if self._cut and not self._context.streams.out_closed:
            self._say_what_is_missing()

    def _first(self) -> Iterator[R]:
        for row in self._all(None if self._most is None else self._most + 1):
            if self.printed == self._most:
                self._cut = True
                return
            self.printed += 1
            yield row

    def _sorted(self, sort: Callable[[Iterator[R]], list[R]]) -> Iterator[R]:
        rows = sort(self._all(None))
        self._cut = self._most is not None and len(rows) > self._most
        for row in rows[: self._most]:
            self.printed += 1
            yield row

    def _all(self, most: int | None) -> Iterator[R]:
        if not self._tenants.several:
            (tenant,) = self._tenants
            return each_row(self._pages(tenant, most), most=most, ahead=tenant.store.is_remote)
        # A list, so that all of them are asked before the first one's answer is waited for.
        of_each = [self._of_one_of_several(tenant, self._started(tenant, most)) for tenant in self._tenants]
        return merge(*of_each, key=self._question.key, reverse=self._question.newest_first)

    def _pages(self, tenant: Tenant, most: int | None) -> Fetch[R]:
        top = LARGEST_PAGE if most is None else min(LARGEST_PAGE, most)
        return lambda cursor: self._question.page(tenant.store, top, cursor)

    def _started(self, tenant: Tenant, most: int | None) -> Iterator[R]:
        pages = self._pages(tenant, most)
        if tenant.store.is_remote:
            return each_row_by(self._tenants.workers, pages, most=most)
        return each_row(pages, most=most, ahead=False)

    def _of_one_of_several(self, tenant: Tenant, rows: Iterator[R]) -> Iterator[R]:
        try:
            for row in rows:
                yield self._question.mark(row, tenant.store.tenant_id)
        except SupportAccessError as error:
            self._tenants.fail(tenant.shown, tenant.name, error)

    def _say_what_is_missing(self) -> None:
        counts = [count for _, count in self._tenants.ask_each(self._question.count)]
        total = sum(counts)
        more = "more than " if self._question.counted in counts else ""
        told = f"Showing {self.printed:,} of {more}{total:,}: {more}{total - self.printed:,} left out."
        if self._tenants.have_failed:
            told = f"Showing {self.printed:,}: how many were left out is not known."
        self._context.streams.warn(f"{told} Use --all or --limit N.")
