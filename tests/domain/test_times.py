from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportaccess.domain.times import (
    format_rfc3339,
    from_microseconds,
    parse_rfc3339,
    system_clock,
    to_microseconds,
)
from supportaccess.errors import InvalidInput

moments = st.datetimes(timezones=st.just(UTC))


@given(moments)
def test_what_is_written_is_read_back(moment: datetime) -> None:
    """Every UTC moment survives being written as RFC 3339 and read again, to the microsecond."""
    assert moment == parse_rfc3339(format_rfc3339(moment))


@given(moments)
def test_microseconds_are_exact(moment: datetime) -> None:
    """Every UTC moment survives being stored as microseconds."""
    assert moment == from_microseconds(to_microseconds(moment))


@given(st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29)), st.integers(-1439, 1439))
def test_an_offset_is_taken_into_utc(local: datetime, minutes: int) -> None:
    """A time with an offset is the same moment in UTC."""
    moment = local.replace(tzinfo=timezone(timedelta(minutes=minutes)))

    assert moment == parse_rfc3339(moment.isoformat())
    assert parse_rfc3339(moment.isoformat()).tzinfo is UTC


@given(st.text() | st.from_regex(r"\A\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,12})?([Zz]|[+-]\d\d:\d\d)\Z"))
def test_nothing_but_invalid_input_is_ever_raised(text: str) -> None:
    """Any text, and anything of RFC 3339's shape, is a UTC time or InvalidInput."""
    try:
        moment = parse_rfc3339(text)
    except InvalidInput:
        return
    assert moment.tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01T09:30:00Z", datetime(2026, 3, 1, 9, 30, tzinfo=UTC)),
        ("2026-03-01t09:30:00z", datetime(2026, 3, 1, 9, 30, tzinfo=UTC)),
        ("2026-03-01 09:30:00+02:00", datetime(2026, 3, 1, 7, 30, tzinfo=UTC)),
        ("2026-03-01T09:30:00.1Z", datetime(2026, 3, 1, 9, 30, 0, 100_000, tzinfo=UTC)),
        ("2026-03-01T09:30:00.1234567Z", datetime(2026, 3, 1, 9, 30, 0, 123_456, tzinfo=UTC)),
        ("2026-03-01T09:30:00.9999999Z", datetime(2026, 3, 1, 9, 30, 0, 999_999, tzinfo=UTC)),
    ],
)
def test_forms_that_are_read(text: str, expected: datetime) -> None:
    """Lower case, a blank for the T, an offset and Entra's seven digits are all read."""
    assert expected == parse_rfc3339(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-03-01",
        "2026-03-01T09:30:00",
        "2026-03-01T09:30Z",
        "2026-02-30T09:30:00Z",
        "2026-03-01T24:30:00Z",
        "2026-03-01T09:30:60Z",
        "2026-03-01T09:30:00+24:00",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "٢٠٢٦-03-01T09:30:00Z",
        "2026-03-01T09:30:00Z\n",
        "2026-03-01T09:30:00,5Z",
        "\ud800",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    """A time without an offset, one that does not exist, or other digits than ASCII's are refused."""
    with pytest.raises(InvalidInput):
        parse_rfc3339(text)


def test_a_moment_without_a_fraction_is_written_without_one() -> None:
    """Whole seconds have no fraction, others all six digits, and another zone's time is written in UTC."""
    whole = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)

    assert format_rfc3339(whole) == "2026-03-01T09:30:00Z"
    assert format_rfc3339(whole + timedelta(microseconds=50)) == "2026-03-01T09:30:00.000050Z"
    assert format_rfc3339(whole.astimezone(timezone(timedelta(hours=5)))) == "2026-03-01T09:30:00Z"


def test_the_system_clock_is_in_utc() -> None:
    """The machine's clock answers in UTC."""
    assert system_clock().tzinfo is UTC
