"""How long an approval lasts."""

from datetime import datetime, timedelta

from supportaccess.domain.records import AccessRequest
from supportaccess.errors import InvalidInput
from supportaccess.structs import Struct

LONGEST_LIMIT = timedelta(days=3650)


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
