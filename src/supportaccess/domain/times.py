"""Times: UTC with microseconds inside, RFC 3339 outside."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from supportaccess.errors import InvalidInput

Clock = Callable[[], datetime]
"""Answers the present moment, in UTC."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_RFC3339 = r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:\.(\d{1,12}))?([Zz]|[+-]\d{2}:\d{2})"


def system_clock() -> datetime:
    """Return the present moment of this machine, in UTC."""
    return datetime.now(UTC)


def to_microseconds(moment: datetime) -> int:
    """Return the microseconds since 1970-01-01T00:00:00Z."""
    return (moment - EPOCH) // _MICROSECOND


@lru_cache(8192)
def from_microseconds(microseconds: int) -> datetime:
    """Return the moment, in UTC, so many microseconds after 1970-01-01T00:00:00Z.

    Remembered: the times of a record are often equal, and they are half of what it costs to read one.
    """
    # A timedelta of microseconds alone takes twice as long.
    seconds, rest = divmod(microseconds, 1_000_000)
    return EPOCH + timedelta(0, seconds, rest)


def parse_rfc3339(text: str) -> datetime:
    """Read an RFC 3339 time with its offset into UTC; digits past the microsecond are cut off.

    Raises InvalidInput for anything else: a time without an offset says nothing about when it was.
    """
    match = re.fullmatch(_RFC3339, text, re.ASCII)
    if match is None:
        raise InvalidInput(f"{text!r} is not an RFC 3339 time such as 2026-03-01T09:30:00Z")
    date, clock, fraction, offset = match.groups()
    try:
        moment = datetime.fromisoformat(f"{date}T{clock}.{(fraction or '0')[:6]:0<6}{offset.upper()}")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"{text!r} is not a time that exists: {error}") from None


def format_rfc3339(moment: datetime) -> str:
    """Write a UTC moment as RFC 3339 with `Z`, and with microseconds where it has any."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
