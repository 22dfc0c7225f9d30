"""What the REST server makes of its database: `python -m benchmarks.http_store`.

A page of 100 and a decision, asked over HTTP by several client threads, against the same SQL on the bare driver by as
many threads of one process. `best` is what the driver can do when it is not bound to the store's ways: statements
prepared and no settings with them on PostgreSQL, a single thread on SQLite. `bare` is a uvicorn that does nothing but
send as many bytes: what HTTP alone costs in one process of Python. All take turns. Exit status 1 when a target
is missed.
"""

import argparse
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import copyfile
from statistics import median
from typing import Any

import psycopg
from benchmarks import bulk, rest, stores
from benchmarks.floors import Prepared, SameMessages, SqliteFloor
from benchmarks.issuer import token_of
from benchmarks.load import HttpConnection, Load, drive, p50, p99, processor_seconds
from benchmarks.postgresql import make_store, postgresql
from benchmarks.recording import PAGE, Recorded, record_decisions, record_page
from benchmarks.table import print_table
from psycopg.conninfo import make_conninfo
from tests.support.issuer import Issuer, running

from supportaccess.domain.records import AccessRequest
from supportaccess.store.sql.engine import Engine
from supportaccess.store.sql.postgresql.open import open_postgresql
from supportaccess.store.sql.sqlite.open import open_embedded

_LEAST = 0.7
_PAGE = f"GET /v1/access-requests?status=pending&status=approved&top={PAGE}"


Pending = Sequence[tuple[str, AccessRequest]]


@dataclass(frozen=True)
class Stand:
    """A database to measure on, in copies: for the floor, for the best that its driver can do, and for the server."""

    name: str
    pending: Pending
    page: Recorded
    decisions: Sequence[Recorded]
    floors: Sequence[Callable[[Recorded], None]]
    best: Sequence[Callable[[Recorded], None]]
    settings: Path


@dataclass(frozen=True)
class Compared:
    """The runs of floor, best, bare and server by turns. `processor` is the server's own processor time, in seconds."""

    what: str
    floor: list[Load] = field(default_factory=list)
    best: list[Load] = field(default_factory=list)
    bare: list[Load] = field(default_factory=list)
    server: list[Load] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """How much of the floor's throughput the server has: the median of the turns."""
        return median(server.rate / floor.rate for floor, server in zip(self.floor, self.server, strict=True))


def _measure(stand: Stand, token: str, options: argparse.Namespace) -> list[Compared]:
    pages, decisions = Compared(f"page of 100, {stand.name}"), Compared(f"decision, {stand.name}")
    with rest.server(stand.settings) as server, ExitStack() as stack:
        clients = [stack.enter_context(closing(HttpConnection(server.port, token))) for _ in stand.floors]
        ask = [_asking(client) for client in clients]
        approve = [_approving(client) for client in clients]
        bare = stack.enter_context(rest.bare())
        idle = [stack.enter_context(closing(HttpConnection(bare, token))) for _ in stand.floors]
        page = _sending(idle, len(clients[0].ask(_PAGE)))
        record = _sending(idle, len(clients[0].ask(f"GET /v1/access-requests/{stand.pending[0][1].id}")))
        _turn(pages, stand, server, page, ask, [stand.page] * options.pages, [None] * options.pages)
        pages = Compared(pages.what)  # the first turn warmed all up
        for start in range(0, len(stand.pending), options.decisions):
            part = slice(start, start + options.decisions)
            _turn(pages, stand, server, page, ask, [stand.page] * options.pages, [None] * options.pages)
            _turn(decisions, stand, server, record, approve, stand.decisions[part], stand.pending[part])
    return [pages, decisions]


def _turn(
    compared: Compared,
    stand: Stand,
    server: rest.Server,
    bare: Sequence[Callable[[object], object]],
    acts: Sequence[Callable[[Any], object]],
    recorded: Sequence[Recorded],
    items: Sequence[object],
) -> None:
    compared.floor.append(drive(stand.floors, recorded))
    compared.best.append(drive(stand.best, recorded))
    compared.bare.append(drive(bare, items))
    before = processor_seconds(server.process.pid)
    compared.server.append(drive(acts, items))
    compared.processor.append(processor_seconds(server.process.pid) - before)


def _sending(clients: Sequence[HttpConnection], size: int) -> list[Callable[[object], object]]:
    return [lambda _, client=client: client.ask(f"GET /{size}") for client in clients]  # type: ignore[misc]


def _asking(client: HttpConnection) -> Callable[[object], bytes]:
    return lambda _: client.ask(_PAGE)


def _approving(client: HttpConnection) -> Callable[[tuple[str, AccessRequest]], None]:
    def approve(of_tenant: tuple[str, AccessRequest]) -> None:
        _, record = of_tenant
        headers = f"If-Match: {record.etag}\r\nIdempotency-Key: {uuid.uuid4()}\r\nContent-Type: application/json\r\n"
        client.ask(f"POST /v1/access-requests/{record.id}/approve", headers, b'{"reason":"Agreed"}')

    return approve


@contextmanager
def _on_postgresql(folder: Path, issuer: Issuer, options: argparse.Namespace) -> Iterator[Stand]:
    with postgresql() as conninfo, ExitStack() as stack:
        original = make_store(conninfo, "original")
        bulk.fill(make_conninfo(conninfo, dbname="original"), options.rows)
        with closing(open_postgresql(original)) as engine:
            pending = _raise(engine, options)
        with psycopg.connect(make_conninfo(conninfo, dbname="original"), autocommit=True) as connection:
            connection.execute("VACUUM (ANALYZE)")
        with closing(open_postgresql(make_store(conninfo, "recorded", "original"), pool=1)) as engine:
            page, decisions = record_page(engine), record_decisions(engine, pending)
        floor, best = (make_store(conninfo, name, "original") for name in ("floor", "best"))
        floors = [stack.enter_context(closing(SameMessages(floor))).run for _ in range(options.threads)]
        bests = [stack.enter_context(closing(Prepared(best, [stores.TENANT]))).run for _ in range(options.threads)]
        settings = folder / "postgresql.toml"
        database = {"postgresql": make_store(conninfo, "server", "original"), "pool": options.threads}
        rest.write_settings(settings, issuer, [stores.TENANT], database)
        yield Stand("PostgreSQL", pending, page, decisions, floors, bests, settings)


@contextmanager
def _on_sqlite(folder: Path, issuer: Issuer, options: argparse.Namespace) -> Iterator[Stand]:
    names = ("original", "recorded", "floor", "best", "server")
    original, recorded, floor, best, server = (folder / f"{name}.db" for name in names)
    stores.fill(original, stores.Mix(options.rows, options.rows * 2 // 100, options.rows * 3 // 100))
    with closing(open_embedded(original)) as engine:
        pending = _raise(engine, options)
    for copy in (recorded, floor, best, server):
        copyfile(original, copy)
    with closing(open_embedded(recorded)) as engine:
        page, decisions = record_page(engine), record_decisions(engine, pending)
    settings = folder / "sqlite.toml"
    rest.write_settings(settings, issuer, [stores.TENANT], {"sqlite": str(server)})
    with closing(SqliteFloor(floor)) as one, closing(SqliteFloor(best)) as other:
        yield Stand("SQLite", pending, page, decisions, [one.run] * options.threads, [other.run], settings)


def _raise(engine: Engine, options: argparse.Namespace) -> Pending:
    """Raise what is decided later."""
    return stores.raise_pending(engine, [stores.TENANT], options.turns * options.decisions)


def _print(compared: Sequence[Compared]) -> None:
    rows = [
        (
            one.what,
            f"{median(load.rate for load in one.best):,.0f}",
            f"{median(load.rate for load in one.floor):,.0f}",
            f"{median(load.rate for load in one.bare):,.0f}",
            f"{median(load.rate for load in one.server):,.0f}",
            f"{one.ratio:.2f}",
            f"{_LEAST}{' MISSED' * (one.ratio < _LEAST)}",
            p50(one.server),
            p99(one.server),
            f"{_each(one.floor, [load.processor for load in one.floor]):.2f}",
            f"{_each(one.server, one.processor):.2f}",
        )
        for one in compared
    ]
    header = (
        "what",
        "best/s",
        "floor/s",
        "bare/s",
        "server/s",
        "ratio",
        "target",
        "ms p50",
        "ms p99",
        "floor CPU ms",
        "server CPU ms",
    )
    print_table(header, rows)


def _each(loads: Sequence[Load], seconds: Sequence[float]) -> float:
    """Return milliseconds for each act."""
    return sum(seconds) / sum(len(load.each) for load in loads) * 1e3


def main() -> int:
    """Measure and print; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.http_store")
    parser.add_argument("--rows", type=int, default=20_000, help="requests in the store")
    parser.add_argument("--pages", type=int, default=1_000, help="pages in a turn")
    parser.add_argument("--decisions", type=int, default=500, help="decisions in a turn")
    parser.add_argument("--turns", type=int, default=5, help="turns of floor and server")
    parser.add_argument("--threads", type=int, default=8, help="client threads, and connections to PostgreSQL")
    parser.add_argument("--only", choices=("postgresql", "sqlite"), help="one database alone")
    options = parser.parse_args()
    compared = []
    with tempfile.TemporaryDirectory() as name, running(Path(name)) as authority:
        for database, stand in (("postgresql", _on_postgresql), ("sqlite", _on_sqlite)):
            if options.only in (None, database):
                with stand(Path(name), authority, options) as measured:
                    compared += _measure(measured, token_of(authority, stores.TENANT), options)
    print(f"{options.rows:,} requests, {options.threads} client threads, {options.turns} turns\n")
    _print(compared)
    return int(any(one.ratio < _LEAST for one in compared))


if __name__ == "__main__":
    sys.exit(main())
