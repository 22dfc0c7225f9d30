"""Times as people write and read them: `8h`, `3d ago`, `2026-03-01`, local time with its offset."""

import re
from datetime import UTC, datetime, timedelta

from supportaccess.domain.times import format_rfc3339, parse_rfc3339
from supportaccess.errors import InvalidInput

_SECONDS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
_SHOWN = ("d", "h", "m", "s")
_LONGEST = 40
_DURATION = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_DURATION_FORMS = "Give a number with its unit (s, m, h, d or w): 30m, 12h, 7d, 1d12h."
_TIME_FORMS = "Give an RFC 3339 time (2026-03-01T09:30:00Z), a date (2026-03-01) or an age (30m, 12h, 7d, 4w)."

_WORDS = re.compile(r"(\d+)\s*([a-z]+)[\s,]*(?:and\s+)?", re.ASCII)
_WORD_OF_UNIT = {
    "w": ("w", "wk", "wks", "week", "weeks"),
    "d": ("d", "day", "days"),
    "h": ("h", "hr", "hrs", "hour", "hours"),
    "m": ("m", "min", "mins", "minute", "minutes"),
    "s": ("s", "sec", "secs", "second", "seconds"),
}
_UNIT_OF_WORD = {word: unit for unit, words in _WORD_OF_UNIT.items() for word in words}
_LOOSE_DATE = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})", re.ASCII)
_WITHOUT_OFFSET = re.compile(r"(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2})(:\d{2})?", re.ASCII)


def duration(seconds: int, *, units: int = 2) -> str:
    """Return a length of time in its largest units, rounded down: `45s`, `1h30m`, `3d`."""
    seconds = max(seconds, 0)
    first = next((at for at, unit in enumerate(_SHOWN) if seconds >= _SECONDS[unit]), len(_SHOWN) - 1)
    parts: list[str] = []
    for unit in _SHOWN[first : first + units]:
        count, seconds = divmod(seconds, _SECONDS[unit])
        parts.append(f"{count}{unit}" if count or not parts else "")
    return "".join(parts)


def age(moment: datetime, now: datetime, *, units: int = 1) -> str:
    """Return how long ago the moment was, or how far ahead it is: `3d ago`, `in 4h`, `now`."""
    seconds = int((now - moment).total_seconds())
    if seconds == 0:
        return "now"
    length = duration(abs(seconds), units=units)
    return f"{length} ago" if seconds > 0 else f"in {length}"


def local_time(moment: datetime) -> str:
    """Return the moment on this machine's clock with its offset: `2026-03-01 10:30 +01:00`."""
    try:
        local = moment.astimezone()
    except (OverflowError, ValueError, OSError):
        local = moment
    text = local.isoformat(sep=" ", timespec="minutes")
    return f"{text[:16]} {text[16:]}"


def parse_duration(text: str) -> int:
    """Read `8h`, `30m` or `1d12h` into seconds. Raises InvalidInput for anything else."""
    seconds = _seconds(text.strip())
    if seconds is None:
        raise InvalidInput(_refusal(text, "a length of time", _meant_duration(text)), hint=_DURATION_FORMS)
    _as_timedelta(text, seconds)
    return seconds


def parse_time(text: str, now: datetime, *, future: bool) -> datetime:
    """Read an RFC 3339 time, a date (its local midnight), or a length of time before now, after it where `future`.

    Raises InvalidInput for anything else.
    """
    text = text.strip()
    seconds = _seconds(text)
    try:
        if seconds is not None:
            length = _as_timedelta(text, seconds)
            return (now + length if future else now - length).astimezone(UTC)
        if _DATE.fullmatch(text):
            return datetime.fromisoformat(text).astimezone(UTC)
    except (OverflowError, ValueError, OSError):
        raise InvalidInput(f"{text!r} is not a time that exists", hint=_TIME_FORMS) from None
    meant = _meant_time(text)
    if meant is not None:
        raise InvalidInput(_refusal(text, "a time", meant), hint=_TIME_FORMS)
    try:
        return parse_rfc3339(text)
    except InvalidInput as error:
        raise InvalidInput(error.message, hint=_TIME_FORMS) from None


def _seconds(text: str) -> int | None:
    match = _DURATION.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None or not text:
        return None
    return sum(int(count or 0) * length for count, length in zip(match.groups(), _SECONDS.values(), strict=True))


def _as_timedelta(text: str, seconds: int) -> timedelta:
    try:
        return timedelta(seconds=seconds)
    except OverflowError:
        raise InvalidInput(f"{text!r} is longer than any length of time that can be counted") from None


def _refusal(text: str, what: str, meant: str | None) -> str:
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    return f"{shown!r} is not {what}" + (f"; did you mean {meant}?" if meant else "")


def _meant_duration(text: str) -> str | None:
    """Return the length of time that somebody who wrote `8 h`, `8H` or `8 hours` will have meant."""
    rest = text.strip().lower()[:_LONGEST]
    parts = _WORDS.findall(rest)
    if not parts or _WORDS.sub("", rest) or not all(word in _UNIT_OF_WORD for _, word in parts):
        return None
    meant = "".join(f"{count}{_UNIT_OF_WORD[word]}" for count, word in parts)
    return meant if _seconds(meant) is not None else None


def _meant_time(text: str) -> str | None:
    """Return the time that somebody who left out its offset, or wrote a date loosely, will have meant."""
    if match := _WITHOUT_OFFSET.fullmatch(text):
        day, minutes, seconds = match.groups()
        meant = f"{day}T{minutes}{seconds or ':00'}Z"
    elif match := _LOOSE_DATE.fullmatch(text):
        year, month, day = match.groups()
        meant = f"{year}-{month:0>2}-{day:0>2}"
    else:
        return _meant_duration(text.removesuffix("ago"))
    try:
        return meant if format_rfc3339(datetime.fromisoformat(meant)) else None
    except (ValueError, OverflowError):
        return None
