from datetime import timedelta

import pytest
from tests.contract.acts import approved, cross_tenant, new_key, raised, revoke
from tests.contract.conftest import World
from tests.support.events import APPROVED, CREATED, event
from tests.support.people import FOREIGN, HOME, RESOURCE, asking

from supportaccess.domain.events import Event, What, ended_by_clock
from supportaccess.domain.permissions import Permission
from supportaccess.domain.records import Status
from supportaccess.errors import Forbidden, InvalidInput
from supportaccess.store.protocol import LARGEST_PAGE, RequestStore

HOUR = timedelta(hours=1)


def told(store: RequestStore, after: int = 0, top: int = LARGEST_PAGE) -> list[Event]:
    return store.events(after=after, top=top).value


def test_without_a_place_only_the_place_is_told(world: World) -> None:
    """Who begins to follow is told of nothing that was before."""
    store = world.store()
    raised(store)
    beginning = store.events(after=None, top=10)
    later = raised(store)

    assert (beginning.value, beginning.next) == ([], 1)
    assert [each.access_request_id for each in told(store, beginning.next)] == [later.id]
    assert store.events(after=2, top=10) == type(beginning)(value=[], next=2, size=2)


def test_a_life_is_told_as_it_was(world: World) -> None:
    """Each step is one event, with who, why, the statuses around it, and the record as it now stands."""
    store = world.store()
    record = raised(store)
    store.approve(record.id, etag=record.etag, key=new_key(), reason="go on")
    world.clock.advance(HOUR)
    revoke(store, record.id)
    now = store.get(record.id)

    events = told(store)

    assert [(each.what, each.status_before, each.status_after, each.reason) for each in events] == [
        (What.CREATED, None, Status.PENDING, "Sign-in fails for guests"),
        (What.APPROVED, Status.PENDING, Status.APPROVED, "go on"),
        (What.REVOKED, Status.APPROVED, Status.REVOKED, None),
    ]
    assert {each.record for each in events} == {now}
    assert [each.sequence for each in events] == [0, 1, 2]
    assert len({each.id for each in events}) == 3
    assert events[-1].actor == now.ended_by


def test_every_end_has_its_name(world: World) -> None:
    """Rejected, canceled, lapsed, completed and expired are told as what they are."""
    store = world.store()
    rejected = raised(store, asking("1"))
    store.reject(rejected.id, etag=rejected.etag, key=new_key(), reason="no")
    canceled = raised(store, asking("2"))
    store.withdraw(canceled.id, etag=canceled.etag, key=new_key())
    approved(store, asking("3"))
    store.close("3", key=new_key())
    raised(store, asking("4", decide_by=world.clock() + HOUR))
    approved(store, asking("5", requested_seconds=3600))
    world.clock.advance(2 * HOUR)
    world.sweep()

    ends = [each.what for each in told(store) if each.record and each.status_after == each.record.status]

    assert sorted(ends) == sorted([What.REJECTED, What.CANCELED, What.COMPLETED, What.LAPSED, What.EXPIRED])


def test_pages_lose_and_repeat_nothing(world: World) -> None:
    """Followed one event at a time, with a closed ticket between that is no event, all are told once."""
    store = world.store()
    for number in range(3):
        approved(store, asking(f"{number}"))
        store.close(f"{number}", key=new_key())
    whole = told(store)
    followed: list[Event] = []
    place, size = 0, 1
    while place < size:
        page = store.events(after=place, top=1)
        followed += page.value
        place, size = page.next, page.size

    assert followed == whole
    assert [each.what for each in whole] == [What.CREATED, What.APPROVED, What.COMPLETED] * 3
    assert store.events(after=place, top=1).value == []


def test_what_a_mirror_is_read_from_is_told(world: World) -> None:
    """A mirror is told with the status that it is read to have, and again when more is read."""
    store = world.store()
    store.import_events([event(CREATED)], key=new_key(), details={"file": "one"})
    store.import_events([event(CREATED), event(APPROVED, 1)], key=new_key(), details={"file": "two"})

    assert [each.what for each in told(store)] == [What.CREATED, What.APPROVED]


def test_the_clock_tells_the_same_as_the_log(world: World) -> None:
    """What a reader derives from the clock has the name, and all else, that the log's entry later has."""
    store = world.store()
    record = raised(store, asking(decide_by=world.clock() + HOUR))
    world.clock.advance(2 * HOUR)
    derived = ended_by_clock(record, HOME, world.clock())
    world.sweep()
    (written,) = [each for each in told(store) if each.what is What.LAPSED]

    assert derived is not None
    assert derived == type(written)(
        **{**{name: getattr(written, name) for name in written.__struct_fields__}, "sequence": None}
    )


def test_nothing_of_another_tenant_is_told(world: World) -> None:
    """The support request tenant is never told that the resource tenant revoked; a stranger is told nothing."""
    request_id = cross_tenant(world)
    before = told(world.store(HOME))
    place = world.store(HOME).events(after=None, top=1)
    revoke(world.store(RESOURCE), request_id)

    assert told(world.store(HOME)) == before
    assert world.store(HOME).events(after=None, top=1) == place
    assert [each.what for each in told(world.store(RESOURCE))] == [What.APPROVED, What.REVOKED]
    assert told(world.store(FOREIGN)) == []


def test_it_takes_the_right_to_read_requests(world: World) -> None:
    """Who may read the audit log alone is refused; who may read requests needs nothing more."""
    raised(world.store())

    assert told(world.store(permissions=[Permission.READ_REQUESTS]))
    with pytest.raises(Forbidden):
        world.store(permissions=[Permission.READ_AUDIT]).events(after=0, top=1)


def test_a_page_has_its_bounds(world: World) -> None:
    """No page is larger than the largest."""
    with pytest.raises(InvalidInput):
        world.store().events(after=0, top=LARGEST_PAGE + 1)
