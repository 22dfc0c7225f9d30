"""What the clock alone does to a request: a status is a function of the record and the present moment."""

from datetime import datetime

from msgspec.structs import replace

from supportaccess.domain.audit import Activity, Step
from supportaccess.domain.records import AccessRequest, Actor, ActorKind, Status, tenant_of, with_etag

SYSTEM = Actor(kind=ActorKind.SYSTEM)


def due(record: AccessRequest, now: datetime) -> datetime | None:
    """Return the moment at which the clock alone ended the request, or None while it has not."""
    match record.status:
        case Status.PENDING:
            moment = record.decide_by
        case Status.APPROVED:
            moment = record.expires_at
        case _:
            return None
    return moment if moment is not None and moment <= now else None


def as_of(record: AccessRequest, now: datetime) -> AccessRequest:
    """Return the record as the clock has it: never pending past its deadline, never approved past its limit."""
    moment = due(record, now)
    if moment is None:
        return record
    lapsed = record.status is Status.PENDING
    return with_etag(
        replace(
            record,
            status=Status.LAPSED if lapsed else Status.EXPIRED,
            ended_at=moment,
            ended_by=SYSTEM,
            end_reason="not decided by the deadline" if lapsed else "time limit reached",
            updated_at=moment,
        )
    )


def fall_due(record: AccessRequest, now: datetime) -> Step | None:
    """Return the step that writes down what the clock did, dated with the limit itself."""
    moment = due(record, now)
    if moment is None:
        return None
    activity = Activity.DEADLINE_PASSED if record.status is Status.PENDING else Activity.LIMIT_REACHED
    return Step(
        tenant_id=tenant_of(record),
        activity=activity,
        actor=SYSTEM,
        at=moment,
        before=record,
        after=as_of(record, now),
    )
