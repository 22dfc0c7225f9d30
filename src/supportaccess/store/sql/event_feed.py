"""Reads what happened to a tenant's requests since a place in its audit log."""

from datetime import datetime

from supportaccess.domain import expiry
from supportaccess.domain.events import Event, event_of, is_told
from supportaccess.domain.records import AccessRequest
from supportaccess.store.protocol import AuditQuery, EventPage
from supportaccess.store.sql.engine import Session, Statement
from supportaccess.store.sql.log import read_head, read_log
from supportaccess.store.sql.rows import GET, record_from

_ALL = AuditQuery()  # what of it is told shows in each entry: it may be of a later version


def read_events(session: Session, tenant_id: str, after: int | None, top: int, now: datetime) -> EventPage:
    """Return up to `top` events from the log's place `after` on; without one none, and where the next will be.

    While nothing happens it reads one row.
    """
    size = read_head(session, tenant_id)[0].size
    if after is None or after >= size:
        return EventPage(value=[], next=size, size=size)
    page = read_log(session, tenant_id, _ALL, top, str(after - 1) if after else None)
    ids = dict.fromkeys(entry.access_request_id for entry in page.value if entry.access_request_id and is_told(entry))
    records = _records(session, tenant_id, list(ids), now)
    events: list[Event] = []
    for entry in page.value:
        event = event_of(entry, records.get(entry.access_request_id or ""))
        events += [event] if event is not None else []
    last = page.value[-1].sequence + 1 if page.value else after
    # What the log has beside is passed over for good; it may have grown since its head was read.
    return EventPage(value=events, next=last if page.next is not None else max(last, size), size=max(last, size))


def _records(session: Session, tenant_id: str, ids: list[str], now: datetime) -> dict[str, AccessRequest]:
    found = session.batch([Statement(GET, {"tenant_id": tenant_id, "id": each}) for each in ids])
    records = (expiry.as_of(record_from(row), now) for result in found for row in result.rows)
    return {record.id: record for record in records}
