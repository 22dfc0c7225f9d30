"""Names that a later version has written: they are shown as they are, and nothing is decided on them."""

from datetime import timedelta
from functools import partial

import msgspec
import pytest
from tests.contract.acts import approved, new_key, raised
from tests.contract.conftest import World
from tests.support import later
from tests.support.events import CREATED, event
from tests.support.people import HOME, asking
from tests.support.worlds import every_entry, every_record

from supportaccess.domain.expiry import Limit
from supportaccess.domain.records import OPEN, AccessRequest, Status
from supportaccess.errors import Conflict, DecidedElsewhere
from supportaccess.store.protocol import Order, RequestQuery

HOUR = timedelta(hours=1)
TICKET = "2603010050001234"


def suspended(world: World, ticket: str = TICKET, status: str = "suspended") -> AccessRequest:
    """Return a request whose status is one of a later version."""
    step = later.suspended(approved(world.store(), asking(ticket)), world.clock(), status)
    later.write(world.engine, [step])
    assert step.after is not None
    return step.after


@pytest.mark.parametrize("order", Order)
def test_an_unknown_status_is_listed_as_open_access(world: World, order: Order) -> None:
    """It is in lists of what needs attention, of open and of approved access, and of everything; in no other."""
    names = ("Approved", "aa", "b", "lapsedAgain", "q", "suspended", "zzz", "\u00fcber")
    unknown = {suspended(world, name, name).id for name in names}
    pending = raised(world.store(), asking("1")).id
    final = approved(world.store(), asking("2"), Limit(seconds=60)).id
    world.clock.advance(HOUR)

    def ids(query: RequestQuery, top: int) -> list[str]:
        listed = every_record(world.store(), msgspec.structs.replace(query, order=order), top=top)
        assert world.store().count(query, at_most=100) == len(listed)
        return [record.id for record in listed]

    for top in (1, 3, 1000):
        for query, others in (
            (RequestQuery(statuses=OPEN), {pending}),
            (RequestQuery(statuses=frozenset({Status.APPROVED})), set()),
            (RequestQuery(approved_access=True), {final}),
            (RequestQuery(), {pending, final}),
            (RequestQuery(engineer="erin"), {pending, final}),
            (RequestQuery(statuses=frozenset(Status) - {Status.APPROVED}, approved_access=True), {pending, final}),
        ):
            found = ids(query, top)
            assert len(found) == len(set(found)), query
            assert set(found) == unknown | others, query
    for status in set(Status) - {Status.APPROVED}:
        assert not unknown & set(ids(RequestQuery(statuses=frozenset({status})), 1000))
    assert ids(RequestQuery(support_request_id="zzz"), 1) == [world.store().find("zzz", top=1)[0].id]


def test_a_record_comes_as_it_was_written(world: World) -> None:
    """Record, list, search and history have every unknown name to the byte, and the hash of the record holds."""
    record = suspended(world)
    mirror = later.mirrored(record, "99999999-9999-4999-8999-999999999999", world.clock())
    later.write(world.engine, [mirror, later.noticed(record, world.clock())])
    store = world.store()

    for got in (store.get(record.id), *store.page(RequestQuery(), top=10).value, *store.find(TICKET, top=9)):
        wanted = record if got.id == record.id else mirror.after
        assert msgspec.json.encode(got) == msgspec.json.encode(wanted)
    told = msgspec.json.decode(msgspec.json.encode(store.get(record.id)))
    assert (told["status"], told["endReason"], told["endedBy"]["kind"]) == ("suspended", "policyViolation", "agent")
    assert mirror.after is not None
    told = msgspec.json.decode(msgspec.json.encode(store.get(mirror.after.id)))
    assert (told["source"], told["mirror"]["confidence"]) == ("someVendor", "guessed")
    entry = next(each for each in store.history(record.id) if each.activity == later.ACTIVITY)
    assert (entry.status_after, entry.actor, dict(entry.details or {})) == (
        "suspended",
        later.AGENT,
        {"operation": "suspend"},
    )
    assert [entry.activity for entry in every_entry(store)][-3:] == [later.ACTIVITY, "Mirror synced", "Access used"]
    assert store.verify().findings == []


def test_of_a_support_request_an_unknown_status_comes_first(world: World) -> None:
    """It counts as open where a support request is looked up, however new those are that have ended."""
    record = suspended(world)
    world.clock.advance(HOUR)
    newer = raised(world.store(), asking(TICKET))
    world.store().reject(newer.id, etag=newer.etag, key=new_key(), reason="no")

    assert [each.id for each in world.store().find(TICKET, top=9)] == [record.id, newer.id]


def test_nothing_is_decided_on_an_unknown_status(world: World) -> None:
    """Every decision is a conflict that names the status; a close, a sweep and the clock leave the record alone."""
    store, status = world.store(), "suspended"
    record = suspended(world)
    for act in (store.approve, partial(store.reject, reason="no"), store.revoke, store.withdraw):
        with pytest.raises(Conflict, match=status) as refused:
            act(record.id, etag=record.etag, key=new_key())
        assert refused.value.current_status == status

    assert store.close(TICKET, key=new_key()) == []
    world.clock.advance(1000 * HOUR)
    assert world.sweep() == 0
    assert store.get(record.id) == record
    assert record.status == status


def test_a_mirror_of_an_unknown_source_is_decided_elsewhere(world: World) -> None:
    """A record of a source that is unknown is a mirror like any other."""
    record = approved(world.store())
    mirror = later.mirrored(record, "99999999-9999-4999-8999-999999999999", world.clock()).after
    later.write(world.engine, [later.mirrored(record, "99999999-9999-4999-8999-999999999999", world.clock())])
    assert mirror is not None
    with pytest.raises(DecidedElsewhere):
        world.store().revoke(mirror.id, etag=mirror.etag, key=new_key())


def test_events_tell_of_unknown_changes(world: World) -> None:
    """A change of status by an unknown activity is told by the status; what changed nothing is not told."""
    store = world.store()
    place = store.events(after=None, top=1).next
    record = suspended(world)
    later.write(world.engine, [later.noticed(record, world.clock())])
    page = store.events(after=place, top=100)

    assert [event.what for event in page.value] == ["created", "approved", "suspended"]
    assert page.value[-1].record == record
    assert (page.value[-1].status_before, page.value[-1].status_after) == ("approved", "suspended")
    assert page.next == page.size


def test_an_import_does_not_replace_an_unknown_status(world: World) -> None:
    """A mirror that a later version has brought to a status of its own is not rebuilt: the import is refused whole."""
    store = world.store()
    store.import_events([event(CREATED, 0, ticket="5", event_id="a")], key=new_key(), details={})
    (mirror,) = store.page(RequestQuery(), top=2).value
    later.write(world.engine, [later.suspended(mirror, world.clock())])
    before = world.entries(HOME)

    with pytest.raises(Conflict, match="suspended"):
        store.import_events([event("Request approved", 9, ticket="5", event_id="b")], key=new_key(), details={})

    assert store.get(mirror.id).status == "suspended"
    done = [entry for entry in world.entries(HOME) if entry.activity != "Attempt failed"]
    assert done == before
