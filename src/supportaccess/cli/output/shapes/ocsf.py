"""Audit entries as events of the Open Cybersecurity Schema Framework, class Entity Management, for a SIEM.

Definition: https://schema.ocsf.io/1.8.0/classes/entity_management. Why OCSF and not CEF, and why this class:
docs/decisions/0012-ocsf-for-a-siem.md.
"""

from typing import Any

import msgspec

from supportaccess import __version__
from supportaccess.cli.output.attempts import tried
from supportaccess.cli.output.fields import Layout
from supportaccess.domain.audit import Activity, AuditEntry, Outcome, outcome_of
from supportaccess.domain.records import Actor, ActorKind
from supportaccess.domain.times import to_microseconds

OCSF_VERSION = "1.8.0"
CLASS_UID = 3004
_CREATE, _READ, _UPDATE, _OTHER = 1, 2, 3, 99
_ACTIVITY_NAMES = {_CREATE: "Create", _READ: "Read", _UPDATE: "Update"}
_ACTIVITIES = {
    Activity.REQUEST_CREATED: _CREATE,
    Activity.APPROVAL_APPROVED: _CREATE,
    Activity.IMPORT: _OTHER,
    Activity.ACCESS_DENIED: _OTHER,
    Activity.ATTEMPT_FAILED: _OTHER,
    Activity.LOG_READ: _READ,
}
_SEVERITIES = {Outcome.SUCCESS: (1, "Informational"), Outcome.FAILURE: (2, "Low"), Outcome.DENIED: (3, "Medium")}
_USER, _SYSTEM = 1, 3
_USER_TYPES = {ActorKind.USER: "User", ActorKind.LOCAL: "Local account"}


class EntityManagement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An event of class 3004. The names are OCSF's; `metadata.event_code` is the activity's own name here."""

    activity_id: int
    activity_name: str
    actor: dict[str, Any]
    category_uid: int
    category_name: str
    class_uid: int
    class_name: str
    comment: str | None = None
    entity: dict[str, Any]
    message: str
    metadata: dict[str, Any]
    severity_id: int
    severity: str
    status_id: int
    status: str
    status_code: str | None = None
    status_detail: str | None = None
    time: int
    type_uid: int
    type_name: str
    unmapped: dict[str, Any] | None = None


OCSF_EVENTS = Layout(EntityManagement, ("time", "type_name", "message", "status", "severity"), "time")


def ocsf_event(entry: AuditEntry) -> EntityManagement:
    """Return the entry as an event. What was given as a reason is its comment, why it was refused the detail."""
    outcome = outcome_of(entry.activity)
    done = outcome is Outcome.SUCCESS
    activity = _ACTIVITIES.get(entry.activity, _UPDATE if entry.activity.is_known else _OTHER)
    name = _ACTIVITY_NAMES.get(activity, entry.activity.value)
    severity_id, severity = _SEVERITIES[outcome]
    return EntityManagement(
        activity_id=activity,
        activity_name=name,
        actor=_actor(entry.actor),
        category_uid=CLASS_UID // 1000,
        category_name="Identity & Access Management",
        class_uid=CLASS_UID,
        class_name="Entity Management",
        comment=entry.reason,
        entity=_entity(entry),
        message=entry.activity.value,
        metadata=_metadata(entry),
        severity_id=severity_id,
        severity=severity,
        status_id=1 if done else 2,
        status="Success" if done else "Failure",
        status_code=None if done else outcome.value,
        status_detail=None if done else tried(entry) or None,
        time=to_microseconds(entry.time) // 1000,
        type_uid=CLASS_UID * 100 + activity,
        type_name=f"Entity Management: {name}",
        unmapped=_unmapped(entry),
    )


def _metadata(entry: AuditEntry) -> dict[str, Any]:
    return _known(
        version=OCSF_VERSION,
        product={"name": "supportaccess", "vendor_name": "supportaccess", "version": __version__},
        uid=f"supportaccess_{entry.tenant_id}_{entry.sequence}",
        sequence=entry.sequence,
        event_code=entry.activity.value,
        correlation_uid=entry.access_request_id,
        tenant_uid=entry.tenant_id,
        log_name="audit log",
        log_version=str(entry.format_version),
    )


def _actor(actor: Actor) -> dict[str, Any]:
    match actor.kind:
        case ActorKind.APPLICATION:
            told = _known(app_uid=actor.object_id, app_name=actor.display_name)
            return told or {"app_name": "an application"}
        case ActorKind.SYSTEM:
            user = {"name": "supportaccess", "type_id": _SYSTEM, "type": "System"}
        case kind:
            user = _known(
                uid=actor.object_id,
                name=actor.display_name or (None if actor.object_id else "unknown"),
                type_id=_USER if kind is ActorKind.USER else _OTHER,
                type=_USER_TYPES.get(kind, kind.value),
                org={"uid": actor.tenant_id} if actor.tenant_id else None,
            )
    return {"user": user}


def _entity(entry: AuditEntry) -> dict[str, Any]:
    if entry.access_request_id is not None:
        changed = _known(
            supportRequestId=entry.support_request_id,
            statusBefore=entry.status_before,
            statusAfter=entry.status_after,
            expiresAt=entry.expires_at,
        )
        told = {"uid": entry.access_request_id, "type": "Access Request", "data": changed}
    elif entry.support_request_id is not None:
        told = {"uid": entry.support_request_id, "type": "Support Request"}
    else:
        told = {"uid": entry.tenant_id, "type": "Audit Log"}
    return {**told, "type_id": _OTHER}


def _unmapped(entry: AuditEntry) -> dict[str, Any] | None:
    told = _known(seen=entry.seen, record=entry.record, idempotencyKey=entry.idempotency_key)
    return {**told, **(entry.details or {})} or None


def _known(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
