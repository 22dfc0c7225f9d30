import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.contract.acts import new_key
from tests.contract.conftest import World
from tests.support.events import (
    APPROVAL,
    APPROVED,
    CREATED,
    PERSON,
    REJECTED,
    REMOVED,
    SYSTEM_APP,
    TICKET,
    event,
)
from tests.support.examples import costly
from tests.support.people import EVERYTHING, FOREIGN, HOME, RESOURCE
from tests.support.worlds import done_in, every_entry, every_record

from supportaccess.domain.audit import Activity
from supportaccess.domain.permissions import Permission
from supportaccess.domain.records import AccessRequest, Status
from supportaccess.domain.source_events import SourceEvent
from supportaccess.errors import InvalidInput, UnreadableExport
from supportaccess.sources.entra.rebuild import ENTRA_ACTIVITIES
from supportaccess.store.protocol import AuditQuery, Imported, Order, RequestQuery, RequestStore

OURS = (event(CREATED, 0, correlation="c-1"), event(APPROVED, 5, by=PERSON, correlation="c-1"))
THEIRS = event(APPROVAL, 5.1, tenant_id=RESOURCE, ticket=None, correlation="c-1")


def take(store: RequestStore, *events: SourceEvent, dry_run: bool = False) -> Imported:
    return store.import_events(events, key=new_key(), details={"file": "export.json"}, dry_run=dry_run)


def mirrors(store: RequestStore) -> list[AccessRequest]:
    return every_record(store, RequestQuery(order=Order.OLDEST))


class TestImport:
    def test_events_become_a_mirror(self, world: World) -> None:
        """Events of one request become one record, with an entry for the import and one for the record."""
        store = world.store()

        assert take(store, *OURS) == Imported(new=2, requests_new=1)
        (mirror,) = mirrors(store)
        assert (mirror.status, mirror.source) == (Status.APPROVED, "entra")
        assert [e.activity for e in world.entries(HOME)] == [Activity.IMPORT, Activity.MIRROR_UPDATED]
        imported = world.entries(HOME)[0]
        assert imported.details is not None
        assert (imported.details["file"], imported.details["newEvents"]) == ("export.json", 2)
        assert list(store.source_events(mirror.id)) == list(OURS)

    def test_again_changes_nothing(self, world: World) -> None:
        """The same events again are known, and add no entry."""
        store = world.store()
        take(store, *OURS)
        before = world.entries(HOME), mirrors(store)

        assert take(store, *OURS) == Imported(known=2)
        assert (world.entries(HOME), mirrors(store)) == before

    def test_a_later_event_changes_the_record(self, world: World) -> None:
        """An event that belongs to a known request changes its record, and its history tells of both."""
        store = world.store()
        take(store, *OURS)
        (before,) = mirrors(store)

        assert take(store, event(APPROVAL, 6, correlation="c-1")) == Imported(new=1, requests_changed=1)
        (after,) = mirrors(store)
        assert after.id == before.id
        assert [e.activity for e in store.history(after.id)] == [Activity.MIRROR_UPDATED] * 2

    def test_an_earlier_event_keeps_the_id_that_was_shown(self, world: World) -> None:
        """When the creation is read after the approval, the ID shown before still finds the request and its history."""
        store = world.store()
        take(store, OURS[1])
        (shown,) = mirrors(store)
        take(store, OURS[0])
        (now,) = mirrors(store)

        assert now.id != shown.id
        for text in (shown.id, shown.id[:8], shown.id.upper()):
            assert store.find(text, top=10) == [now]
        activities = [Activity.MIRROR_UPDATED, Activity.MIRROR_MERGED, Activity.MIRROR_UPDATED]
        assert [e.activity for e in store.history(now.id)] == activities

    def test_what_is_not_recognised_is_kept_and_counted(self, world: World) -> None:
        """Other events of the provider are counted and vouched for, and become no request."""
        store = world.store()
        other = event("Add member to role", recognised=False)

        assert take(store, other) == Imported(new=1, unrecognised=1)
        assert take(store, other) == Imported(known=1, unrecognised=1)
        assert mirrors(store) == []
        assert store.verify().source_events == 1

    def test_a_known_id_that_says_something_else_is_counted(self, world: World) -> None:
        """An event with a known ID and other contents is not taken over the first, and is counted."""
        store = world.store()
        take(store, event(CREATED, event_id="e"))

        assert take(store, event(REJECTED, event_id="e")) == Imported(known=1, differing=1)
        assert mirrors(store)[0].status is Status.PENDING

    def test_twice_in_one_file_is_once(self, world: World) -> None:
        """An event that an export has twice counts once."""
        assert take(world.store(), OURS[0], OURS[0]) == Imported(new=1, known=1, requests_new=1)

    def test_an_import_of_nothing_leaves_nothing(self, world: World) -> None:
        """An export without events adds no entry."""
        assert take(world.store()) == Imported()
        assert world.store().log_head().size == 0

    def test_the_event_of_another_tenant_is_refused(self, world: World) -> None:
        """Events of any tenant but the caller's are refused, with proofs for it or without, and nothing is taken."""
        for store in (world.store(HOME), world.store(HOME, also=[RESOURCE])):
            with pytest.raises(InvalidInput):
                take(store, OURS[0], THEIRS)
        for tenant in (HOME, RESOURCE):
            assert mirrors(world.store(tenant)) == []
            assert done_in(world.entries(tenant)) == []

    def test_the_raw_text_is_kept_as_it_was(self, world: World) -> None:
        """What an event was read from comes back to the character."""
        raw = '{"id": "\\u0000 \u2028 \U0001f512", "x": 1e400}\r\n'
        take(world.store(), replace(OURS[0], raw=raw))
        (mirror,) = mirrors(world.store())

        assert [e.raw for e in world.store().source_events(mirror.id)] == [raw]


class TestAllOrNothing:
    def broken(self) -> Iterator[SourceEvent]:
        yield event(APPROVAL, 6, correlation="c-1")
        yield from (event(CREATED, number, ticket=f"{number}", event_id=f"{number}") for number in range(1000))
        raise UnreadableExport("line 1002 is no event")

    def test_a_file_that_breaks_in_the_middle_changes_nothing(self, world: World) -> None:
        """When reading fails in the middle, not even the events before it are taken."""
        store = world.store()
        take(store, *OURS)
        before = world.entries(HOME), mirrors(store)
        with pytest.raises(UnreadableExport):
            store.import_events(self.broken(), key=new_key(), details={})

        assert (world.entries(HOME), mirrors(store)) == before
        assert store.verify().source_events == 2
        assert take(store, OURS[0]) == Imported(known=1)

    def test_a_dry_run_changes_nothing(self, world: World) -> None:
        """A dry run says what the import would do, and does not do it."""
        store = world.store()
        would = take(store, *OURS, dry_run=True)

        assert (mirrors(store), store.log_head().size, store.verify().source_events) == ([], 0, 0)
        assert take(store, *OURS) == would


class TestTwoTenants:
    def test_halves_are_joined_by_who_may_import_into_both(self, world: World) -> None:
        """With proofs for both tenants, the second import joins the halves, and both tenants' logs tell of it."""
        take(world.store(HOME, also=[RESOURCE]), *OURS)
        outcome = take(world.store(RESOURCE, also=[HOME]), THEIRS)

        assert outcome == Imported(new=1, requests_new=1, requests_changed=1)
        (ours,), (theirs,) = mirrors(world.store(HOME)), mirrors(world.store(RESOURCE))
        assert ours.resource_tenant_id == theirs.resource_tenant_id == RESOURCE
        assert ours.support_request_tenant_id == theirs.support_request_tenant_id == HOME
        assert theirs.support_request_id == TICKET
        assert [e.activity for e in world.entries(HOME)][-1] == Activity.MIRROR_UPDATED

    @pytest.mark.parametrize(
        ("also", "permissions"),
        [([], EVERYTHING), ([FOREIGN], EVERYTHING), ([HOME], EVERYTHING - {Permission.WRITE_SOURCE_EVENTS})],
    )
    def test_halves_stay_apart_for_everybody_else(
        self, world: World, also: list[str], permissions: frozenset[Permission]
    ) -> None:
        """Without the proof, or without the permission to import there, nothing of the other tenant is told."""
        take(world.store(HOME), *OURS)
        before = mirrors(world.store(HOME)), world.entries(HOME)
        take(world.store(RESOURCE, also=also, also_permissions=permissions), THEIRS)
        (theirs,) = mirrors(world.store(RESOURCE))

        assert (theirs.support_request_tenant_id, theirs.support_request_id) == (None, None)
        assert (mirrors(world.store(HOME)), world.entries(HOME)) == before

    def test_a_join_survives_an_import_by_who_sees_one_tenant(self, world: World) -> None:
        """What a join told stays when somebody of one tenant alone imports more of it."""
        take(world.store(HOME), *OURS)
        take(world.store(RESOURCE, also=[HOME]), THEIRS)
        removal = event(REMOVED, 60, tenant_id=RESOURCE, by=PERSON, ticket=None, correlation="c-1")
        take(world.store(RESOURCE), removal)
        (theirs,) = mirrors(world.store(RESOURCE))

        assert (theirs.status, theirs.support_request_tenant_id, theirs.support_request_id) == (
            Status.REVOKED,
            HOME,
            TICKET,
        )

    def test_the_other_tenants_log_does_not_say_who_imported(self, world: World) -> None:
        """In the other tenant's log the entry has what kind of actor it was, and no more, and not the key."""
        take(world.store(HOME), *OURS)
        take(world.store(RESOURCE, also=[HOME]), THEIRS)
        last = world.entries(HOME)[-1]

        assert (last.actor.kind, last.actor.object_id, last.actor.display_name, last.idempotency_key) == (
            "user",
            None,
            None,
            None,
        )

    def test_a_revocation_that_is_imported_does_not_reach_the_support_request_tenant(self, world: World) -> None:
        """Whoever imports the resource tenant's removal, the other tenant's record and log stay as they were."""
        take(world.store(HOME), *OURS)
        take(world.store(RESOURCE, also=[HOME]), THEIRS)
        before = mirrors(world.store(HOME)), world.store(HOME).log_head()
        for minute, by in ((60, PERSON), (61, SYSTEM_APP)):
            removal = event(REMOVED, minute, tenant_id=RESOURCE, by=by, correlation="c-1")
            take(world.store(RESOURCE, also=[HOME]), removal)

        assert (mirrors(world.store(HOME)), world.store(HOME).log_head()) == before

    def test_nor_does_one_whose_approval_was_never_read(self, world: World) -> None:
        """A removal alone joins nothing in the support request tenant: it would tell when the access was removed."""
        take(world.store(HOME), *OURS)
        before = mirrors(world.store(HOME)), world.store(HOME).log_head()
        take(
            world.store(RESOURCE, also=[HOME]),
            event(REMOVED, 60, tenant_id=RESOURCE, by=PERSON, correlation="c-1"),
        )

        assert (mirrors(world.store(HOME)), world.store(HOME).log_head()) == before
        assert mirrors(world.store(RESOURCE))[0].support_request_tenant_id == HOME


# --- any split and any shuffle of a set of events ends in the same records ---

events_of_two_tenants = st.lists(
    st.builds(
        event,
        st.sampled_from(sorted(ENTRA_ACTIVITIES)),
        st.integers(0, 12),
        tenant_id=st.sampled_from([HOME, HOME, RESOURCE]),
        by=st.sampled_from([PERSON, SYSTEM_APP, None]),
        ticket=st.sampled_from([None, TICKET, TICKET, "9999999999999999"]),
        correlation=st.sampled_from([None, "c-1", "c-2", "c-3"]),
        targets=st.sampled_from([(), (), ("t-1",), ("t-1", "t-2")]),
        result=st.sampled_from(["success", "success", "success", None, "failure"]),
        id_derived=st.sampled_from([False, False, True]),
    ),
    min_size=1,
    max_size=9,
).map(lambda events: [replace(one, id=f"{number:x}") for number, one in enumerate(events)])


@costly(120)
@given(data=st.data(), events=events_of_two_tenants)
def test_any_split_and_any_shuffle_ends_in_the_same_records(
    new_world: Callable[[], AbstractContextManager[World]], data: st.DataObject, events: list[SourceEvent]
) -> None:
    """Imported at once, or in overlapping portions in any order, a set of events gives the same records."""
    batches = data.draw(_portions(events))
    with new_world() as at_once, new_world() as bit_by_bit:
        for tenant, group in itertools.groupby(sorted(events, key=lambda e: e.tenant_id), lambda e: e.tenant_id):
            take(_store(at_once, tenant), *group)
        for batch in batches:
            take(_store(bit_by_bit, batch[0].tenant_id), *batch)

        for tenant in (HOME, RESOURCE):
            assert mirrors(bit_by_bit.store(tenant)) == mirrors(at_once.store(tenant))
            for mirror in mirrors(at_once.store(tenant)):
                told = [list(world.store(tenant).source_events(mirror.id)) for world in (at_once, bit_by_bit)]
                assert told[0] == told[1]
        _again(bit_by_bit, events)


def _portions(events: list[SourceEvent]) -> st.SearchStrategy[list[list[SourceEvent]]]:
    """Return lists of portions, each of one tenant, that have every event at least once."""
    shuffled = st.permutations(events)
    overlap = st.lists(st.sampled_from(events), max_size=4)

    def cut(order: list[SourceEvent], more: list[SourceEvent], size: int) -> list[list[SourceEvent]]:
        portions = [order[at : at + size] for at in range(0, len(order), size)]
        portions[-1:] = [portions[-1] + more]
        return [
            [one for one in portion if one.tenant_id == tenant]
            for portion in portions
            for tenant in sorted({one.tenant_id for one in portion})
        ]

    return st.builds(cut, shuffled, overlap, st.integers(1, 4))


def _store(world: World, tenant_id: str) -> RequestStore:
    return world.store(tenant_id, also=[HOME, RESOURCE])


def _again(world: World, events: list[SourceEvent]) -> None:
    """Check that taking everything again changes nothing."""
    heads = [world.store(tenant).log_head() for tenant in (HOME, RESOURCE)]
    for tenant in {one.tenant_id for one in events}:
        assert take(_store(world, tenant), *(one for one in events if one.tenant_id == tenant)).new == 0
    assert [world.store(tenant).log_head() for tenant in (HOME, RESOURCE)] == heads


def test_a_long_list_of_imports_is_all_in_the_log(world: World) -> None:
    """More events than are taken in one go are all placed, and each request is there."""
    events = [event(CREATED, number, ticket=f"{number}", correlation=f"{number}") for number in range(1100)]

    assert take(world.store(), *events) == Imported(new=1100, requests_new=1100)
    assert world.store().count(RequestQuery(), at_most=10_000) == 1100
    assert len(every_entry(world.store(), AuditQuery(activities=frozenset({Activity.MIRROR_UPDATED})))) == 1100
