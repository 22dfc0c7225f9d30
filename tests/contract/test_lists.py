import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contract.acts import approved, brought_to, cross_tenant, new_key, raised, revoke
from tests.contract.conftest import World
from tests.support.events import APPROVAL, CREATED, PERSON, REMOVED, event
from tests.support.examples import costly
from tests.support.people import FOREIGN, HOME, RESOURCE, START, asking
from tests.support.worlds import every_record

from supportaccess.domain.attention import APPROVED_ACCESS_KEPT
from supportaccess.domain.expiry import Limit
from supportaccess.domain.records import OPEN, WAS_APPROVED, AccessRequest, Status
from supportaccess.errors import InvalidInput
from supportaccess.store.protocol import LARGEST_PAGE, Order, RequestQuery

HOUR = timedelta(hours=1)
MOMENT = timedelta(microseconds=1)
END_OF_TIME = datetime(9999, 12, 31, tzinfo=UTC)
ENGINEERS = ("Erin Engineer", "JÜRGEN Straße", "100%_sure\\", "O'Neil; DROP TABLE access_requests --")


@pytest.fixture
def crowd(world: World) -> World:
    """Return a store with some of everything: every status, on every side, swept or not, many at the same moment."""
    chance = random.Random(20260301)
    for number in range(70):
        _one(world, chance, number)
        if number % 5 == 0:
            world.clock.advance(timedelta(hours=chance.choice([1, 30, 200])))
        if number == 40:
            world.sweep()
    mirrors = [event(CREATED, n * 7, ticket=f"{n}", event_id=f"mirror-{n}") for n in range(4)]
    mirrors += [event(APPROVAL, 10**5, ticket="0", by=PERSON), event(REMOVED, 10**5 + 1, ticket="0", by=PERSON)]
    world.store().import_events(mirrors, key=new_key(), details={})
    raised(world.store(FOREIGN))
    assert {record.status for record in every_record(world.store(), RequestQuery())} == set(Status)
    return world


def _one(world: World, chance: random.Random, number: int) -> None:
    store = world.store(HOME, also=[RESOURCE])
    record = raised(
        store,
        asking(
            f"{number % 9}",
            engineer=chance.choice(ENGINEERS),
            reason=chance.choice(["Sign-in fails", "\uff33ign-in", "_"]),
            title=chance.choice([None, "Title", "100%"]),
            resource_tenant_id=chance.choice([None, RESOURCE]),
            requested_seconds=chance.choice([None, 3600, 10**6]),
            decide_by=chance.choice([None, world.clock() + 5 * HOUR, world.clock() + 500 * HOUR]),
        ),
    )
    match chance.randrange(6):
        case 0 | 1 | 2:
            store.approve(record.id, etag=record.etag, key=new_key())
            if chance.random() < 0.3 and record.resource_tenant_id == HOME:
                revoke(store, record.id)
        case 3:
            store.reject(record.id, etag=record.etag, key=new_key(), reason="no")
        case 4:
            store.withdraw(record.id, etag=record.etag, key=new_key())
        case _:
            pass
    if number % 30 == 7:
        approved(store, asking(f"closed-{number}"))
        store.close(f"closed-{number}", key=new_key())


def expected(records: list[AccessRequest], query: RequestQuery, now: datetime) -> list[AccessRequest]:
    """Return what the protocol's words promise for a query, worked out from all the records."""
    return sorted((r for r in records if _asked_for(r, query, now)), key=_place(query.order))


def _asked_for(record: AccessRequest, query: RequestQuery, now: datetime) -> bool:
    by_status = record.status in query.statuses or not (query.statuses or query.approved_access)
    if query.approved_access and record.status in WAS_APPROVED:
        by_status |= record.ended_at is None or record.ended_at >= now - APPROVED_ACCESS_KEPT
    engineer = [text for text in (record.engineer and (record.engineer.id, record.engineer.display_name)) or () if text]
    actors = [actor.display_name for actor in (record.decided_by, record.ended_by) if actor and actor.display_name]
    texts = [record.support_request_id, record.title, record.reason, record.decision_reason]
    if record.status not in {Status.LAPSED, Status.EXPIRED}:  # what the clock says is nobody's text
        texts.append(record.end_reason)
    return (
        by_status
        and query.support_request_id in {None, record.support_request_id}
        and query.resource_tenant_id in {None, record.resource_tenant_id}
        and _has(engineer, query.engineer)
        and _has([*engineer, *actors, *(text for text in texts if text)], query.search)
        and (query.since is None or _listed(record) >= query.since)
        and (query.until is None or _listed(record) < query.until)
    )


def _has(texts: list[str], wanted: str | None) -> bool:
    return wanted is None or wanted == "" or any(wanted.casefold() in text.casefold() for text in texts)


def _listed(record: AccessRequest) -> datetime:
    traces = (record.created_at, record.decided_at, record.starts_at, record.ended_at, record.updated_at)
    return record.created_at or min(moment for moment in traces if moment)


def _place(order: Order) -> Callable[[AccessRequest], tuple[object, ...]]:
    def by_attention(record: AccessRequest) -> tuple[object, ...]:
        if record.status in OPEN:
            until = record.decide_by if record.status is Status.PENDING else record.expires_at
            urgency, group = ((until or END_OF_TIME) - START).total_seconds(), int(record.status is Status.APPROVED)
        else:
            urgency, group = -((record.ended_at or record.updated_at) - START).total_seconds(), 2
        return group, urgency, _listed(record), record.id

    def by_time(record: AccessRequest) -> tuple[object, ...]:
        return _listed(record), record.id

    def newest_first(record: AccessRequest) -> tuple[object, ...]:
        return -(_listed(record) - START).total_seconds(), tuple(-ord(character) for character in record.id)

    return {Order.ATTENTION: by_attention, Order.OLDEST: by_time, Order.NEWEST: newest_first}[order]


queries = st.builds(
    RequestQuery,
    statuses=st.frozensets(st.sampled_from(Status), max_size=3),
    approved_access=st.booleans(),
    support_request_id=st.none() | st.sampled_from(["0", "3", "8", "nothing"]),
    resource_tenant_id=st.none() | st.sampled_from([HOME, RESOURCE, FOREIGN]),
    engineer=st.none() | st.sampled_from(["erin", "STRASSE", "%", "_", "\\", "o'neil;", "", "nobody"]),
    search=st.none() | st.sampled_from(["sign-IN", "%", "ada", "no", "closed", "\\", "title", "", "' OR 1=1 --"]),
    since=st.none() | st.integers(-5, 900).map(lambda hours: START + hours * HOUR),
    until=st.none() | st.integers(-5, 900).map(lambda hours: START + hours * HOUR),
    order=st.sampled_from(Order),
)


@costly(150)
@given(query=queries, top=st.sampled_from([1, 2, 3, 7, 100, LARGEST_PAGE]))
def test_pages_are_the_list(crowd: World, query: RequestQuery, top: int) -> None:
    """Whatever the filters, the order and the page size, the pages are the sorted list and the count is its length."""
    store = crowd.store()
    everything = every_record(store, RequestQuery(order=Order.OLDEST))
    wanted = expected(everything, query, crowd.clock())

    assert [record.id for record in every_record(store, query, top=top)] == [record.id for record in wanted]
    assert every_record(store, query, top=top) == wanted
    for at_most in (0, 1, 10, 10_000):
        assert store.count(query, at_most=at_most) == min(len(wanted), at_most)


def test_a_page_that_ends_the_list_names_no_next(crowd: World) -> None:
    """A page that holds exactly the rest has no next one."""
    store = crowd.store()
    everything = store.page(RequestQuery(), top=LARGEST_PAGE)

    assert everything.next is None
    assert store.page(RequestQuery(), top=len(everything.value)).next is None
    assert store.page(RequestQuery(), top=len(everything.value) - 1).next is not None


def test_what_changes_between_two_pages_is_not_skipped(world: World) -> None:
    """A request that is decided while a list is read moves on in it, and none is missed."""
    store = world.store()
    ids = {raised(store, asking(decide_by=START + (n + 1) * HOUR)).id for n in range(6)}
    page = store.page(RequestQuery(), top=2)
    seen = {record.id for record in page.value}
    world.clock.advance(4 * HOUR)
    while page.next:
        page = store.page(RequestQuery(), top=2, cursor=page.next)
        seen |= {record.id for record in page.value}

    assert seen == ids


class TestApprovedAccess:
    @pytest.mark.parametrize("status", sorted(WAS_APPROVED - OPEN))
    @pytest.mark.parametrize("sweeping", [False, True])
    def test_ended_access_is_kept_for_thirty_days_from_its_end(
        self, world: World, status: Status, sweeping: bool
    ) -> None:
        """Exactly 30 days after its end access is still in the view, a microsecond later it is not."""
        store, query = world.store(), RequestQuery(approved_access=True)
        record = brought_to(world, status)
        assert record.ended_at is not None
        for after, wanted in ((timedelta(days=30), [record]), (timedelta(days=30) + MOMENT, [])):
            world.clock.now = record.ended_at + after
            if sweeping:
                world.sweep()
            assert store.page(query, top=10).value == wanted
            assert store.count(query, at_most=10) == len(wanted)

        assert store.page(RequestQuery(statuses=frozenset({status}), approved_access=True), top=10).value == [record]

    @pytest.mark.parametrize("status", sorted(set(Status) - WAS_APPROVED))
    def test_what_was_never_approved_is_not_in_it(self, world: World, status: Status) -> None:
        """A request that was never approved is not in the view of approved access."""
        brought_to(world, status)

        assert world.store().page(RequestQuery(approved_access=True), top=10).value == []

    def test_open_access_is_in_it_however_old(self, world: World) -> None:
        """Access that is open stays in the view for as long as it is open."""
        record = approved(world.store(), asking(requested_seconds=None))
        world.clock.advance(timedelta(days=1000))

        assert world.store().page(RequestQuery(approved_access=True), top=10).value == [record]


class TestCursors:
    @pytest.mark.parametrize("cursor", ["", "x", "00", "zz" * 20, "\ud800", "é", "1" * 500, b"[[[[[[".hex()])
    @pytest.mark.parametrize("order", Order)
    def test_nonsense_is_refused(self, crowd: World, cursor: str, order: Order) -> None:
        """A cursor that this store did not give is InvalidInput."""
        with pytest.raises(InvalidInput):
            crowd.store().page(RequestQuery(order=order), top=5, cursor=cursor)

    def test_one_of_another_order_is_refused(self, crowd: World) -> None:
        """A cursor of a list in another order is InvalidInput."""
        cursor = crowd.store().page(RequestQuery(order=Order.OLDEST), top=5).next
        with pytest.raises(InvalidInput):
            crowd.store().page(RequestQuery(order=Order.NEWEST), top=5, cursor=cursor)

    @costly(100)
    @given(st.lists(st.integers(0, 400), min_size=1, max_size=3), st.integers(1, 255))
    def test_one_that_was_meddled_with_is_a_place_or_refused(self, crowd: World, at: list[int], by: int) -> None:
        """A cursor with some bytes changed leads to some page of the same tenant, or is InvalidInput."""
        store = crowd.store()
        cursor = store.page(RequestQuery(), top=5).next
        assert cursor is not None
        data = bytearray(cursor.encode())
        for place in at:
            data[place % len(data)] ^= by
        try:
            page = store.page(RequestQuery(), top=5, cursor=data.decode("latin-1"))
        except InvalidInput:
            return
        assert {record.side for record in page.value} <= {"both", "supportRequest"}

    @pytest.mark.parametrize("top", [0, -1, LARGEST_PAGE + 1, 10**30])
    def test_a_page_of_no_size_is_refused(self, world: World, top: int) -> None:
        """A page has at least one row and at most the largest number."""
        with pytest.raises(InvalidInput):
            world.store().page(RequestQuery(), top=top)
        with pytest.raises(InvalidInput):
            world.store().find("1234", top=top)


class TestFind:
    def test_by_the_beginning_of_an_id(self, crowd: World) -> None:
        """Any beginning of at least four characters, in any case, finds the requests that begin so, and no others."""
        store = crowd.store()
        everything = every_record(store, RequestQuery())
        for record in everything:
            for length in (4, 8, 9, 35, 36):
                text = record.id[:length]
                assert [r.id for r in store.find(text.upper(), top=100)] == sorted(
                    r.id for r in everything if r.id.startswith(text)
                )

    def test_not_by_less(self, world: World) -> None:
        """Three characters are not enough for an ID, and nothing matches everything."""
        record = raised(world.store())

        assert world.store().find(record.id[:3], top=10) == []
        for text in ("", "%", "____", "*", record.id + "0", record.id[:8] + "%", record.id[:8] + "'"):
            assert world.store().find(text, top=10) == []

    def test_by_support_request_the_open_one_first(self, world: World) -> None:
        """Of a support request the open ones come first, then the latest."""
        store = world.store()
        oldest = approved(store)
        ended = []
        for _ in range(3):
            world.clock.advance(HOUR)
            record = raised(store)
            ended.append(store.reject(record.id, etag=record.etag, key=new_key(), reason="no"))
        world.clock.advance(HOUR)
        lapsed = raised(store, asking(decide_by=world.clock() + MOMENT))
        world.clock.advance(HOUR)

        found = store.find("2603010050001234", top=10)

        assert [r.id for r in found] == [oldest.id, *(r.id for r in [lapsed, *reversed(ended)])]
        assert found[1].status is Status.LAPSED
        assert store.find("2603010050001234", top=2) == found[:2]

    def test_a_request_is_found_once(self, world: World) -> None:
        """A request whose ID begins with its own support request's ID is found once."""
        store = world.store()
        tickets = [f"{number:04x}" for number in range(0, 65536, 400)]
        for ticket in tickets:
            raised(store, asking(ticket))
        records = every_record(store, RequestQuery())
        ticket = records[0].id[:4]
        raised(store, asking(ticket))

        found = store.find(ticket, top=100)

        assert len({record.id for record in found}) == len(found) >= 2

    def test_a_record_of_the_other_side_is_not_found(self, world: World) -> None:
        """The same ID is in both tenants; each finds its own record."""
        request_id = cross_tenant(world)

        assert [r.side for r in world.store(HOME).find(request_id, top=10)] == ["supportRequest"]
        assert [r.side for r in world.store(RESOURCE).find(request_id, top=10)] == ["resource"]
        assert world.store(FOREIGN).find(request_id, top=10) == []


def test_a_limit_at_the_end_of_time_is_listed(world: World) -> None:
    """The furthest deadline there is can be stored, read and listed."""
    record = raised(world.store(), asking(decide_by=datetime.max.replace(tzinfo=UTC)))

    assert world.store().page(RequestQuery(), top=10).value == [record]
    assert approved(world.store(), limit=Limit(seconds=1)).status is Status.APPROVED
