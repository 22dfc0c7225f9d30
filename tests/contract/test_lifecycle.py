from collections.abc import Callable
from datetime import timedelta

import pytest
from tests.contract.acts import approved, brought_to, cross_tenant, new_key, raised, revoke
from tests.contract.conftest import World
from tests.support.events import CREATED, event
from tests.support.people import EVERYTHING, FOREIGN, HOME, RESOURCE, START, UNKNOWN_ID, asking

from supportaccess.domain.expiry import Limit
from supportaccess.domain.permissions import Permission
from supportaccess.domain.records import AccessRequest, ActorKind, Side, Status
from supportaccess.errors import (
    Conflict,
    DecidedElsewhere,
    Forbidden,
    InvalidInput,
    NotFound,
    Stale,
    SupportAccessError,
)
from supportaccess.store.protocol import Order, RequestQuery, RequestStore

HOUR = timedelta(hours=1)
MOMENT = timedelta(microseconds=1)

Act = Callable[[RequestStore, str, str], AccessRequest]
ACTS: dict[str, Act] = {
    "approve": lambda store, request_id, etag: store.approve(request_id, etag=etag, key=new_key()),
    "reject": lambda store, request_id, etag: store.reject(request_id, etag=etag, key=new_key(), reason="no"),
    "revoke": lambda store, request_id, etag: store.revoke(request_id, etag=etag, key=new_key()),
    "withdraw": lambda store, request_id, etag: store.withdraw(request_id, etag=etag, key=new_key()),
}
FROM = {"approve": Status.PENDING, "reject": Status.PENDING, "revoke": Status.APPROVED, "withdraw": Status.PENDING}


def test_a_store_knows_its_tenant(world: World) -> None:
    """A store says whose view it is."""
    assert world.store(HOME).tenant_id == HOME


@pytest.mark.parametrize("status", Status)
def test_what_is_written_is_read_back(world: World, status: Status) -> None:
    """A request of any status is the same, entity tag included, from an act, by its ID, in a list and in a search."""
    store = world.store()
    record = brought_to(world, status)

    assert record.status is status
    assert store.get(record.id) == record
    assert store.page(RequestQuery(), top=10).value == [record]
    assert store.find(record.id, top=10) == [record]
    world.sweep()
    assert store.get(record.id) == record


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("name", ACTS)
def test_an_act_from_another_status_is_a_conflict_that_names_it(world: World, name: str, status: Status) -> None:
    """Each act starts from one status; from any other it is a conflict that says how the request stands."""
    record = brought_to(world, status)
    if status is FROM[name]:
        assert ACTS[name](world.store(), record.id, record.etag).status is not status
        return
    with pytest.raises(Conflict) as refused:
        ACTS[name](world.store(), record.id, record.etag)

    assert type(refused.value) is Conflict
    assert refused.value.current_status == status
    assert world.store().get(record.id) == record


@pytest.mark.parametrize("name", ACTS)
def test_what_was_not_seen_is_not_decided(world: World, name: str) -> None:
    """With the entity tag of another version the act is stale, changes nothing, and works with the right one."""
    record = brought_to(world, FROM[name])
    store = world.store()
    for etag in ('"other"', "", "*"):
        with pytest.raises(Stale) as refused:
            ACTS[name](store, record.id, etag)
        assert refused.value.current_status == record.status

    assert store.get(record.id) == record
    ACTS[name](store, record.id, record.etag)


def test_an_older_version_is_stale(world: World) -> None:
    """Revoking what was seen while it was pending is refused: it was approved since, on other terms."""
    store = world.store()
    record = raised(store)
    store.approve(record.id, etag=record.etag, key=new_key(), limit=Limit(seconds=60))
    with pytest.raises(Stale):
        store.revoke(record.id, etag=record.etag, key=new_key())


@pytest.mark.parametrize("name", ACTS)
def test_a_mirror_is_decided_elsewhere(world: World, name: str) -> None:
    """What was read from a provider's record cannot be decided here."""
    store = world.store()
    store.import_events([event(CREATED)], key=new_key(), details={})
    (mirror,) = store.page(RequestQuery(), top=10).value
    with pytest.raises(DecidedElsewhere):
        ACTS[name](store, mirror.id, mirror.etag)


def test_an_approval_carries_what_was_granted(world: World) -> None:
    """An approval has its reason and its limit, and who gave it."""
    store = world.store()
    record = raised(store)
    world.clock.advance(HOUR)
    granted = store.approve(
        record.id, etag=record.etag, key=new_key(), limit=Limit(until=START + 2 * HOUR), reason="  go on "
    )

    assert (granted.decision_reason, granted.starts_at, granted.expires_at) == ("go on", START + HOUR, START + 2 * HOUR)
    assert granted.decided_by is not None
    assert granted.decided_by.kind is ActorKind.USER


@pytest.mark.parametrize("limit", [Limit(seconds=0), Limit(seconds=8 * 3600 + 1), Limit(until=START)])
def test_a_limit_that_cannot_be_set_changes_nothing(world: World, limit: Limit) -> None:
    """A limit longer than asked for, of nothing or in the past is InvalidInput, and the request stays pending."""
    store = world.store()
    record = raised(store)
    with pytest.raises(InvalidInput):
        store.approve(record.id, etag=record.etag, key=new_key(), limit=limit)

    assert store.get(record.id) == record


class TestClock:
    def test_a_deadline_passes_for_every_read(self, world: World) -> None:
        """A moment before its deadline a request is pending everywhere, at the deadline it has lapsed everywhere."""
        self._turns(world, raised(world.store(), asking(decide_by=START + HOUR)), Status.LAPSED, START + HOUR)

    def test_a_limit_is_reached_for_every_read(self, world: World) -> None:
        """A moment before its limit access is open everywhere, at the limit it has expired everywhere."""
        self._turns(world, approved(world.store(), limit=Limit(seconds=3600)), Status.EXPIRED, START + HOUR)

    def _turns(self, world: World, record: AccessRequest, ended: Status, moment: object) -> None:
        store = world.store()
        for after, status in ((HOUR - MOMENT, record.status), (MOMENT, ended), (HOUR, ended)):
            world.clock.advance(after)
            (other,) = {record.status, ended} - {status}
            for sweeping in (False, True):
                if sweeping:
                    world.sweep()
                for order in Order:
                    assert [r.status for r in store.page(RequestQuery(order=order), top=9).value] == [status]
                assert store.get(record.id).status is status
                assert [r.status for r in store.find(record.id[:8], top=9)] == [status]
                assert store.count(RequestQuery(statuses=frozenset({status})), at_most=9) == 1
                assert store.count(RequestQuery(statuses=frozenset({other})), at_most=9) == 0
                assert store.page(RequestQuery(statuses=frozenset({other})), top=9).value == []
        assert store.get(record.id).ended_at == moment

    def test_sweeping_twice_writes_once(self, world: World) -> None:
        """A sweep writes one entry for what the clock ended, dated with the limit, and the next one nothing."""
        record = raised(world.store(), asking(decide_by=START + HOUR))
        world.clock.advance(5 * HOUR)

        assert [world.sweep(), world.sweep()] == [1, 0]
        entries = world.store().history(record.id)
        assert [entry.activity for entry in entries] == ["Request created", "Deadline passed"]
        assert (entries[1].time, entries[1].actor.kind) == (START + HOUR, ActorKind.SYSTEM)


class TestSupportRequest:
    def test_closing_ends_what_is_open(self, world: World) -> None:
        """Closing cancels what is pending, completes what is approved, and returns exactly those."""
        store = world.store()
        pending, open_access, ended = raised(store), approved(store), approved(store)
        revoke(store, ended.id)
        another = raised(store, asking("4711"))

        closed = store.close("2603010050001234", key=new_key())

        assert {record.id: record.status for record in closed} == {
            pending.id: Status.CANCELED,
            open_access.id: Status.COMPLETED,
        }
        assert store.get(ended.id).status is Status.REVOKED
        assert store.get(another.id) == another

    def test_what_the_clock_ended_is_not_completed(self, world: World) -> None:
        """Access that had reached its limit stays expired when its support request is closed before a sweep."""
        store = world.store()
        record = approved(store, limit=Limit(seconds=60))
        world.clock.advance(HOUR)

        assert store.close("2603010050001234", key=new_key()) == []
        assert store.get(record.id).status is Status.EXPIRED

    def test_a_closed_one_takes_no_requests(self, world: World) -> None:
        """Once closed, a support request can neither be closed again nor have a request raised for it."""
        store = world.store()
        raised(store)
        store.close("2603010050001234", key=new_key())
        for act in (lambda: store.close("2603010050001234", key=new_key()), lambda: raised(store)):
            with pytest.raises(Conflict) as refused:
                act()
            assert refused.value.current_status == "closed"

    def test_one_that_is_not_there(self, world: World) -> None:
        """Closing a support request that nobody raised a request for is NotFound."""
        with pytest.raises(NotFound):
            world.store().close("4711", key=new_key())

    def test_a_number_belongs_to_a_tenant(self, world: World) -> None:
        """Another tenant's support request of the same number is another one."""
        ours, theirs = raised(world.store(HOME)), raised(world.store(FOREIGN))
        world.store(FOREIGN).close("2603010050001234", key=new_key())

        assert world.store(HOME).get(ours.id) == ours
        assert world.store(FOREIGN).get(theirs.id).status is Status.CANCELED
        raised(world.store(HOME))

    def test_the_resource_tenant_closes_only_its_own(self, world: World) -> None:
        """A resource tenant with a support request of the same number closes that one, and not the other tenant's."""
        request_id = cross_tenant(world, "77")
        raised(world.store(RESOURCE), asking("77"))
        ended = world.store(RESOURCE).close("77", key=new_key())

        assert len(ended) == 1
        assert world.store(RESOURCE).get(request_id).status is Status.APPROVED


class TestTwoTenants:
    def test_the_resource_tenant_sees_it_from_the_approval(self, world: World) -> None:
        """A pending cross-tenant request does not exist for the resource tenant; approved, it does, on its own side."""
        store = world.store(HOME, also=[RESOURCE])
        record = raised(store, asking(resource_tenant_id=RESOURCE))
        with pytest.raises(NotFound):
            world.store(RESOURCE).get(record.id)

        store.approve(record.id, etag=record.etag, key=new_key())

        assert world.store(RESOURCE).get(record.id).side is Side.RESOURCE
        assert store.get(record.id).side is Side.SUPPORT_REQUEST

    def test_a_rejection_never_reaches_the_resource_tenant(self, world: World) -> None:
        """Rejecting needs no proof for the resource tenant, and leaves nothing there."""
        record = raised(world.store(), asking(resource_tenant_id=RESOURCE))
        world.store().reject(record.id, etag=record.etag, key=new_key(), reason="no")

        assert world.store(RESOURCE).page(RequestQuery(), top=10).value == []
        assert world.store(RESOURCE).log_head().size == 0

    @pytest.mark.parametrize(
        ("also", "permissions"),
        [([], EVERYTHING), ([FOREIGN], EVERYTHING), ([RESOURCE], EVERYTHING - {Permission.DECIDE})],
    )
    def test_an_approval_needs_both_tenants(
        self, world: World, also: list[str], permissions: frozenset[Permission]
    ) -> None:
        """Without a proof for the resource tenant, or without the permission there, approving is Forbidden."""
        store = world.store(HOME, also=also, also_permissions=permissions)
        record = raised(store, asking(resource_tenant_id=RESOURCE))
        with pytest.raises(Forbidden):
            store.approve(record.id, etag=record.etag, key=new_key())

        assert store.get(record.id) == record

    def test_only_the_resource_tenant_revokes(self, world: World) -> None:
        """The support request tenant is refused before and after, in the same words, and sees no difference."""
        request_id = cross_tenant(world)
        ours, theirs = world.store(HOME, also=[RESOURCE]), world.store(RESOURCE)
        before = ours.get(request_id)

        def refusal() -> str:
            with pytest.raises(Forbidden) as refused:
                ours.revoke(request_id, etag=before.etag, key=new_key())
            return f"{refused.value} {refused.value.hint}"

        first = refusal()
        world.clock.advance(HOUR)
        assert revoke(theirs, request_id).status is Status.REVOKED

        assert refusal() == first
        assert ours.get(request_id) == before

    def test_closing_ends_it_for_both(self, world: World) -> None:
        """Closing completes both sides; the resource tenant's record and log do not say who closed it, nor the key."""
        request_id = cross_tenant(world)
        ended = world.store(HOME).close("77", key="a secret of the provider")

        assert [record.side for record in ended] == [Side.SUPPORT_REQUEST]
        theirs = world.store(RESOURCE).get(request_id)
        assert (theirs.status, theirs.ended_by and theirs.ended_by.kind) == (Status.COMPLETED, ActorKind.SYSTEM)
        last = world.store(RESOURCE).history(request_id)[-1]
        assert (last.actor.kind, last.idempotency_key) == (ActorKind.SYSTEM, None)

    def test_what_was_revoked_is_completed_for_the_support_request_tenant_alone(self, world: World) -> None:
        """After a revocation, closing completes the support request tenant's record and leaves the other revoked."""
        request_id = cross_tenant(world)
        revoke(world.store(RESOURCE), request_id)
        world.store(HOME).close("77", key=new_key())

        assert world.store(HOME).get(request_id).status is Status.COMPLETED
        assert world.store(RESOURCE).get(request_id).status is Status.REVOKED


SURROGATE = "\udcff"


@pytest.mark.parametrize(
    "act",
    [
        lambda store, _: store.get(SURROGATE),
        lambda store, _: store.find(SURROGATE * 4, top=1),
        lambda store, _: store.page(RequestQuery(search=SURROGATE), top=1),
        lambda store, _: store.page(RequestQuery(engineer=SURROGATE), top=1),
        lambda store, _: store.page(RequestQuery(support_request_id=SURROGATE), top=1),
        lambda store, _: store.count(RequestQuery(resource_tenant_id=SURROGATE), at_most=1),
        lambda store, _: store.raise_request(asking(reason=SURROGATE), key=new_key()),
        lambda store, record: store.approve(record.id, etag=record.etag, key=new_key(), reason=SURROGATE),
        lambda store, record: store.reject(record.id, etag=record.etag, key=new_key(), reason=SURROGATE),
        lambda store, record: store.reject(record.id, etag=SURROGATE, key=new_key(), reason="no"),
        lambda store, record: store.revoke(SURROGATE, etag=record.etag, key=new_key()),
        lambda store, record: store.withdraw(record.id, etag=record.etag, key=new_key(), reason=SURROGATE),
        lambda store, record: store.withdraw(record.id, etag=record.etag, key=SURROGATE),
        lambda store, _: store.close(SURROGATE, key=new_key()),
        lambda store, _: store.history(SURROGATE),
        lambda store, _: list(store.source_events(SURROGATE)),
        lambda store, _: store.import_events([event(CREATED, event_id=SURROGATE)], key=new_key(), details={}),
        lambda store, _: store.import_events([event(CREATED)], key=new_key(), details={"file": SURROGATE}),
        lambda store, _: store.count(RequestQuery(), at_most=2**70),
        lambda store, record: store.approve(record.id, etag=record.etag, key=new_key(), limit=Limit(seconds=2**70)),
    ],
)
def test_what_no_store_can_hold_is_refused(world: World, act: Callable[[RequestStore, AccessRequest], object]) -> None:
    """A file name's or an argument's broken bytes, wherever they are given, are a refusal and not a crash."""
    store = world.store()
    record = raised(store)
    with pytest.raises(SupportAccessError) as refused:
        act(store, record)

    assert type(refused.value) in {InvalidInput, NotFound, Stale}
    assert store.page(RequestQuery(), top=10).value == [record]


@pytest.mark.parametrize("act", ACTS.values())
def test_deciding_what_is_not_there(world: World, act: Act) -> None:
    """Any act on an unknown ID is NotFound."""
    with pytest.raises(NotFound):
        act(world.store(), UNKNOWN_ID, '"x"')
