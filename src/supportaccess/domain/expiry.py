"""How long access lasts, and what the clock alone does to a request.

A status is a function of the record and the present moment.
"""

from datetime import datetime, timedelta
from typing import Annotated

from msgspec.structs import replace

from supportaccess.domain.audit import Activity, Step
from supportaccess.domain.records import AccessRequest, Actor, ActorKind, Status, tenant_of, with_etag
from supportaccess.errors import InvalidInput
from supportaccess.structs import Struct, described

SYSTEM = Actor(kind=ActorKind.SYSTEM)

LONGEST_LIMIT = timedelta(days=3650)

Seconds = Annotated[int, described(minimum=1, maximum=int(LONGEST_LIMIT.total_seconds()))]


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


class Limit(Struct, frozen=True, kw_only=True):
    """How long an approval lasts: for so many seconds, or until a moment. Give one, or neither for what was asked."""

    seconds: int | None = None
    until: datetime | None = None


def end_of(record: AccessRequest, limit: Limit, now: datetime) -> datetime | None:
    """Return when access would end that is approved now. Raises InvalidInput, as for a limit longer than asked for."""
    if limit.seconds is not None and limit.until is not None:
        raise InvalidInput("give the limit as a duration or as a moment, not as both")
    if limit.until is not None:
        if limit.until <= now:
            raise InvalidInput("the time limit has already passed")
        if limit.until - now > LONGEST_LIMIT:
            raise InvalidInput(f"a time limit is at most {LONGEST_LIMIT.days:,} days away")
        end: datetime | None = limit.until
    elif limit.seconds is not None:
        check_seconds(limit.seconds)
        end = now + timedelta(seconds=limit.seconds)
    else:
        end = None
    if record.requested_seconds is None:
        return end
    most = now + timedelta(seconds=record.requested_seconds)
    if end is not None and end > most:
        raise InvalidInput(
            f"the limit is longer than what was asked for ({_readable(record.requested_seconds)})",
            hint="Leave the limit out to grant what was asked for, or give a shorter one.",
        )
    return end or most


def check_seconds(seconds: int) -> None:
    """Raise InvalidInput for a duration that nobody can be granted."""
    if seconds <= 0:
        raise InvalidInput("a duration must be longer than nothing")
    if seconds > LONGEST_LIMIT.total_seconds():
        raise InvalidInput(f"a duration is at most {LONGEST_LIMIT.days:,} days")


def _readable(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    return "".join(f"{count}{unit}" for count, unit in ((hours, "h"), (minutes, "m"), (rest, "s")) if count)
