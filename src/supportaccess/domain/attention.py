"""What needs attention first: the order of lists."""

from datetime import datetime, timedelta

from supportaccess.domain.records import AccessRequest, Status
from supportaccess.domain.times import to_microseconds

NEVER = 253_402_300_800_000_000
"""The year 10000, in microseconds: later than any deadline."""

APPROVED_ACCESS_KEPT = timedelta(days=30)
"""How long ended access stays in the approved-access view, counted from its end."""


def listed_at(record: AccessRequest) -> datetime:
    """Return when the request was made; of a mirror whose creation was not read, the first trace of it."""
    if record.created_at is not None:
        return record.created_at
    traces = (record.decided_at, record.starts_at, record.ended_at, record.updated_at)
    return min(moment for moment in traces if moment is not None)


def urgency(record: AccessRequest) -> int:
    """Return the deadline or the time limit in microseconds, NEVER without one; of a final record, minus its end."""
    if not record.status.is_known:
        return NEVER
    match record.status:
        case Status.PENDING:
            moment = record.decide_by
        case Status.APPROVED:
            moment = record.expires_at
        case _:
            return -to_microseconds(record.ended_at or record.updated_at)
    return NEVER if moment is None else to_microseconds(moment)


def attention_key(record: AccessRequest) -> tuple[int, int, datetime, str]:
    """Return the sort key: pending by deadline, open access by time limit, then what ended, the latest first."""
    group = {Status.PENDING: 0, Status.APPROVED: 1}.get(record.status.counts_as, 2)
    return group, urgency(record), listed_at(record), record.id
