"""Millions of access requests for PostgreSQL, by COPY: what `stores` makes, many times over.

Each row is one of a few thousand that the rules made, with an ID, a support request and moments of its own. There is
no audit log, and an etag is only as long as a real one: enough for lists, which read neither.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
from benchmarks import stores

from supportaccess.domain.records import AccessRequest
from supportaccess.store.sql.rows import row_of

_TEMPLATES = 5_000
_ROWS_AT_ONCE = 1_000
_LATEST = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)
_MOMENTS = (
    "created_at",
    "decide_by",
    "decided_at",
    "starts_at",
    "expires_at",
    "ended_at",
    "updated_at",
    "listed_at",
    "urgency",
)
_MARK = "%"


def fill(conninfo: str, rows: int) -> None:
    """Copy so many requests into the empty store of a database, and let PostgreSQL take its statistics."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        columns = ", ".join(row_of(stores.TENANT, next(stores.records(stores.BUSY))))
        with connection.cursor().copy(f"COPY access_requests ({columns}) FROM STDIN") as copy:
            for block in _blocks(rows):
                copy.write(block)
        connection.execute("VACUUM (ANALYZE) access_requests")
        connection.execute("CHECKPOINT")


def _blocks(rows: int) -> Iterator[str]:
    chance = random.Random(rows)
    mix = stores.Mix(_TEMPLATES, _TEMPLATES * 2 // 100, _TEMPLATES * 3 // 100)
    templates = [_Template(record) for record in stores.records(mix, datetime.now(UTC))]
    for start in range(0, rows, _ROWS_AT_ONCE):
        numbers = range(start, min(start + _ROWS_AT_ONCE, rows))
        yield "".join(templates[number % _TEMPLATES].line(number, chance) for number in numbers)


class _Template:
    """One request as a line of COPY's text, but for what differs from row to row."""

    def __init__(self, record: AccessRequest) -> None:
        row = row_of(stores.TENANT, record)
        own = record.support_request_id or ""
        self._day = own[:6]
        self._values = {name: int(str(row[name])) for name in _MOMENTS if row[name] is not None}
        # Of a final request, urgency is minus its end.
        self._signs = {name: -1 if self._values[name] < 0 else 1 for name in self._values}
        given = {name: f"%({name})d" for name in self._values}
        given |= {"id": "%(id)s", "etag": '"%(etag)s"', "support_request_id": "%(own)s"}
        self._line = "\t".join(given.get(name) or _escaped(value, own) for name, value in row.items()) + "\n"

    def line(self, number: int, chance: random.Random) -> str:
        """Return the line of one row: the request, up to a day earlier."""
        earlier = chance.randrange(_LATEST // _MICROSECOND)
        drawn = f"{chance.getrandbits(128):032x}"
        values: dict[str, object] = {name: value - self._signs[name] * earlier for name, value in self._values.items()}
        values["id"] = f"{drawn[:8]}-{drawn[8:12]}-4{drawn[13:16]}-a{drawn[17:20]}-{drawn[20:]}"
        values["etag"] = drawn + drawn[:11]
        values["own"] = f"{self._day}{number:010}"
        return self._line % values


def _escaped(value: object, own: str) -> str:
    """Return a value as COPY takes it and `%` leaves it, with a mark for the request's own support request."""
    if value is None:
        return r"\N"
    text = str(value)
    for character, escape in (("\\", r"\\"), ("\n", r"\n"), ("\t", r"\t"), (_MARK, _MARK * 2)):
        text = text.replace(character, escape)
    return text.replace(own, "%(own)s")
