from collections.abc import Callable
from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.support.people import EVERYTHING, FOREIGN, HOME, RESOURCE, START, UNKNOWN_ID, asking, caller

from supportaccess.domain import expiry, lifecycle
from supportaccess.domain.audit import Activity, Step
from supportaccess.domain.expiry import LONGEST_LIMIT, Limit
from supportaccess.domain.lifecycle import NewRequest
from supportaccess.domain.permissions import Caller, Permission
from supportaccess.domain.records import (
    FINAL,
    OPEN,
    WAS_APPROVED,
    AccessRequest,
    ActorKind,
    Engineer,
    Side,
    Source,
    Status,
    with_etag,
)
from supportaccess.errors import Conflict, DecidedElsewhere, Forbidden, InvalidInput, Stale

HOUR = timedelta(hours=1)
MOMENT = timedelta(microseconds=1)


def raised(asked: NewRequest | None = None) -> AccessRequest:
    return after(lifecycle.raise_request(asked or asking(), caller(), UNKNOWN_ID, START))


def after(step: Step) -> AccessRequest:
    assert step.after is not None
    return step.after


def approve(record: AccessRequest, limit: Limit | None = None, *, also: tuple[Caller, ...] = ()) -> list[Step]:
    return lifecycle.approve(
        record, caller(), etag=record.etag, reason="go on", limit=limit or Limit(), also=also, now=START + HOUR
    )


def cross_tenant() -> tuple[AccessRequest, AccessRequest]:
    """Return both tenants' records of an approved cross-tenant request."""
    ours, theirs = approve(raised(asking(resource_tenant_id=RESOURCE)), also=(caller(RESOURCE, name="Bo Both"),))
    return after(ours), after(theirs)


def test_every_status_is_open_or_final() -> None:
    """Pending and approved are open, all others final; only approved and what follows it was ever approved."""
    assert {Status.PENDING, Status.APPROVED} == OPEN
    assert set(Status) == OPEN | FINAL
    assert {Status.APPROVED, Status.REVOKED, Status.COMPLETED, Status.EXPIRED} == WAS_APPROVED


class TestRaise:
    def test_a_request_of_one_tenant(self) -> None:
        """Without a resource tenant there is one pending record, of both sides."""
        step = lifecycle.raise_request(asking(), caller(), UNKNOWN_ID, START)
        record = after(step)

        assert (step.activity, step.tenant_id, step.before) == (Activity.REQUEST_CREATED, HOME, None)
        assert (record.status, record.side, record.source) == (Status.PENDING, Side.BOTH, Source.STORE)
        assert (record.support_request_tenant_id, record.resource_tenant_id) == (HOME, HOME)
        assert (record.created_at, record.updated_at, record.ended_at) == (START, START, None)

    def test_a_cross_tenant_request(self) -> None:
        """With another resource tenant, in any case, there is one record: the support request tenant's."""
        record = raised(asking(resource_tenant_id=RESOURCE.upper()))

        assert (record.side, record.resource_tenant_id) == (Side.SUPPORT_REQUEST, RESOURCE)

    @pytest.mark.parametrize(
        "asked",
        [
            asking("no number"),
            asking(reason=" "),
            asking(reason="x" * 1001),
            asking(reason="\x00"),
            asking(reason="\udcff"),
            asking(title=""),
            asking(title="x" * 257),
            asking(engineer=""),
            asking(engineer="x" * 257),
            asking(resource_tenant_id="contoso.com"),
            asking(resource_tenant_id=""),
            asking(requested_seconds=0),
            asking(requested_seconds=-1),
            asking(requested_seconds=int(LONGEST_LIMIT.total_seconds()) + 1),
            asking(decide_by=START),
            replace(asking(), engineer=Engineer(id="erin")),
            replace(asking(), engineer=Engineer(id="", display_name="Erin")),
        ],
    )
    def test_what_cannot_be_asked(self, asked: NewRequest) -> None:
        """Text that is empty, too long or not storable, a time gone by, or no tenant ID is InvalidInput."""
        with pytest.raises(InvalidInput):
            raised(asked)

    def test_the_furthest_deadline_and_longest_request_are_taken(self) -> None:
        """The longest duration and a deadline a moment away are still allowed."""
        record = raised(asking(requested_seconds=int(LONGEST_LIMIT.total_seconds()), decide_by=START + MOMENT))

        assert LONGEST_LIMIT.total_seconds() == record.requested_seconds


class TestApprove:
    def test_a_request_of_one_tenant(self) -> None:
        """Approval opens access for as long as was asked for, and says who, when, why and what was seen."""
        record = raised()
        (step,) = approve(record)

        assert Activity.REQUEST_APPROVED is step.activity
        assert record.etag.strip('"') == step.seen
        approved = after(step)
        assert (Status.APPROVED, "go on", caller().actor) == (
            approved.status,
            approved.decision_reason,
            approved.decided_by,
        )
        assert (approved.starts_at, approved.expires_at) == (START + HOUR, START + 9 * HOUR)

    def test_a_cross_tenant_request_makes_an_approval_in_the_resource_tenant(self) -> None:
        """Each tenant gets a record and an entry of its own, by the same person's account in that tenant."""
        asked = raised(asking(resource_tenant_id=RESOURCE))
        ours, theirs = approve(asked, also=(caller(FOREIGN), caller(RESOURCE, name="Bo Both")))

        assert (ours.tenant_id, ours.activity) == (HOME, Activity.REQUEST_APPROVED)
        assert (theirs.tenant_id, theirs.activity) == (RESOURCE, Activity.APPROVAL_APPROVED)
        assert (after(ours).side, after(theirs).side) == (Side.SUPPORT_REQUEST, Side.RESOURCE)
        assert theirs.actor.display_name == "Bo Both"
        assert theirs.actor == after(theirs).decided_by
        assert after(ours).id == after(theirs).id
        assert after(ours).etag != after(theirs).etag == with_etag(after(theirs)).etag

    @pytest.mark.parametrize("also", [(), (caller(FOREIGN),), (caller(RESOURCE, permissions=()),)])
    def test_a_cross_tenant_request_needs_the_permission_in_both_tenants(self, also: tuple[Caller, ...]) -> None:
        """Without a proof for the resource tenant, or without the permission there, it is Forbidden."""
        with pytest.raises(Forbidden):
            approve(raised(asking(resource_tenant_id=RESOURCE)), also=also)

    @pytest.mark.parametrize(
        ("limit", "end"),
        [
            (Limit(), 9 * HOUR),
            (Limit(seconds=60), HOUR + timedelta(minutes=1)),
            (Limit(seconds=8 * 3600), 9 * HOUR),
            (Limit(until=START + HOUR + MOMENT), HOUR + MOMENT),
            (Limit(until=START + 9 * HOUR), 9 * HOUR),
        ],
    )
    def test_limits_that_can_be_set(self, limit: Limit, end: timedelta) -> None:
        """A limit may be anything up to what was asked for, to the microsecond."""
        (step,) = approve(raised(), limit)

        assert START + end == after(step).expires_at

    @pytest.mark.parametrize(
        "limit",
        [
            Limit(seconds=0),
            Limit(seconds=-5),
            Limit(seconds=8 * 3600 + 1),
            Limit(seconds=10**12),
            Limit(until=START + HOUR),
            Limit(until=START + 9 * HOUR + MOMENT),
            Limit(until=START + timedelta(days=4000)),
            Limit(seconds=60, until=START + 2 * HOUR),
        ],
    )
    def test_limits_that_cannot_be_set(self, limit: Limit) -> None:
        """A limit of nothing, in the past, longer than asked for, or given twice is InvalidInput."""
        with pytest.raises(InvalidInput):
            approve(raised(), limit)

    def test_without_a_limit_asked_for_access_lasts_until_it_is_ended(self) -> None:
        """Where no time was asked for, an approval may have no limit, and any up to ten years can be set."""
        asked = raised(asking(requested_seconds=None))

        assert after(approve(asked)[0]).expires_at is None
        longest = Limit(seconds=int(LONGEST_LIMIT.total_seconds()))
        assert after(approve(asked, longest)[0]).expires_at == START + HOUR + LONGEST_LIMIT
        with pytest.raises(InvalidInput):
            approve(asked, Limit(until=START + HOUR + LONGEST_LIMIT + MOMENT))


class TestClock:
    def test_a_pending_request_lapses_at_its_deadline(self) -> None:
        """A moment before its deadline a request is pending; at the deadline it has lapsed, then and not later."""
        record = raised(asking(decide_by=START + HOUR))

        assert record == expiry.as_of(record, START + HOUR - MOMENT)
        for now in (START + HOUR, START + 100 * HOUR):
            lapsed = expiry.as_of(record, now)
            assert (lapsed.status, lapsed.ended_at, lapsed.updated_at) == (Status.LAPSED, START + HOUR, START + HOUR)
            assert ActorKind.SYSTEM is (lapsed.ended_by and lapsed.ended_by.kind)

    def test_an_approval_expires_at_its_limit(self) -> None:
        """A moment before its limit access is open; at the limit it has expired."""
        record = after(approve(raised(asking(decide_by=START + 2 * HOUR)))[0])

        assert record == expiry.as_of(record, START + 9 * HOUR - MOMENT)
        assert expiry.as_of(record, START + 9 * HOUR).status is Status.EXPIRED

    def test_a_sweep_writes_what_reads_already_showed(self) -> None:
        """The step that a sweep writes is dated with the limit and ends in the record that reads show."""
        record = raised(asking(decide_by=START + HOUR))
        step = expiry.fall_due(record, START + 5 * HOUR)

        assert step is not None
        assert (step.activity, step.at) == (Activity.DEADLINE_PASSED, START + HOUR)
        assert expiry.as_of(record, START + 99 * HOUR) == step.after
        assert expiry.fall_due(after(step), START + 99 * HOUR) is None

    def test_what_the_clock_ended_can_no_longer_be_decided(self) -> None:
        """Nobody approves a request past its deadline, though no sweep has written that down."""
        record = raised(asking(decide_by=START + HOUR))
        with pytest.raises(Conflict, match="lapsed") as refused:
            approve(record)

        assert refused.value.current_status == "lapsed"


class TestRevoke:
    def test_only_the_resource_tenants_record_changes(self) -> None:
        """A revocation is one step, in the resource tenant."""
        _, theirs = cross_tenant()
        steps = lifecycle.revoke(theirs, caller(RESOURCE), etag=theirs.etag, reason=None, now=START + 2 * HOUR)

        assert [(step.tenant_id, step.activity) for step in steps] == [(RESOURCE, Activity.APPROVAL_REMOVED)]
        assert after(steps[0]).status is Status.REVOKED

    @pytest.mark.parametrize("status", Status)
    def test_the_support_request_tenant_learns_nothing_from_trying(self, status: Status) -> None:
        """Whatever the status and the version, its attempt is answered with the same refusal."""
        ours, _ = cross_tenant()
        with pytest.raises(Forbidden) as refused:
            lifecycle.revoke(replace(ours, status=status), caller(), etag="", reason=None, now=START + 2 * HOUR)

        assert str(refused.value) == f"the access of {ours.id} is in another tenant, and only that tenant can revoke it"


class TestClose:
    def test_both_tenants_records_end(self) -> None:
        """Closing completes both records; the resource tenant is not told who closed the support request."""
        _, ours, theirs = lifecycle.close("1001", cross_tenant(), caller(), START + 2 * HOUR)

        assert (after(ours).status, after(theirs).status) == (Status.COMPLETED, Status.COMPLETED)
        assert (ours.tenant_id, theirs.tenant_id) == (HOME, RESOURCE)
        assert caller().actor == ours.actor
        assert ActorKind.SYSTEM is theirs.actor.kind

    def test_pending_is_canceled_and_final_stays(self) -> None:
        """A pending request is canceled, one that ended by its limit is left alone."""
        pending = raised()
        ended = after(approve(raised(asking(requested_seconds=60)))[0])
        _, *steps = lifecycle.close("1001", [pending, ended], caller(), START + 5 * HOUR)

        assert [after(step).status for step in steps] == [Status.CANCELED]

    def test_the_closing_itself_is_a_step(self) -> None:
        """That a support request was closed is written down even when nothing of it was open."""
        (closing,) = lifecycle.close("1001", [], caller(), START + HOUR)

        assert (closing.activity, closing.support_request_id) == (Activity.SUPPORT_REQUEST_CLOSED, "1001")
        assert closing.actor == caller().actor

    def test_a_mirror_is_not_closed_here(self) -> None:
        """A provider's own record does not change by what is done in this store."""
        _, *ended = lifecycle.close("1001", [replace(raised(), source=Source.ENTRA)], caller(), START + HOUR)

        assert ended == []


ACTS: dict[str, tuple[Permission, Callable[[AccessRequest, Caller, str], object]]] = {
    "approve": (
        Permission.DECIDE,
        lambda record, who, etag: lifecycle.approve(
            record, who, etag=etag, reason=None, limit=Limit(), also=(), now=START + HOUR
        ),
    ),
    "reject": (
        Permission.DECIDE,
        lambda record, who, etag: lifecycle.reject(record, who, etag=etag, reason="no", now=START + HOUR),
    ),
    "revoke": (
        Permission.DECIDE,
        lambda record, who, etag: lifecycle.revoke(record, who, etag=etag, reason=None, now=START + HOUR),
    ),
    "withdraw": (
        Permission.RAISE,
        lambda record, who, etag: lifecycle.withdraw(record, who, etag=etag, reason=None, now=START + HOUR),
    ),
    "close": (Permission.RAISE, lambda record, who, _: lifecycle.close("1001", [record], who, START + HOUR)),
    "raise": (
        Permission.RAISE,
        lambda _, who, etag: lifecycle.raise_request(asking(), who, etag, START),
    ),
}
FROM = {"approve": Status.PENDING, "reject": Status.PENDING, "revoke": Status.APPROVED, "withdraw": Status.PENDING}


def standing(status: Status) -> AccessRequest:
    """Return a record of a status, without limits that could run out."""
    return with_etag(replace(raised(asking(requested_seconds=None)), status=status))


@pytest.mark.parametrize("name", ACTS)
def test_each_act_needs_its_permission(name: str) -> None:
    """An act without its permission is Forbidden, whatever else the caller may do, and says which one it is."""
    permission, act = ACTS[name]
    record = standing(FROM.get(name, Status.PENDING))
    with pytest.raises(Forbidden, match=permission):
        act(record, caller(permissions=EVERYTHING - {permission}), record.etag)
    act(record, caller(permissions={permission}), record.etag)


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("name", FROM)
def test_an_act_from_another_status_is_a_conflict_that_names_it(name: str, status: Status) -> None:
    """Each act starts from one status; from any other it is a conflict that says how the request stands."""
    _, act = ACTS[name]
    record = standing(status)
    if status is FROM[name]:
        assert act(record, caller(), record.etag)
        return
    with pytest.raises(Conflict, match=status) as refused:
        act(record, caller(), record.etag)

    assert type(refused.value) is Conflict
    assert str(status) == refused.value.current_status


@pytest.mark.parametrize("name", FROM)
def test_what_was_not_seen_is_not_decided(name: str) -> None:
    """With the entity tag of another version, with none or with a wildcard the act is refused as stale."""
    _, act = ACTS[name]
    record = standing(FROM[name])
    for etag in ('"older"', "", "*", record.etag.strip('"')):
        with pytest.raises(Stale):
            act(record, caller(), etag)


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("name", FROM)
def test_a_mirror_is_decided_elsewhere(name: str, status: Status) -> None:
    """A provider's own record cannot be decided here, whatever its status."""
    _, act = ACTS[name]
    record = with_etag(replace(standing(status), source=Source.ENTRA))
    with pytest.raises(DecidedElsewhere):
        act(record, caller(), record.etag)


@pytest.mark.parametrize("reason", ["", "  ", "x" * 1001, "a\x00b", "\ud800"])
@pytest.mark.parametrize("decide", [lifecycle.reject, lifecycle.revoke, lifecycle.withdraw])
def test_reasons_that_cannot_be_kept(decide: Callable[..., list[Step]], reason: str) -> None:
    """A reason that is empty, too long or not storable is InvalidInput."""
    record = standing(Status.APPROVED if decide is lifecycle.revoke else Status.PENDING)
    with pytest.raises(InvalidInput):
        decide(record, caller(), etag=record.etag, reason=reason, now=START + HOUR)
