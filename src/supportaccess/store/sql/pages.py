"""Reads pages of access requests.

The database puts the JSON of a page's records together. Where the clock changed none of them, that goes over the wire:
nothing is decoded but the record that the page ends with.
"""

from datetime import datetime
from typing import NamedTuple

import msgspec

from supportaccess.domain import expiry
from supportaccess.domain.records import AccessRequest
from supportaccess.store.protocol import RequestQuery
from supportaccess.store.sql.engine import Engine
from supportaccess.store.sql.lists import Listing
from supportaccess.store.sql.rows import SEPARATOR, records_from

_encode = msgspec.json.Encoder().encode


class Found(NamedTuple):
    """A page at one moment: the records as they are stored, and where the next ones start."""

    text: bytes
    some_are_due: bool
    now: datetime
    next: str | None

    def records(self) -> list[AccessRequest]:
        """Return the records as the clock has them. Raises StoreRefused for what this program cannot have written."""
        return [expiry.as_of(record, self.now) for record in records_from(self.text)]

    def json(self) -> msgspec.Raw:
        """Return the array of the records as the clock has them."""
        return msgspec.Raw(_encode(self.records()) if self.some_are_due else b"[%b]" % self.text)


def read_page(
    engine: Engine, tenant_id: str, query: RequestQuery, now: datetime, top: int, cursor: str | None
) -> Found:
    """Return up to `top` records of a tenant. Raises InvalidInput for a bad cursor."""
    listing = Listing(query, tenant_id, now, engine.dialect)
    # One more, which tells that there is a next page.
    statement, parameters = listing.page(top + 1, cursor)
    with engine.reading([tenant_id]) as session:
        row = session.one(statement, parameters)
    text, number, some_are_due = row or (None, 0, 0)
    found = Found(text or b"", bool(some_are_due), now, None)
    if number <= top:
        return found
    found = found._replace(text=found.text.rpartition(SEPARATOR)[0])
    (last,) = found._replace(text=found.text.rpartition(SEPARATOR)[2]).records()
    return found._replace(next=listing.cursor_after(last, cursor))
