from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contract.acts import approved, cross_tenant, new_key, raised, revoke
from tests.contract.conftest import World
from tests.support.events import CREATED, event
from tests.support.examples import costly
from tests.support.people import FOREIGN, HOME, RESOURCE, START, UNKNOWN_ID, asking
from tests.support.worlds import every_entry

from supportaccess.domain.audit import Activity, AuditEntry, encode_entry
from supportaccess.domain.records import Status, record_hash
from supportaccess.errors import InvalidInput
from supportaccess.store.protocol import LARGEST_PAGE, AuditOrder, AuditQuery
from supportaccess.tlog.merkle import Frontier, leaf_hash

HOUR = timedelta(hours=1)


@pytest.fixture
def busy(world: World) -> World:
    """Return a store with a log of some length, by two people."""
    for number in range(8):
        for name in ("Ada Administrator", "Grace 100%"):
            store = world.store(name=name)
            record = approved(store, asking(f"{number}"))
            if number % 2:
                revoke(store, record.id)
        world.clock.advance(HOUR)
    world.clock.advance(9 * HOUR)
    world.sweep()
    world.store().import_events([event(CREATED, 10_000)], key=new_key(), details={"file": "export.json"})
    world.store().close("2", key=new_key())
    return world


class TestEntries:
    def test_a_life_is_told_in_order(self, world: World) -> None:
        """Raising, approving and revoking are one entry each, with who, when, why, and the hashes before and after."""
        store = world.store()
        first = raised(store)
        second = store.approve(first.id, etag=first.etag, key="key-a", reason="go on")
        world.clock.advance(HOUR)
        third = store.revoke(first.id, etag=second.etag, key="key-b", reason="enough")

        entries = store.history(first.id)

        assert [(e.sequence, e.activity, e.reason, e.idempotency_key) for e in entries][1:] == [
            (1, Activity.REQUEST_APPROVED, "go on", "key-a"),
            (2, Activity.APPROVAL_REMOVED, "enough", "key-b"),
        ]
        assert [(e.status_before, e.status_after) for e in entries] == [
            (None, Status.PENDING),
            (Status.PENDING, Status.APPROVED),
            (Status.APPROVED, Status.REVOKED),
        ]
        assert [e.record for e in entries] == [record_hash(r) for r in (first, second, third)]
        assert [e.seen for e in entries] == [None, record_hash(first), record_hash(second)]
        assert [e.time for e in entries] == [START, START, START + HOUR]
        assert {(e.tenant_id, e.access_request_id, e.actor.display_name) for e in entries} == {
            (HOME, first.id, "Ada Administrator")
        }

    def test_each_tenants_log_has_its_own_half(self, world: World) -> None:
        """One tenant's log tells of the request, the other one's of the approval and its removal."""
        request_id = cross_tenant(world)
        revoke(world.store(RESOURCE), request_id)

        assert [e.activity for e in world.store(HOME).history(request_id)] == [
            Activity.REQUEST_CREATED,
            Activity.REQUEST_APPROVED,
        ]
        theirs = world.store(RESOURCE).history(request_id)
        assert [e.activity for e in theirs] == [Activity.APPROVAL_APPROVED, Activity.APPROVAL_REMOVED]
        assert [e.sequence for e in theirs] == [0, 1]

    def test_what_comes_after_a_place(self, busy: World) -> None:
        """Only entries after a place in the log are returned and counted, in either order and with other filters."""
        entries = busy.entries(HOME)
        place = entries[len(entries) // 2].sequence
        later = [entry for entry in entries if entry.sequence > place]
        query = AuditQuery(after_sequence=place)

        assert busy.store().audit_count(query) == len(later) > 1
        assert busy.store().audit_page(query, top=LARGEST_PAGE).value == later
        newest = AuditQuery(after_sequence=place, order=AuditOrder.NEWEST, actor="grace")
        assert (
            busy.store().audit_page(newest, top=1).value
            == [entry for entry in later[::-1] if entry.actor.display_name == "Grace 100%"][:1]
        )
        assert busy.store().audit_page(AuditQuery(after_sequence=len(busy.entries(HOME)) - 1), top=1).value == []

    def test_an_unknown_request_has_no_history(self, world: World) -> None:
        """The history of what is not there is empty."""
        assert world.store().history(UNKNOWN_ID) == []

    def test_the_head_is_the_tree_of_the_entries(self, busy: World) -> None:
        """The head is the RFC 6962 root of the entries' canonical bytes, at every tenant and also of nothing."""
        for tenant in (HOME, FOREIGN):
            frontier = Frontier()
            for entry in busy.entries(tenant):
                frontier.append(leaf_hash(encode_entry(entry)))
            head = busy.store(tenant).log_head()
            assert (head.size, head.root) == (frontier.size, frontier.root().hex())

    def test_every_act_moves_the_head(self, world: World) -> None:
        """A new entry is a new head, that of a refusal as well."""
        heads = {world.store().log_head()}
        record = raised(world.store())
        heads.add(world.store().log_head())
        with pytest.raises(InvalidInput):
            world.store().reject(record.id, etag=record.etag, key=new_key(), reason="")

        heads.add(world.store().log_head())
        assert {head.size for head in heads} == {0, 1, 2}


def _asked_for(entry: AuditEntry, query: AuditQuery) -> bool:
    actor = f"{entry.actor.object_id or ''}\n{entry.actor.display_name or ''}".casefold()
    return (
        (not query.access_request_ids or entry.access_request_id in query.access_request_ids)
        and (not query.activities or entry.activity in query.activities)
        and (query.actor is None or query.actor.casefold() in actor)
        and (query.since is None or entry.time >= query.since)
        and (query.until is None or entry.time < query.until)
    )


moments = st.none() | st.integers(-1, 30).map(lambda hours: START + hours * HOUR)


@costly(100)
@given(
    activities=st.frozensets(st.sampled_from(Activity), max_size=3),
    ids=st.frozensets(st.integers(0, 30), max_size=3),
    actor=st.none() | st.sampled_from(["ADA", "grace 100%", "%", "_", "", "object-of", "nobody"]),
    since=moments,
    until=moments,
    order=st.sampled_from(AuditOrder),
    top=st.sampled_from([1, 2, 7, LARGEST_PAGE]),
)
def test_pages_are_the_log(
    busy: World,
    activities: frozenset[Activity],
    ids: frozenset[int],
    actor: str | None,
    since: object,
    until: object,
    order: AuditOrder,
    top: int,
) -> None:
    """Whatever the filters, the direction and the page size, the pages are the matching entries in order."""
    everything = busy.entries(HOME)
    query = AuditQuery(
        access_request_ids=frozenset(everything[i % len(everything)].access_request_id or UNKNOWN_ID for i in ids),
        activities=activities,
        actor=actor,
        since=since,  # type: ignore[arg-type]
        until=until,  # type: ignore[arg-type]
        order=order,
    )
    wanted = [entry for entry in everything if _asked_for(entry, query)]

    # That it is read is an entry itself, which a later page has.
    found = [entry for entry in every_entry(busy.store(), query, top=top) if entry.sequence < len(everything)]

    assert found == (wanted[::-1] if order is AuditOrder.NEWEST else wanted)


@pytest.mark.parametrize("cursor", ["", "x", "-1", "1.0", "٣", "9" * 19, " 1", "\ud800"])
def test_a_cursor_that_is_none_is_refused(busy: World, cursor: str) -> None:
    """A place that this store did not give is InvalidInput."""
    with pytest.raises(InvalidInput):
        busy.store().audit_page(AuditQuery(), top=5, cursor=cursor)


@pytest.mark.parametrize("top", [0, -1, LARGEST_PAGE + 1])
def test_a_page_of_no_size_is_refused(world: World, top: int) -> None:
    """A page has at least one entry and at most the largest number."""
    with pytest.raises(InvalidInput):
        world.store().audit_page(AuditQuery(), top=top)


def test_a_verification_says_what_it_looked_at(busy: World) -> None:
    """A verification counts the entries, requests and events it checked, and names the head it found."""
    outcome = busy.store().verify()

    assert outcome.findings == []
    assert outcome.head == busy.store().log_head()
    assert (outcome.entries, outcome.access_requests, outcome.source_events) == (outcome.head.size, 17, 1)


def test_an_empty_log_verifies(world: World) -> None:
    """A tenant without anything has nothing wrong."""
    outcome = world.store().verify()

    assert (outcome.entries, outcome.access_requests, outcome.findings) == (0, 0, [])
