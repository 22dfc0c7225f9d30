"""Times as people write and read them."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cli.output.samples import NOW

from supportaccess.cli.output.times import age, duration, local_time, parse_duration, parse_time
from supportaccess.errors import InvalidInput

HARD = st.text(st.characters()) | st.text("0123456789smhdwTZ:+-. /ago", max_size=30)


@pytest.fixture
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put this machine's clock an hour ahead of UTC, two in summer."""
    if not hasattr(time, "tzset"):
        pytest.skip("the time zone cannot be set here")
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0s"),
        (0, "0s"),
        (59, "59s"),
        (60, "1m"),
        (5400, "1h30m"),
        (28800, "8h"),
        (86400 + 300, "1d"),
        (129600, "1d12h"),
        (90 * 86400, "90d"),
    ],
)
def test_durations(seconds: int, text: str) -> None:
    """A length of time is written in its two largest units."""
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("ahead", "text"),
    [
        (timedelta(days=-3, hours=-5), "3d ago"),
        (timedelta(hours=4, minutes=59), "in 4h"),
        (timedelta(seconds=-59), "59s ago"),
        (timedelta(milliseconds=400), "now"),
    ],
)
def test_ages(ahead: timedelta, text: str) -> None:
    """An age is the largest whole unit, behind or ahead."""
    assert age(NOW + ahead, NOW) == text


@pytest.mark.usefixtures("in_berlin")
def test_local_time_names_its_offset() -> None:
    """Times are on the reader's clock, and say by how much it differs."""
    assert local_time(datetime(2026, 3, 1, 9, 30, tzinfo=UTC)) == "2026-03-01 10:30 +01:00"
    assert local_time(datetime(2026, 7, 1, 9, 30, tzinfo=UTC)) == "2026-07-01 11:30 +02:00"


@pytest.mark.usefixtures("in_berlin")
@pytest.mark.parametrize("moment", [datetime.min, datetime.max])
def test_the_first_and_the_last_moment_have_a_local_time(moment: datetime) -> None:
    """A time at the edge of the calendar is shown, in UTC if need be."""
    assert local_time(moment.replace(tzinfo=UTC)).startswith(f"{moment:%Y}"[-2:] if moment.year > 9 else "0001")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("45s", 45), ("30m", 1800), ("8h", 28800), ("7d", 604800), ("4w", 2419200), ("1d12h", 129600), (" 8h ", 28800)],
)
def test_durations_are_read(text: str, seconds: int) -> None:
    """Numbers with units, alone or combined from the largest to the smallest."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("8 h", "8h"),
        ("8H", "8h"),
        ("8hours", "8h"),
        ("1 day", "1d"),
        ("2 weeks", "2w"),
        ("1 hour and 30 minutes", "1h30m"),
        ("1d, 12h", "1d12h"),
    ],
)
def test_a_duration_in_other_words_is_corrected(text: str, meant: str) -> None:
    """Who wrote it in another way is told the right one."""
    with pytest.raises(InvalidInput, match=rf"did you mean {meant}\?$") as refused:
        parse_duration(text)
    assert "1d12h" in str(refused.value.hint)


@pytest.mark.parametrize(
    "text", ["", " ", "8", "h", "-8h", "8h8h", "1h2d", "1.5h", "8x", "٣h", "9" * 5000 + "d", "in 8h"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    """Anything else is refused with the forms that are taken, and nothing is guessed."""
    with pytest.raises(InvalidInput) as refused:
        parse_duration(text)
    assert "did you mean" not in refused.value.message
    assert len(refused.value.message) < 100
    assert refused.value.hint


@pytest.mark.parametrize("text", ["99999999999d", "9999999999w", "999999999d1d"])
def test_durations_beyond_counting_are_refused(text: str) -> None:
    """A number too large is an error of the input."""
    with pytest.raises(InvalidInput):
        parse_time(text, NOW, future=True)
    if text != "999999999d1d":
        with pytest.raises(InvalidInput, match="longer than"):
            parse_duration(text)


@pytest.mark.usefixtures("in_berlin")
@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-01T09:30:00Z", datetime(2026, 3, 1, 9, 30, tzinfo=UTC)),
        ("2026-03-01T09:30:00+02:00", datetime(2026, 3, 1, 7, 30, tzinfo=UTC)),
        ("2026-03-01", datetime(2026, 2, 28, 23, tzinfo=UTC)),
        ("2026-07-01", datetime(2026, 6, 30, 22, tzinfo=UTC)),
        ("12h", NOW - timedelta(hours=12)),
        ("4w", NOW - timedelta(weeks=4)),
    ],
)
def test_times_are_read(text: str, moment: datetime) -> None:
    """A time, the local midnight of a date, or an age."""
    assert parse_time(text, NOW, future=False) == moment


def test_an_age_ahead() -> None:
    """Where a time to come is asked for, a length of time counts from now on."""
    assert parse_time("8h", NOW, future=True) == NOW + timedelta(hours=8)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-03-01T09:30", "2026-03-01T09:30:00Z"),
        ("2026-03-01 09:30:15", "2026-03-01T09:30:15Z"),
        ("2026/3/1", "2026-03-01"),
        ("3 days ago", "3d"),
        ("7D", "7d"),
    ],
)
def test_a_time_in_other_words_is_corrected(text: str, meant: str) -> None:
    """A missing offset, another way to write a date, or an age in words."""
    with pytest.raises(InvalidInput, match=rf"did you mean {meant}\?$"):
        parse_time(text, NOW, future=False)


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-02-30", "2026-13-01", "2026/13/45", "2026-03-01T25:00", "99999d"]
)
@pytest.mark.parametrize("future", [True, False])
def test_what_is_no_time_is_refused(text: str, future: bool) -> None:
    """A day that does not exist is refused like a word, with the forms that are taken."""
    now = datetime(9900 if future else 100, 1, 1, tzinfo=UTC)
    with pytest.raises(InvalidInput) as refused:
        parse_time(text, now, future=future)
    assert "2026-03-01" in str(refused.value.hint)


@given(HARD, st.booleans())
def test_any_text_is_a_time_in_utc_or_refused(text: str, future: bool) -> None:
    """Nothing that is typed makes it fail in another way."""
    try:
        moment = parse_time(text, NOW, future=future)
    except InvalidInput:
        return
    assert moment.tzinfo is UTC


@given(HARD)
def test_any_text_is_a_duration_or_refused(text: str) -> None:
    """Nothing that is typed makes it fail in another way, and what is read can be counted."""
    try:
        timedelta(seconds=parse_duration(text))
    except InvalidInput:
        return


@given(st.integers(0, 10**9))
def test_a_duration_reads_back(seconds: int) -> None:
    """What is shown in full can be typed."""
    assert parse_duration(duration(seconds, units=4)) == seconds
