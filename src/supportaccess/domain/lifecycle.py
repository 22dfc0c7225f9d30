"""How a request moves from status to status, in the view of each tenant that may see it.

A request whose ticket and data are in one tenant has one record. A cross-tenant request has one record in the support
request tenant from its creation, and one in the resource tenant from its approval; what the resource tenant does to
its own record never touches the other.

Every function takes the records as stored, the present moment (UTC), and returns the steps to write. Nothing is
changed when one raises.
"""

from collections.abc import Collection, Iterable
from datetime import datetime

from msgspec.structs import replace

from supportaccess.domain.audit import Activity, Step
from supportaccess.domain.expiry import SYSTEM, Limit, Seconds, as_of, check_seconds, end_of
from supportaccess.domain.permissions import Caller, Permission
from supportaccess.domain.records import (
    IDENTITY_DIAGNOSTIC_DATA,
    READ,
    AccessRequest,
    Actor,
    Engineer,
    Moment,
    Side,
    Source,
    Status,
    tenant_of,
    with_etag,
)
from supportaccess.domain.tenants import TenantId, parse_tenant_id
from supportaccess.domain.text import (
    LONGEST_NAME,
    LONGEST_REASON,
    LONGEST_TITLE,
    Reason,
    SupportRequestId,
    Title,
    check_support_request_id,
    check_text,
)
from supportaccess.errors import (
    Conflict,
    DecidedElsewhere,
    Forbidden,
    InvalidInput,
    ProofRequired,
    Stale,
)
from supportaccess.structs import Struct


class NewRequest(Struct, frozen=True, kw_only=True):
    """What the provider asks for: over the wire as it is here.

    Without a resource tenant, the data is in the tenant of the support request.
    """

    support_request_id: SupportRequestId
    engineer: Engineer
    reason: Reason
    title: Title | None = None
    resource_tenant_id: TenantId | None = None
    requested_seconds: Seconds | None = None
    decide_by: Moment | None = None


def raise_request(asked: NewRequest, caller: Caller, request_id: str, now: datetime) -> Step:
    """Create a pending request in the caller's tenant. Raises Forbidden, InvalidInput."""
    caller.require(Permission.RAISE)
    elsewhere = asked.resource_tenant_id
    resource_tenant = caller.tenant_id if elsewhere is None else parse_tenant_id(elsewhere)
    if asked.decide_by is not None and asked.decide_by <= now:
        raise InvalidInput("the deadline for the decision has already passed")
    if asked.requested_seconds is not None:
        check_seconds(asked.requested_seconds)
    if asked.engineer.display_name is None:
        raise InvalidInput("the engineer has no name")
    record = AccessRequest(
        id=request_id,
        support_request_id=check_support_request_id(asked.support_request_id),
        title=None if asked.title is None else check_text("the title", asked.title, LONGEST_TITLE),
        status=Status.PENDING,
        source=Source.STORE,
        side=Side.BOTH if resource_tenant == caller.tenant_id else Side.SUPPORT_REQUEST,
        support_request_tenant_id=caller.tenant_id,
        resource_tenant_id=resource_tenant,
        scope=IDENTITY_DIAGNOSTIC_DATA,
        access_level=READ,
        engineer=Engineer(
            id=None if asked.engineer.id is None else check_text("the engineer's ID", asked.engineer.id, LONGEST_NAME),
            display_name=check_text("the engineer's name", asked.engineer.display_name, LONGEST_NAME),
        ),
        reason=check_text("the reason", asked.reason, LONGEST_REASON),
        created_at=now,
        decide_by=asked.decide_by,
        requested_seconds=asked.requested_seconds,
        updated_at=now,
    )
    return Step(
        tenant_id=caller.tenant_id,
        activity=Activity.REQUEST_CREATED,
        actor=caller.actor,
        at=now,
        after=with_etag(record),
        reason=record.reason,
    )


def approve(
    record: AccessRequest,
    caller: Caller,
    *,
    etag: str,
    reason: str | None,
    limit: Limit,
    also: Iterable[Caller],
    now: datetime,
) -> list[Step]:
    """Open the access. `also` are the caller's proofs for other tenants: a cross-tenant approval needs both.

    Raises Forbidden, DecidedElsewhere, Conflict, Stale, InvalidInput.
    """
    caller.require(Permission.DECIDE)
    _expect(record, Status.PENDING, "approved", etag, now)
    in_resource_tenant = _caller_in(record.resource_tenant_id, caller, tuple(also))
    in_resource_tenant.require(Permission.DECIDE)
    reason = _checked(reason)
    approved = with_etag(
        replace(
            record,
            status=Status.APPROVED,
            decided_at=now,
            decided_by=caller.actor,
            decision_reason=reason,
            starts_at=now,
            expires_at=end_of(record, limit, now),
            updated_at=now,
        )
    )
    seen = record.etag.strip('"')
    step = Step(
        tenant_id=tenant_of(record),
        activity=Activity.REQUEST_APPROVED,
        actor=caller.actor,
        at=now,
        before=record,
        after=approved,
        seen=seen,
        reason=reason,
    )
    if record.side is Side.BOTH:
        return [step]
    approval = with_etag(replace(approved, side=Side.RESOURCE, decided_by=in_resource_tenant.actor, etag=""))
    return [
        step,
        Step(
            tenant_id=tenant_of(approval),
            activity=Activity.APPROVAL_APPROVED,
            actor=in_resource_tenant.actor,
            at=now,
            after=approval,
            reason=reason,
        ),
    ]


def reject(record: AccessRequest, caller: Caller, *, etag: str, reason: str, now: datetime) -> list[Step]:
    """Refuse the request: in the support request tenant alone. Raises Forbidden, DecidedElsewhere, Conflict, Stale."""
    caller.require(Permission.DECIDE)
    _expect(record, Status.PENDING, "rejected", etag, now)
    reason = check_text("the reason", reason, LONGEST_REASON)
    rejected = replace(
        record,
        status=Status.REJECTED,
        decided_at=now,
        decided_by=caller.actor,
        decision_reason=reason,
        ended_at=now,
        ended_by=caller.actor,
        end_reason=reason,
        updated_at=now,
    )
    return [_decided(record, rejected, Activity.REQUEST_REJECTED, caller.actor, now, reason)]


def revoke(record: AccessRequest, caller: Caller, *, etag: str, reason: str | None, now: datetime) -> list[Step]:
    """End open access before its time, in the resource tenant alone.

    Raises Forbidden, DecidedElsewhere, Conflict, Stale.
    """
    caller.require(Permission.DECIDE)
    # Answered before the status is looked at, so that it says nothing of what the resource tenant did.
    check_revocable_here(record)
    _expect(record, Status.APPROVED, "revoked", etag, now)
    reason = _checked(reason)
    revoked = replace(
        record, status=Status.REVOKED, ended_at=now, ended_by=caller.actor, end_reason=reason, updated_at=now
    )
    return [_decided(record, revoked, Activity.APPROVAL_REMOVED, caller.actor, now, reason)]


def check_revocable_here(record: AccessRequest) -> None:
    """Raise Forbidden for the support request tenant's record of a cross-tenant request."""
    if record.source is Source.STORE and record.side is Side.SUPPORT_REQUEST:
        raise Forbidden(
            f"the access of {record.id} is in another tenant, and only that tenant can revoke it",
            hint=f"supportaccess revoke {record.id} --tenant {record.resource_tenant_id}",
        )


def withdraw(record: AccessRequest, caller: Caller, *, etag: str, reason: str | None, now: datetime) -> list[Step]:
    """Take a pending request back, as the provider. Raises Forbidden, DecidedElsewhere, Conflict, Stale."""
    caller.require(Permission.RAISE)
    _expect(record, Status.PENDING, "withdrawn", etag, now)
    reason = _checked(reason)
    canceled = replace(
        record,
        status=Status.CANCELED,
        ended_at=now,
        ended_by=caller.actor,
        end_reason=reason or "withdrawn by the provider",
        updated_at=now,
    )
    return [_decided(record, canceled, Activity.REQUEST_CANCELED, caller.actor, now, reason)]


def close(support_request_id: str, records: Iterable[AccessRequest], caller: Caller, now: datetime) -> list[Step]:
    """Close a support request and end what is open of it, in both tenants: pending is canceled, approved is completed.

    `records` are those of the support request in the caller's tenant and their counterparts in resource tenants.
    """
    caller.require(Permission.RAISE)
    closing = Step(
        tenant_id=caller.tenant_id,
        activity=Activity.SUPPORT_REQUEST_CLOSED,
        actor=caller.actor,
        at=now,
        support_request_id=support_request_id,
    )
    ended = (_closed(as_of(record, now), caller, now) for record in records)
    return [closing, *(step for step in ended if step is not None)]


def _closed(record: AccessRequest, caller: Caller, now: datetime) -> Step | None:
    if record.source is not Source.STORE or record.status not in {Status.PENDING, Status.APPROVED}:
        return None
    pending = record.status is Status.PENDING
    # The resource tenant learns that the ticket was closed, not who in the other tenant's directory did it.
    actor = SYSTEM if record.side is Side.RESOURCE else caller.actor
    after = replace(
        record,
        status=Status.CANCELED if pending else Status.COMPLETED,
        ended_at=now,
        ended_by=actor,
        end_reason="support request closed",
        updated_at=now,
    )
    if pending:
        activity = Activity.REQUEST_CANCELED
    elif record.side is Side.SUPPORT_REQUEST:
        activity = Activity.SUPPORT_REQUEST_CLOSED
    else:
        activity = Activity.APPROVAL_REMOVED
    return Step(
        tenant_id=tenant_of(record),
        activity=activity,
        actor=actor,
        at=now,
        before=record,
        after=with_etag(after),
        reason="support request closed",
    )


def _decided(
    before: AccessRequest,
    after: AccessRequest,
    activity: Activity,
    actor: Actor,
    now: datetime,
    reason: str | None,
) -> Step:
    return Step(
        tenant_id=tenant_of(before),
        activity=activity,
        actor=actor,
        at=now,
        before=before,
        after=with_etag(after),
        seen=before.etag.strip('"'),
        reason=reason,
    )


def _expect(record: AccessRequest, status: Status, participle: str, etag: str, now: datetime) -> None:
    """Refuse what the status forbids; then what is not the record that was shown."""
    if record.source is not Source.STORE:
        raise DecidedElsewhere(f"{record.id} is a mirror of the provider's own record and cannot be {participle} here")
    current = as_of(record, now)
    if current.status is not status:
        raise Conflict(
            f"{record.id} is {current.status} and cannot be {participle}",
            current_status=current.status,
            hint=f"supportaccess show {record.id}",
        )
    if etag != record.etag:
        raise Stale(
            f"{record.id} changed after it was shown",
            current_status=current.status,
            hint=f"Look at it again: supportaccess show {record.id}",
        )


def _caller_in(tenant_id: str | None, caller: Caller, also: Collection[Caller]) -> Caller:
    check_proven(tenant_id, [caller.tenant_id, *(other.tenant_id for other in also)])
    return next(proven for proven in (caller, *also) if proven.tenant_id == tenant_id)


def check_proven(resource_tenant_id: str | None, tenant_ids: Collection[str]) -> None:
    """Raise ProofRequired unless the tenant is among those that the caller has proven to be of."""
    if resource_tenant_id not in tenant_ids:
        raise ProofRequired(
            f"a cross-tenant request is approved by somebody who may decide in both tenants; "
            f"there is no sign-in to the resource tenant {resource_tenant_id}",
            resource_tenant_id=resource_tenant_id,
            hint=f"supportaccess tenant set {resource_tenant_id}",
        )


def _checked(reason: str | None) -> str | None:
    return None if reason is None else check_text("the reason", reason, LONGEST_REASON)
