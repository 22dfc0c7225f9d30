"""Millions of access requests for PostgreSQL, by COPY: what `stores` makes, many times over.

Each is one of a few thousand that the rules made, with an ID, a support request and moments of its own. They are
written in the order in which they last changed, which is how the rows of a store lie in its table. There is no audit
log: enough for lists, which do not read it.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
from benchmarks import stores
from msgspec.structs import replace

from supportaccess.domain.records import FINAL, AccessRequest, with_etag
from supportaccess.store.sql.rows import ROW, row_of

_TEMPLATES = 5_000
_MIX = stores.Mix(_TEMPLATES, _TEMPLATES * 2 // 100, _TEMPLATES * 3 // 100)
_LATEST_END = timedelta(days=2)
_MOMENTS = ("created_at", "decide_by", "decided_at", "starts_at", "expires_at", "ended_at", "updated_at")


def fill(conninfo: str, rows: int) -> None:
    """Copy so many requests into the empty store of a database, and let PostgreSQL take its statistics."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        with connection.cursor().copy(f"COPY access_requests ({ROW}) FROM STDIN".encode()) as copy:
            for record in _records(rows):
                copy.write_row(tuple(row_of(stores.TENANT, record).values()))
        connection.execute("VACUUM (ANALYZE) access_requests")
        connection.execute("CHECKPOINT")


def _records(rows: int) -> Iterator[AccessRequest]:
    """Yield what ended, evenly over two years, and then what is open."""
    chance, now = random.Random(rows), datetime.now(UTC)
    templates = list(stores.records(_MIX, now))
    final = [record for record in templates if record.status in FINAL]
    still_open = [record for record in templates if record.status not in FINAL]
    number_open = rows * len(still_open) // len(templates)
    number_final = rows - number_open
    every = (stores.PERIOD - _LATEST_END) / number_final
    for number in range(number_final):
        yield _another(chance.choice(final), number, now - _LATEST_END - every * (number_final - number), chance)
    still_open.sort(key=lambda record: record.updated_at)
    for number in range(number_open):
        template = still_open[number * len(still_open) // number_open]
        moment = template.updated_at + timedelta(microseconds=number)
        yield _another(template, number_final + number, moment, chance)


def _another(record: AccessRequest, number: int, changed: datetime, chance: random.Random) -> AccessRequest:
    """Return a request like another one that last changed at a moment."""
    later = changed - record.updated_at
    moments = {name: moment + later for name in _MOMENTS if (moment := getattr(record, name)) is not None}
    drawn = f"{chance.getrandbits(128):032x}"
    return with_etag(
        replace(
            record,
            id=f"{drawn[:8]}-{drawn[8:12]}-4{drawn[13:16]}-a{drawn[17:20]}-{drawn[20:]}",
            support_request_id=f"{moments['created_at']:%y%m%d}{number:010}",
            **moments,
        )
    )
