"""What the size of a store costs a page: `python -m benchmarks.paging`.

Pages of 100 through the store on PostgreSQL, first and deep, in stores of growing size that differ in nothing else. A
deep page is at a place that nobody read lately, and so from the disk where the store is larger than the memory; `again`
is the same page once more, and `next` the one that whoever follows the links reads then. The sizes take turns. Exit
status 1 when a page of the largest store takes too much longer than one of the smallest.
"""

import argparse
import random
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import median, quantiles

import psycopg
from benchmarks import bulk, stores
from benchmarks.postgresql import make_store, postgresql
from benchmarks.table import print_table
from psycopg.conninfo import make_conninfo

from supportaccess.domain.records import OPEN
from supportaccess.domain.times import to_microseconds
from supportaccess.store.protocol import Order, RequestQuery
from supportaccess.store.sql.lists import Cursor, written
from supportaccess.store.sql.postgresql.open import open_postgresql
from supportaccess.store.sql.store import SqlStore

_MOST = 1.5
_TOP = 100
_WARM_UP = 20
_FINAL = 2
"""The group of what ended, in the order of attention."""
_NOBODY = "00000000-0000-4000-8000-000000000000"
_ANY = """
    SELECT support_request_id FROM access_requests WHERE tenant_id = %s AND id >= %s ORDER BY tenant_id, id LIMIT 1
"""

Position = tuple[int, int, int]


@dataclass(frozen=True)
class Case:
    """A list. `after` draws the position from which a deep page goes on, among those that are so many days ago."""

    name: str
    query: RequestQuery
    after: Callable[[int], Position] | None = None
    days: tuple[float, float] = (60, 670)
    of_support_request: bool = False

    @property
    def names(self) -> list[str]:
        """What is measured: the page, and of a deep one also what comes then."""
        return [self.name] if self.after is None else [self.name, f"{self.name}, again", f"{self.name}, next"]


@dataclass(frozen=True)
class Size:
    """A store of one size, some support requests in it, and the seconds that pages took, by what is measured."""

    rows: int
    store: SqlStore
    support_requests: Sequence[str]
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def page(self, case: Case, chance: random.Random) -> None:
        """Read a page, a deep one again and then the next one, and note how long each took."""
        query, now, cursor = case.query, datetime.now(UTC), None
        if case.of_support_request:
            query = RequestQuery(support_request_id=chance.choice(self.support_requests))
        if case.after is not None:
            moment = to_microseconds(now - timedelta(days=chance.uniform(*case.days)))
            cursor = written(Cursor(query.order, *case.after(moment), _NOBODY))
        for name in case.names:
            begun = time.perf_counter()
            page = self.store.page(query, top=_TOP, cursor=cursor)
            self.seconds.setdefault(name, []).append(time.perf_counter() - begun)
            if len(page.value) != (1 if case.of_support_request else _TOP):
                raise ValueError(f"{name}: a page of {len(page.value)} rows")
            if name.endswith("again"):
                cursor = page.next


_ALL, _APPROVED = RequestQuery(), RequestQuery(approved_access=True)
_CASES = (
    Case("needs attention, first", RequestQuery(statuses=OPEN)),
    Case("all by attention, first", _ALL),
    Case("all by attention, deep", _ALL, lambda moment: (_FINAL, -moment, moment)),
    Case("all by time, first", RequestQuery(order=Order.NEWEST)),
    Case("all by time, deep", RequestQuery(order=Order.NEWEST), lambda moment: (0, moment, moment)),
    Case("all by time, oldest first, deep", RequestQuery(order=Order.OLDEST), lambda moment: (0, moment, moment)),
    Case("approved access, first", _APPROVED),
    Case("approved access, deep", _APPROVED, lambda moment: (_FINAL, -moment, moment), days=(5, 25)),
    Case("of a support request", _ALL, of_support_request=True),
)
_NAMES = [name for case in _CASES for name in case.names]


def _make(conninfo: str, rows: int, stack: ExitStack) -> Size:
    name = f"rows_{rows}"
    server, owner = make_store(conninfo, name), make_conninfo(conninfo, dbname=name)
    begun = time.perf_counter()
    bulk.fill(owner, rows)
    print(f"{rows:,} rows copied in {time.perf_counter() - begun:.0f} s", flush=True)
    engine = stack.enter_context(closing(open_postgresql(server, pool=2)))
    return Size(rows, SqlStore(engine, stores.caller(stores.TENANT)), _some_support_requests(owner))


def _some_support_requests(conninfo: str, number: int = 200) -> list[str]:
    chance = random.Random(number)
    with psycopg.connect(conninfo) as connection:
        # The largest ID may be smaller than what is drawn, but not with a few thousand of them.
        drawn = [f"{chance.getrandbits(28):07x}" for _ in range(number)]
        rows = [connection.execute(_ANY, [stores.TENANT, each]).fetchone() for each in drawn]
    return [row[0] for row in rows if row is not None]


def _measure(sizes: Sequence[Size], repeats: int) -> None:
    for number in range(_WARM_UP + repeats):
        if number == _WARM_UP:
            for size in sizes:
                size.seconds.clear()
        for case in _CASES:
            for size in sizes:
                size.page(case, random.Random(f"{number} {case.name}"))


def _ratio(sizes: Sequence[Size], name: str) -> float:
    return median(sizes[-1].seconds[name]) / median(sizes[0].seconds[name])


def _print(sizes: Sequence[Size]) -> None:
    rows = [
        (
            name,
            *(f"{median(size.seconds[name]) * 1e3:.2f}" for size in sizes),
            *(f"{quantiles(size.seconds[name], n=100)[-1] * 1e3:.1f}" for size in sizes),
            f"{_ratio(sizes, name):.2f}",
            f"{_MOST}{' MISSED' * (_ratio(sizes, name) > _MOST)}",
        )
        for name in _NAMES
    ]
    columns = [f"{kind}, {_short(size.rows)}" for kind in ("p50 ms", "p99 ms") for size in sizes]
    print_table(("page of 100", *columns, "ratio", "target"), rows)


def _short(rows: int) -> str:
    return f"{rows / 1e6:g}M" if rows >= 10**6 else f"{rows / 1e3:g}k"


def main() -> int:
    """Measure and print; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.paging")
    parser.add_argument("--rows", type=int, default=1_000_000, help="requests in the largest store")
    parser.add_argument("--repeats", type=int, default=300, help="pages of each kind and size")
    options = parser.parse_args()
    smaller = [rows for rows in (100_000, 1_000_000) if rows < options.rows]
    with postgresql() as conninfo, ExitStack() as stack:
        sizes = [_make(conninfo, rows, stack) for rows in (*smaller, options.rows)]
        _measure(sizes, options.repeats)
    print(f"\n{options.repeats} pages of each, by turns; ratio of the medians, largest store to smallest\n")
    _print(sizes)
    return int(any(_ratio(sizes, name) > _MOST for name in _NAMES))


if __name__ == "__main__":
    sys.exit(main())
