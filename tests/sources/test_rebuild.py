from collections.abc import Iterable
from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.support.events import (
    APPROVAL,
    APPROVED,
    CANCELED,
    CREATED,
    PERSON,
    REJECTED,
    REMOVED,
    SYSTEM_APP,
    TICKET,
    at,
    event,
)
from tests.support.people import HOME, RESOURCE

from supportaccess.domain.records import AccessRequest, Confidence, Mirror, Side, Source, Status
from supportaccess.domain.source_events import SourceEvent
from supportaccess.sources.entra.rebuild import ENTRA_ACTIVITIES, keep_partner, rebuild

BY_A_PERSON = {APPROVED, REJECTED}


def told(*activities: str, removed_by: object = None) -> list[SourceEvent]:
    """Return the activities a minute apart, each begun by whom the documentation names."""
    events = []
    for minute, activity in enumerate(activities):
        by = PERSON if activity in BY_A_PERSON else SYSTEM_APP
        if activity == REMOVED and removed_by is PERSON:
            by = PERSON
        events.append(event(activity, minute, by=by, correlation="c-1"))
    return events


def only(events: Iterable[SourceEvent]) -> AccessRequest:
    (rebuilt,) = rebuild(events)
    return rebuilt.record


def mirror_of(record: AccessRequest) -> Mirror:
    assert record.mirror is not None
    return record.mirror


def by_tenant(events: Iterable[SourceEvent]) -> dict[str, AccessRequest]:
    return {rebuilt.tenant_id: rebuilt.record for rebuilt in rebuild(events)}


@pytest.mark.parametrize(
    ("events", "status", "side", "confidence"),
    [
        (told(CREATED), Status.PENDING, Side.SUPPORT_REQUEST, Confidence.READ),
        (told(CREATED, APPROVED), Status.APPROVED, Side.SUPPORT_REQUEST, Confidence.READ),
        (told(CREATED, REJECTED), Status.REJECTED, Side.SUPPORT_REQUEST, Confidence.READ),
        (told(CREATED, CANCELED), Status.CANCELED, Side.SUPPORT_REQUEST, Confidence.INFERRED),
        (told(CREATED, APPROVED, APPROVAL), Status.APPROVED, Side.BOTH, Confidence.READ),
        (told(CREATED, APPROVED, APPROVAL, REMOVED), Status.COMPLETED, Side.BOTH, Confidence.INFERRED),
        (told(CREATED, APPROVED, APPROVAL, REMOVED, removed_by=PERSON), Status.REVOKED, Side.BOTH, Confidence.INFERRED),
        (told(APPROVAL), Status.APPROVED, Side.RESOURCE, Confidence.READ),
        (told(APPROVAL, REMOVED), Status.COMPLETED, Side.RESOURCE, Confidence.INFERRED),
        (told(APPROVAL, REMOVED, removed_by=PERSON), Status.REVOKED, Side.RESOURCE, Confidence.INFERRED),
        (told(APPROVED), Status.APPROVED, Side.SUPPORT_REQUEST, Confidence.PARTIAL),
        (told(REJECTED), Status.REJECTED, Side.SUPPORT_REQUEST, Confidence.PARTIAL),
        (told(CANCELED), Status.CANCELED, Side.SUPPORT_REQUEST, Confidence.INFERRED),
        (told(REMOVED, removed_by=PERSON), Status.REVOKED, Side.RESOURCE, Confidence.INFERRED),
        (told(REMOVED), Status.COMPLETED, Side.RESOURCE, Confidence.INFERRED),
        (told(APPROVED, APPROVAL, REMOVED, removed_by=PERSON), Status.REVOKED, Side.BOTH, Confidence.INFERRED),
    ],
)
def test_each_documented_path(events: list[SourceEvent], status: Status, side: Side, confidence: Confidence) -> None:
    """Whole or with its beginning missing, a path ends in its status, on its side, and says how well it is known."""
    record = only(events)

    assert (status, side, confidence) == (record.status, record.side, mirror_of(record).confidence)
    assert (Source.ENTRA, TICKET, len(events), 0) == (
        record.source,
        record.support_request_id,
        mirror_of(record).events,
        mirror_of(record).unplaced,
    )


def test_every_activity_is_a_path_of_its_own() -> None:
    """Any of the six activities alone makes a record, so that none can be forgotten."""
    assert len(ENTRA_ACTIVITIES) == 6
    for activity in ENTRA_ACTIVITIES:
        only([event(activity)])


def test_times_and_actors_come_from_the_events() -> None:
    """Creation, decision, start and end are dated and signed by their events, and nothing else is filled in."""
    record = only(told(CREATED, APPROVED, APPROVAL, REMOVED, removed_by=PERSON))

    assert (at(0), at(1), at(2), at(3), at(3)) == (
        record.created_at,
        record.decided_at,
        record.starts_at,
        record.ended_at,
        record.updated_at,
    )
    assert (record.decided_by, record.ended_by) == (PERSON, PERSON)
    assert (
        record.engineer,
        record.reason,
        record.expires_at,
        record.requested_seconds,
        record.decision_reason,
        record.end_reason,
    ) == (None, None, None, None, None, None)
    assert (record.support_request_tenant_id, record.resource_tenant_id) == (HOME, HOME)


def test_a_removal_by_the_system_is_marked_as_inferred() -> None:
    """That a removal by the system means completed is an inference, and is named as one."""
    record = only(told(APPROVAL, REMOVED))

    assert {"status", "endReason"} <= set(mirror_of(record).inferred)
    assert record.end_reason == "support request closed"


def test_a_removal_by_nobody_known_is_an_inferred_revocation() -> None:
    """A removal without an initiator counts as revoked, marked as inferred."""
    record = only([event(APPROVAL), event(REMOVED, 1, by=None)])

    assert Status.REVOKED is record.status
    assert Confidence.INFERRED is mirror_of(record).confidence


def test_what_failed_changes_nothing() -> None:
    """An event that did not succeed is kept and counted, and is no step."""
    events = [*told(CREATED), *(event(APPROVED, 5, correlation="c-1", result=r) for r in ("failure", "timeout"))]
    events = [replace(one, id=f"{number}") for number, one in enumerate(events)]
    record = only(events)

    assert (
        record.status,
        record.decided_at,
        mirror_of(record).events,
        mirror_of(record).unplaced,
    ) == (Status.PENDING, None, 3, 0)
    assert rebuild([event(CREATED, result="failure")]) == []


@pytest.mark.parametrize("result", ["success", "Success", None])
def test_what_succeeded_or_says_nothing_of_it_is_a_step(result: str | None) -> None:
    """A success in any case, and an export without results, count as steps taken."""
    assert only([event(CREATED, result=result)]).status is Status.PENDING


def test_what_fits_no_step_is_counted() -> None:
    """An approval after a rejection of the same request is kept, counted as unplaced, and changes no status."""
    record = only(told(CREATED, REJECTED, APPROVED))

    assert (record.status, mirror_of(record).unplaced) == (Status.REJECTED, 1)


def test_requests_of_one_ticket_one_after_another_are_told_apart() -> None:
    """Rejected and asked again, then approved, removed and asked a third time: three requests of one ticket."""
    steps = [
        (CREATED, SYSTEM_APP),
        (REJECTED, PERSON),
        (CREATED, SYSTEM_APP),
        (APPROVED, PERSON),
        (APPROVAL, SYSTEM_APP),
        (REMOVED, PERSON),
        (CREATED, SYSTEM_APP),
    ]
    events = [event(activity, minute, by=by) for minute, (activity, by) in enumerate(steps)]
    records = sorted((rebuilt.record for rebuilt in rebuild(events)), key=lambda record: record.created_at or at(0))

    assert [record.status for record in records] == [Status.REJECTED, Status.REVOKED, Status.PENDING]
    assert [mirror_of(record).events for record in records] == [2, 4, 1]
    assert len({record.id for record in records}) == 3


def test_the_order_of_reading_does_not_matter() -> None:
    """A path's events give the same record in any order."""
    events = told(CREATED, APPROVED, APPROVAL, REMOVED)

    assert {only(order).etag for order in permutations(events)} == {only(events).etag}


def test_events_of_one_moment_are_taken_in_the_order_that_is_possible() -> None:
    """With equal times, creation comes before approval and approval before removal."""
    events = [replace(one, time=at(0)) for one in told(CREATED, APPROVED, APPROVAL, REMOVED, removed_by=PERSON)]

    assert all(only(order).status is Status.REVOKED for order in permutations(events))


def test_an_event_of_the_csv_is_the_one_of_the_json() -> None:
    """An event without an ID of its own is not a second one where the same event is there under its ID."""
    native = event(CREATED, 0.5, correlation="c-1", event_id="native")
    derived = replace(native, id="derived", id_derived=True, time=native.time.replace(microsecond=0))
    (rebuilt,) = rebuild([derived, native])

    assert native.request_id == rebuilt.record.id
    assert mirror_of(rebuilt.record).events == 1
    assert {"native", "derived"} == {one.id for one in rebuilt.events}


def test_an_id_outlives_the_events_that_come_after_it() -> None:
    """A request's ID follows from its creation, and later events do not change it."""
    first, *others = told(CREATED, APPROVED, APPROVAL)

    assert first.request_id == only([first]).id == only([first, *others]).id


class TestJoin:
    ours = (event(CREATED, 0, correlation="c-1"), event(APPROVED, 5, by=PERSON, correlation="c-1"))

    def test_by_correlation_id(self) -> None:
        """Halves that share a correlation ID are joined, and the resource tenant's learns the ticket from it."""
        theirs = event(APPROVAL, 5.1, tenant_id=RESOURCE, ticket=None, correlation="c-1")
        records = by_tenant([*self.ours, theirs])

        for record in records.values():
            assert (
                record.support_request_tenant_id,
                record.resource_tenant_id,
                record.support_request_id,
            ) == (HOME, RESOURCE, TICKET)
            assert mirror_of(record).joined_by == "correlationId"
        assert "resourceTenantId" in mirror_of(records[HOME]).inferred
        assert "supportRequestTenantId" in mirror_of(records[RESOURCE]).inferred

    def test_by_support_request_id(self) -> None:
        """Without a common correlation ID, an approval right after the decision on the ticket is its other half."""
        records = by_tenant([*self.ours, event(APPROVAL, 5.1, tenant_id=RESOURCE, correlation="c-2")])

        assert [mirror_of(record).joined_by for record in records.values()] == ["supportRequestId"] * 2

    def test_the_latest_decision_before_the_approval(self) -> None:
        """Of several approved requests of a ticket, the approval belongs to the last one decided before it."""
        again = [event(CREATED, 20, correlation="c-3"), event(APPROVED, 25, by=PERSON, correlation="c-3")]
        theirs = event(APPROVAL, 25.1, tenant_id=RESOURCE, correlation="c-4")
        joined = [
            rebuilt.record.created_at
            for rebuilt in rebuild([*self.ours, *again, theirs])
            if rebuilt.tenant_id == HOME and mirror_of(rebuilt.record).joined_by
        ]

        assert [at(20)] == joined

    @pytest.mark.parametrize(
        "theirs",
        [
            event(APPROVAL, 5.1, tenant_id=RESOURCE, ticket="9999999999999999", correlation="c-2"),
            event(APPROVAL, 5.1, tenant_id=RESOURCE, ticket=None, correlation="c-2"),
            event(APPROVAL, -1, tenant_id=RESOURCE, correlation="c-2"),
        ],
    )
    def test_not_of_another_ticket_nor_before_the_decision(self, theirs: SourceEvent) -> None:
        """Another ticket, no ticket, or an approval long before the decision is not joined."""
        ours = [replace(one, time=one.time + timedelta(minutes=30)) for one in self.ours]

        assert [mirror_of(record).joined_by for record in by_tenant([*ours, theirs]).values()] == [None, None]

    def test_not_when_ambiguous(self) -> None:
        """A removal alone, of a ticket with two approved requests, could be of either: nothing is joined."""
        again = [event(CREATED, 20, correlation="c-3"), event(APPROVED, 25, by=PERSON, correlation="c-3")]
        theirs = event(REMOVED, 60, tenant_id=RESOURCE, by=PERSON, correlation="c-4")
        rebuilt = rebuild([*self.ours, *again, theirs])

        assert [mirror_of(one.record).joined_by for one in rebuilt] == [None] * 3

    def test_a_removal_alone_tells_the_resource_tenant_only(self) -> None:
        """Joined by its removal alone, the resource tenant's half knows the ticket; the other half stays as it was."""
        theirs = event(REMOVED, 60, tenant_id=RESOURCE, by=PERSON, ticket=None, correlation="c-1")
        records = by_tenant([*self.ours, theirs])

        assert records[RESOURCE].support_request_id == TICKET
        assert only(self.ours) == records[HOME]

    def test_an_earlier_join_is_kept_by_who_cannot_see_the_other_tenant(self) -> None:
        """A reader of one tenant alone loses nothing that a reader of both had found out, the ticket included."""
        theirs = event(APPROVAL, 5.1, tenant_id=RESOURCE, ticket=None, correlation="c-1")
        both = by_tenant([*self.ours, theirs])

        assert both[RESOURCE] == keep_partner(only([theirs]), both[RESOURCE], [RESOURCE])
        assert both[HOME] == keep_partner(only(self.ours), both[HOME], [HOME])

    def test_an_earlier_join_gives_way_to_who_sees_both_tenants(self) -> None:
        """What a reader of both tenants can no longer tell is not kept from an earlier reading."""
        theirs = event(APPROVAL, 5.1, tenant_id=RESOURCE, ticket=None, correlation="c-1")
        both = by_tenant([*self.ours, theirs])
        alone = only([theirs])

        assert alone == keep_partner(alone, both[RESOURCE], [HOME, RESOURCE])


tickets = st.sampled_from([TICKET, "9999999999999999"])
approvals = st.lists(
    st.tuples(st.integers(0, 30), tickets, st.sampled_from([None, "c-1", "c-2"]), st.booleans()), min_size=1, max_size=4
)
asked = st.lists(
    st.tuples(
        st.sampled_from([CREATED, APPROVED, REJECTED]),
        st.integers(0, 30),
        tickets,
        st.sampled_from([None, "c-1", "c-2"]),
    ),
    max_size=6,
)


@given(asked, approvals)
def test_no_removal_in_the_resource_tenant_reaches_the_other_half(
    asked: list[tuple[str, int, str, str | None]], approvals: list[tuple[int, str, str | None, bool]]
) -> None:
    """Whatever was read of both tenants, the support request tenant's records are the same without the removals."""
    events = [
        event(activity, minute, by=PERSON, ticket=ticket, correlation=correlation, event_id=f"ours-{number}")
        for number, (activity, minute, ticket, correlation) in enumerate(asked)
    ]
    removals = []
    for number, (minute, ticket, correlation, read) in enumerate(approvals):
        if read:
            events.append(
                event(
                    APPROVAL,
                    minute,
                    tenant_id=RESOURCE,
                    ticket=ticket,
                    correlation=correlation,
                    event_id=f"approval-{number}",
                )
            )
        removals.append(
            event(
                REMOVED,
                60 + number,
                tenant_id=RESOURCE,
                by=PERSON,
                ticket=ticket,
                correlation=correlation,
                event_id=f"removal-{number}",
            )
        )

    def ours(events: list[SourceEvent]) -> list[AccessRequest]:
        return [rebuilt.record for rebuilt in rebuild(events) if rebuilt.tenant_id == HOME]

    assert ours(events) == ours(events + removals)
