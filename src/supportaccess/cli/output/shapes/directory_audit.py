"""Audit entries as Microsoft Graph's resource type directoryAudit, which is what reads Entra's audit log.

Fields: https://learn.microsoft.com/graph/api/resources/directoryaudit
"""

import json
from collections.abc import Iterator
from datetime import datetime

import msgspec

from supportaccess.cli.output.attempts import tried
from supportaccess.cli.output.fields import Layout
from supportaccess.domain.audit import Activity, AuditEntry, Outcome, outcome_of
from supportaccess.domain.records import Actor, ActorKind
from supportaccess.domain.times import format_rfc3339
from supportaccess.sources.entra.events import CATEGORY, OWN_SERVICE

# The category is Entra's own, so that a filter on it finds these too; the service is not Entra's, so that nothing takes
# a decision of this store for Microsoft's own record. `import` passes it over.

_OPERATIONS = {
    Activity.REQUEST_CREATED: "Add",
    Activity.APPROVAL_APPROVED: "Add",
    Activity.APPROVAL_REMOVED: "Delete",
    Activity.IMPORT: "Other",
    Activity.ACCESS_DENIED: "Other",
    Activity.ATTEMPT_FAILED: "Other",
    Activity.LOG_READ: "Other",
}


class _Struct(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of what Graph has: what is not known is null, as there."""


class UserIdentity(_Struct, frozen=True, kw_only=True):
    """Graph's userIdentity."""

    id: str | None = None
    display_name: str | None = None
    user_principal_name: str | None = None
    ip_address: str | None = None


class AppIdentity(_Struct, frozen=True, kw_only=True):
    """Graph's appIdentity."""

    app_id: str | None = None
    display_name: str | None = None
    service_principal_id: str | None = None
    service_principal_name: str | None = None


class Initiator(_Struct, frozen=True, kw_only=True):
    """Graph's auditActivityInitiator: one of the two is null."""

    user: UserIdentity | None = None
    app: AppIdentity | None = None


class ModifiedProperty(_Struct, frozen=True, kw_only=True):
    """Graph's modifiedProperty. Values are JSON text, as Entra writes them."""

    display_name: str
    old_value: str | None = None
    new_value: str | None = None


class TargetResource(_Struct, frozen=True, kw_only=True):
    """Graph's targetResource."""

    id: str | None = None
    display_name: str | None = None
    type: str
    user_principal_name: str | None = None
    group_type: str | None = None
    modified_properties: tuple[ModifiedProperty, ...] = ()


class KeyValue(_Struct, frozen=True, kw_only=True):
    """Graph's keyValue."""

    key: str
    value: str


class DirectoryAudit(_Struct, frozen=True, kw_only=True):
    """Graph's directoryAudit."""

    id: str
    category: str = CATEGORY
    correlation_id: str | None = None
    result: str
    result_reason: str = ""
    activity_display_name: str
    activity_date_time: datetime
    logged_by_service: str = OWN_SERVICE
    operation_type: str
    initiated_by: Initiator
    target_resources: tuple[TargetResource, ...] = ()
    additional_details: tuple[KeyValue, ...] = ()


DIRECTORY_AUDITS = Layout(
    DirectoryAudit,
    ("id", "activityDateTime", "activityDisplayName", "result", "resultReason", "correlationId"),
    "id",
)


def directory_audit(entry: AuditEntry) -> DirectoryAudit:
    """Return the entry in that form. An access request's ID is the correlation ID: both tenants' logs have it."""
    outcome = outcome_of(entry.activity)
    return DirectoryAudit(
        id=f"{OWN_SERVICE}_{entry.tenant_id}_{entry.sequence}",
        correlation_id=entry.access_request_id,
        result="success" if outcome is Outcome.SUCCESS else "failure",
        result_reason=entry.reason or "" if outcome is Outcome.SUCCESS else tried(entry),
        activity_display_name=entry.activity.value,
        activity_date_time=entry.time,
        operation_type=_OPERATIONS.get(entry.activity, "Update" if entry.activity.is_known else "Other"),
        initiated_by=_initiator(entry.actor),
        target_resources=tuple(_targets(entry)),
        additional_details=tuple(_details(entry)),
    )


def _initiator(actor: Actor) -> Initiator:
    match actor.kind:
        case ActorKind.APPLICATION:
            return Initiator(app=AppIdentity(service_principal_id=actor.object_id, display_name=actor.display_name))
        case ActorKind.SYSTEM:
            return Initiator(app=AppIdentity(display_name=OWN_SERVICE))
        case _:
            return Initiator(user=UserIdentity(id=actor.object_id, display_name=actor.display_name))


def _targets(entry: AuditEntry) -> Iterator[TargetResource]:
    if entry.access_request_id is not None:
        yield TargetResource(
            id=entry.access_request_id,
            display_name=entry.support_request_id,
            type="SupportAccessRequest",
            modified_properties=tuple(_modified(entry)),
        )
    elif entry.support_request_id is not None:
        yield TargetResource(id=entry.support_request_id, display_name=entry.support_request_id, type="SupportRequest")


def _modified(entry: AuditEntry) -> Iterator[ModifiedProperty]:
    before, after = entry.status_before, entry.status_after
    if after != before:
        old, new = (None if status is None else json.dumps(status) for status in (before, after))
        yield ModifiedProperty(display_name="status", old_value=old, new_value=new)
    if entry.expires_at is not None:
        yield ModifiedProperty(display_name="expiresAt", new_value=json.dumps(format_rfc3339(entry.expires_at)))


def _details(entry: AuditEntry) -> Iterator[KeyValue]:
    told = {
        "supportRequestId": entry.support_request_id,
        "tenantId": entry.tenant_id,
        "sequence": str(entry.sequence),
        "actorKind": entry.actor.kind.value,
        "actorTenantId": entry.actor.tenant_id,
        "seen": entry.seen,
        "record": entry.record,
        "idempotencyKey": entry.idempotency_key,
        "reason": None if outcome_of(entry.activity) is Outcome.SUCCESS else entry.reason,
        **{name: str(value) for name, value in (entry.details or {}).items()},
    }
    yield from (KeyValue(key=key, value=value) for key, value in told.items() if value is not None)
