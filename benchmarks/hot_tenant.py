"""How many decisions a second one tenant can take: `python -m benchmarks.hot_tenant`.

Writers decide in one tenant, whose audit log they all wait for, and in a hundred, through the store on PostgreSQL;
against as many threads that send the same statements with the bare driver. Floor and store take turns. Exit status 1
when the store is too far from its floor, or a decision was refused or taken back.
"""

import argparse
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from statistics import median

import psycopg
from benchmarks import stores
from benchmarks.floors import SameMessages
from benchmarks.load import Load, drive, p50, p99
from benchmarks.postgresql import make_store, postgresql
from benchmarks.recording import Recorded, approve, record_decisions
from benchmarks.table import print_table
from psycopg.conninfo import make_conninfo

from supportaccess.domain.records import AccessRequest
from supportaccess.errors import SupportAccessError
from supportaccess.store.sql.engine import Engine
from supportaccess.store.sql.postgresql.open import open_postgresql
from supportaccess.store.sql.store import SqlStore

_LEAST = 0.7
_TENANTS = (1, 100)
_TAKEN_BACK = "SELECT xact_rollback, deadlocks FROM pg_stat_database WHERE datname = %s"

OfTenant = tuple[str, AccessRequest]


@dataclass
class Compared:
    """The runs of floor and store by turns; what was refused, by the error's code, and transactions taken back."""

    tenants: int
    floor: list[Load] = field(default_factory=list)
    store: list[Load] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    taken_back: int = 0
    deadlocks: int = 0

    @property
    def ratio(self) -> float:
        """How much of the floor's throughput the store has: the median of the turns."""
        return median(store.rate / floor.rate for floor, store in zip(self.floor, self.store, strict=True))

    @property
    def missed(self) -> bool:
        """Whether it is not as it should be."""
        return self.ratio < _LEAST or bool(self.refused or self.taken_back)


def _measure(conninfo: str, tenants: int, options: argparse.Namespace) -> Compared:
    names = [f"{what}_{tenants}" for what in ("original", "recorded", "floor", "store")]
    pending, decisions = _prepare(conninfo, tenants, options, *names[:2])
    floor, server = (make_store(conninfo, name, names[0]) for name in names[2:])
    compared, writers = Compared(tenants), range(options.writers)
    with ExitStack() as stack:
        floors = [stack.enter_context(closing(SameMessages(floor))).run for _ in writers]
        engine = stack.enter_context(closing(open_postgresql(server, pool=options.writers)))
        deciders = [_decider(engine, compared.refused) for _ in writers]
        for start in range(0, len(pending), options.decisions):
            part = slice(start, start + options.decisions)
            compared.floor.append(drive(floors, decisions[part]))
            compared.store.append(drive(deciders, pending[part]))
    with psycopg.connect(conninfo) as connection:
        row = connection.execute(_TAKEN_BACK, [names[3]]).fetchone()
        compared.taken_back, compared.deadlocks = row or (0, 0)
    del compared.floor[0], compared.store[0]  # the first turn warmed both up
    return compared


def _prepare(
    conninfo: str, tenants: int, options: argparse.Namespace, original: str, recorded: str
) -> tuple[list[OfTenant], list[Recorded]]:
    """Raise what is to be decided, and record what deciding it takes."""
    tenant_ids = [str(uuid.UUID(int=number, version=4)) for number in range(1, tenants + 1)]
    number = (options.turns + 1) * options.decisions
    with closing(open_postgresql(make_store(conninfo, original))) as engine:
        pending = stores.raise_pending(engine, tenant_ids, -(-number // tenants))[:number]
    with psycopg.connect(make_conninfo(conninfo, dbname=original), autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")
    with closing(open_postgresql(make_store(conninfo, recorded, original), pool=1)) as engine:
        return pending, record_decisions(engine, pending)


def _decider(engine: Engine, refused: Counter[str]) -> Callable[[OfTenant], None]:
    def decide(of_tenant: OfTenant) -> None:
        tenant_id, record = of_tenant
        try:
            approve(SqlStore(engine, stores.caller(tenant_id)), record)
        except SupportAccessError as error:
            refused[error.code] += 1

    return decide


def _print(compared: Sequence[Compared]) -> None:
    rows = [
        (
            f"{one.tenants} tenant{'s' * (one.tenants > 1)}",
            f"{median(load.rate for load in one.floor):,.0f}",
            f"{median(load.rate for load in one.store):,.0f}",
            f"{one.ratio:.2f}",
            f"{_LEAST}{' MISSED' * one.missed}",
            f"{p50(one.floor)}, {p50(one.store)}",
            f"{p99(one.floor)}, {p99(one.store)}",
            f"{_each(one.floor):.2f}, {_each(one.store):.2f}",
            str(sum(one.refused.values())),
            f"{one.taken_back}, {one.deadlocks}",
        )
        for one in compared
    ]
    header = ("decisions", "floor/s", "store/s", "ratio", "target", "ms p50", "ms p99", "CPU ms", "refused")
    print_table((*header, "rolled back, deadlocks"), rows)


def _each(loads: Sequence[Load]) -> float:
    """Return the process's milliseconds for each act."""
    return sum(load.processor for load in loads) / sum(len(load.each) for load in loads) * 1e3


def main() -> int:
    """Measure and print; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hot_tenant")
    parser.add_argument("--writers", type=int, default=16, help="threads that decide")
    parser.add_argument("--decisions", type=int, default=1_000, help="decisions in a turn")
    parser.add_argument("--turns", type=int, default=5, help="turns of floor and store")
    options = parser.parse_args()
    with postgresql() as conninfo:
        compared = [_measure(conninfo, tenants, options) for tenants in _TENANTS]
    print(f"{options.writers} writers, {options.turns} turns of {options.decisions:,} decisions; pairs: floor, store\n")
    _print(compared)
    for one in compared:
        for code, times in one.refused.items():
            print(f"{one.tenants} tenants: {code} {times} times")
    return int(any(one.missed for one in compared))


if __name__ == "__main__":
    sys.exit(main())
