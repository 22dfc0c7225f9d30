"""What is told of access requests as it happens: from the audit log's entries, and from the clock.

One tenant's events are of its own log and records alone, so that they tell nothing that its view does not have.
"""

from datetime import datetime, timedelta

from supportaccess.domain import expiry
from supportaccess.domain.attention import listed_at
from supportaccess.domain.audit import Activity, AuditEntry
from supportaccess.domain.records import BY_CLOCK, AccessRequest, Actor, Status, canonical_json
from supportaccess.domain.times import to_microseconds
from supportaccess.structs import OpenName, Struct


class What(OpenName):
    """What happened: most are the status that a request came to have.

    `updated` is a mirror of which more was read, `merged` one that turned out to be half of another. The last two
    announce what the clock will do.
    """

    CREATED = "created"
    APPROVED = "approved"
    REJECTED = "rejected"
    CANCELED = "canceled"
    LAPSED = "lapsed"
    REVOKED = "revoked"
    COMPLETED = "completed"
    EXPIRED = "expired"
    UPDATED = "updated"
    MERGED = "merged"
    DEADLINE_NEAR = "deadlineNear"
    LIMIT_NEAR = "limitNear"


TOLD = frozenset(
    {
        Activity.REQUEST_CREATED,
        Activity.REQUEST_APPROVED,
        Activity.REQUEST_REJECTED,
        Activity.REQUEST_CANCELED,
        Activity.APPROVAL_APPROVED,
        Activity.APPROVAL_REMOVED,
        Activity.SUPPORT_REQUEST_CLOSED,
        Activity.LIMIT_REACHED,
        Activity.DEADLINE_PASSED,
        Activity.MIRROR_UPDATED,
        Activity.MIRROR_MERGED,
    }
)
"""The activities that are told of, where their entry is about an access request; unknown ones if they changed it."""


class Event(Struct, frozen=True, kw_only=True):
    """One thing that happened, or is about to, as one tenant may know it.

    `id` is the same however often and by whom it is told. `time` is when it happened; of an announcement, the deadline
    or limit itself. `sequence` is the place in the audit log of what was written there. `record` is the request as it
    stands now; a merged mirror has none.
    """

    id: str
    what: What
    time: datetime
    tenant_id: str
    access_request_id: str
    support_request_id: str | None = None
    status_before: Status | None = None
    status_after: Status | None = None
    actor: Actor | None = None
    reason: str | None = None
    sequence: int | None = None
    record: AccessRequest | None = None


class EventPage(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """What happened from a place in the audit log on, and the place of what happens `next`.

    There is more to be had at once while `next` is below the log's `size`.
    """

    value: list[Event]
    next: int
    size: int


def event_of(entry: AuditEntry, record: AccessRequest | None) -> Event | None:
    """Return what an entry tells of a request, which now stands as the record; None for an entry of another kind."""
    if entry.access_request_id is None or not is_told(entry):
        return None
    what = _what(entry.status_before, entry.status_after)
    return Event(
        id=event_id(entry.tenant_id, entry.access_request_id, what, entry.time),
        what=what,
        time=entry.time,
        tenant_id=entry.tenant_id,
        access_request_id=entry.access_request_id,
        support_request_id=entry.support_request_id,
        status_before=entry.status_before,
        status_after=entry.status_after,
        actor=entry.actor,
        reason=entry.reason,
        sequence=entry.sequence,
        record=record,
    )


def ended_by_clock(record: AccessRequest, tenant_id: str, now: datetime) -> Event | None:
    """Return what the clock did to a request, as it is also told once it is written down."""
    record = expiry.as_of(record, now)
    if record.status not in BY_CLOCK or record.ended_at is None:
        return None
    what = What(record.status.value)
    return Event(
        id=event_id(tenant_id, record.id, what, record.ended_at),
        what=what,
        time=record.ended_at,
        tenant_id=tenant_id,
        access_request_id=record.id,
        support_request_id=record.support_request_id,
        status_before=BY_CLOCK[record.status],
        status_after=record.status,
        actor=expiry.SYSTEM,
        record=record,
    )


def announcement(record: AccessRequest, tenant_id: str, ahead: timedelta, now: datetime) -> Event | None:
    """Return that a deadline or a limit is nearer than `ahead`, unless it was so from the beginning or has passed."""
    match record.status:
        case Status.PENDING:
            moment, since, what = record.decide_by, listed_at(record), What.DEADLINE_NEAR
        case Status.APPROVED:
            moment, since, what = record.expires_at, record.starts_at or listed_at(record), What.LIMIT_NEAR
        case _:
            return None
    if moment is None or not moment - ahead <= now < moment or moment - since <= ahead:
        return None
    return Event(
        id=event_id(tenant_id, record.id, what, moment),
        what=what,
        time=moment,
        tenant_id=tenant_id,
        access_request_id=record.id,
        support_request_id=record.support_request_id,
        status_before=record.status,
        status_after=record.status,
        record=record,
    )


def event_id(tenant_id: str, request_id: str, what: What, time: datetime) -> str:
    """Return the name of an event: it follows from what happened, so that whoever tells it names it the same."""
    told = canonical_json([tenant_id, request_id, what.value, to_microseconds(time)])
    from hashlib import sha256

    return f"evt_{sha256(told).hexdigest()[:32]}"


def is_told(entry: AuditEntry) -> bool:
    """Whether events tell of the entry, where it is about an access request."""
    if entry.activity.is_known:
        return entry.activity in TOLD
    return entry.status_after is not None and entry.status_after != entry.status_before


def _what(before: Status | None, after: Status | None) -> What:
    if after is None:
        return What.MERGED
    if before == after:
        return What.UPDATED
    return What.CREATED if after is Status.PENDING else What(after.value)
