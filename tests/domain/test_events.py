from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.support.people import HOME, START, asking, caller

from supportaccess.domain.events import Event, What, announcement, ended_by_clock, event_id
from supportaccess.domain.lifecycle import raise_request
from supportaccess.domain.records import AccessRequest, Status

HOUR = timedelta(hours=1)
SPANS = st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=40))


def pending(deadline: datetime | None) -> AccessRequest:
    record = raise_request(asking(decide_by=deadline), caller(), "a" * 36, START).after
    assert record is not None
    return record


@given(SPANS.filter(bool), SPANS, SPANS)
def test_a_deadline_is_announced_within_its_time_alone(left: timedelta, ahead: timedelta, passed: timedelta) -> None:
    """Not before it is near, not once it has passed, and not when it was near from the beginning."""
    record, now = pending(START + left), START + passed
    told = announcement(record, HOME, ahead, now)

    assert (told is not None) == (left > ahead and left - ahead <= passed < left)
    assert told is None or (told.what, told.time) == (What.DEADLINE_NEAR, START + left)


@given(SPANS.filter(bool), SPANS, SPANS)
def test_an_announcement_has_one_name(left: timedelta, one: timedelta, other: timedelta) -> None:
    """Whenever it is told, a deadline is announced under the same name; another deadline under another."""
    first, second = (announcement(pending(START + left), HOME, timedelta(days=1), START + at) for at in (one, other))
    assert first is None or second is None or first.id == second.id
    moved = event_id(HOME, "a" * 36, What.DEADLINE_NEAR, START + left + timedelta(microseconds=1))
    assert first is None or first.id != moved


def test_a_limit_is_announced_and_then_reached() -> None:
    """Open access is announced to end by its limit, and not as a deadline."""
    record = replace(pending(None), status=Status.APPROVED, starts_at=START, expires_at=START + 8 * HOUR)
    near = announcement(record, HOME, HOUR, START + 7 * HOUR)
    over = ended_by_clock(record, HOME, START + 8 * HOUR)

    assert isinstance(near, Event)
    assert (near.what, near.time) == (What.LIMIT_NEAR, START + 8 * HOUR)
    assert isinstance(over, Event)
    assert (over.what, over.time) == (What.EXPIRED, START + 8 * HOUR)
    assert ended_by_clock(record, HOME, START + 7 * HOUR) is None


def test_what_has_no_end_is_not_announced() -> None:
    """Without a deadline, and once it is final, a request has nothing that comes near."""
    late = START + timedelta(days=4000)
    assert announcement(pending(None), HOME, HOUR, late) is None
    assert announcement(replace(pending(START + 2 * HOUR), status=Status.REJECTED), HOME, HOUR, START + HOUR) is None
