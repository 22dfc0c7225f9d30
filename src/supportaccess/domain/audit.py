"""The entries of the audit log, and what came of what each tells of."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from supportaccess.domain.records import AccessRequest, Actor, Status, canonical_json
from supportaccess.errors import InvalidInput
from supportaccess.structs import OpenName, Struct

FORMAT_VERSION = 1
LARGEST_ENTRY = 16 * 1024


class Activity(OpenName):
    """What an entry tells of. The first six are named as in a vendor's own audit log."""

    REQUEST_CREATED = "Request created"
    REQUEST_APPROVED = "Request approved"
    REQUEST_REJECTED = "Request rejected"
    REQUEST_CANCELED = "Request canceled"
    APPROVAL_APPROVED = "Approval approved"
    APPROVAL_REMOVED = "Approval removed"
    SUPPORT_REQUEST_CLOSED = "Support request closed"
    LIMIT_REACHED = "Limit reached"
    DEADLINE_PASSED = "Deadline passed"
    IMPORT = "Import"
    MIRROR_UPDATED = "Mirror updated"
    MIRROR_MERGED = "Mirror merged"
    KEY_ROTATED = "Key rotated"
    ROLLBACK_RECORDED = "Rollback recorded"
    ACCESS_DENIED = "Access denied"
    ATTEMPT_FAILED = "Attempt failed"
    LOG_READ = "Audit log read"


class Step(Struct, frozen=True, kw_only=True):
    """One change of one tenant's record, with what its audit entry says.

    `seen` is the hash of the record as the actor saw it. With `before` and without `after` the record is no more (a
    merged mirror); with neither, the step is about a whole support request or an import, or nothing was done.
    `access_request_id` is then what somebody named, whether or not there is such a record.
    """

    tenant_id: str
    activity: Activity
    actor: Actor
    at: datetime
    before: AccessRequest | None = None
    after: AccessRequest | None = None
    access_request_id: str | None = None
    support_request_id: str | None = None
    seen: str | None = None
    reason: str | None = None
    details: Mapping[str, str | int] | None = None

    @property
    def subject(self) -> AccessRequest | None:
        """The record that the step is about."""
        return self.after or self.before


class AuditEntry(Struct, frozen=True, kw_only=True):
    """One entry of a tenant's audit log. Its canonical JSON is what is hashed and kept.

    `sequence` is the leaf's index in the tree, from 0. `record` is the hash of the record after the step.
    """

    format_version: int
    sequence: int
    time: datetime
    tenant_id: str
    activity: Activity
    actor: Actor
    access_request_id: str | None = None
    support_request_id: str | None = None
    seen: str | None = None
    record: str | None = None
    status_before: Status | None = None
    status_after: Status | None = None
    reason: str | None = None
    expires_at: datetime | None = None
    idempotency_key: str | None = None
    details: Mapping[str, str | int] | None = None


def entry_of(step: Step, sequence: int, idempotency_key: str | None) -> AuditEntry:
    """Return the audit entry of a step at its place in the log."""
    subject, after = step.subject, step.after
    return AuditEntry(
        format_version=FORMAT_VERSION,
        sequence=sequence,
        time=step.at,
        tenant_id=step.tenant_id,
        activity=step.activity,
        actor=step.actor,
        access_request_id=subject.id if subject else step.access_request_id,
        support_request_id=subject.support_request_id if subject else step.support_request_id,
        seen=step.seen,
        record=after.etag.strip('"') if after else None,
        status_before=step.before.status if step.before else None,
        status_after=after.status if after else None,
        reason=step.reason,
        expires_at=after.expires_at if after else None,
        idempotency_key=idempotency_key,
        details=step.details,
    )


def encode_entry(entry: AuditEntry) -> bytes:
    """Return the exact bytes that are hashed and kept. Raises InvalidInput above `LARGEST_ENTRY` bytes."""
    data = canonical_json(entry)
    if len(data) > LARGEST_ENTRY:
        raise InvalidInput(f"an audit entry of {len(data):,} bytes is over the limit of {LARGEST_ENTRY:,}")
    return data


class Outcome(StrEnum):
    """Whether it was done, failed, or was refused to somebody who may not."""

    SUCCESS = "success"
    FAILURE = "failure"
    DENIED = "denied"


_OTHERS = {Activity.ATTEMPT_FAILED: Outcome.FAILURE, Activity.ACCESS_DENIED: Outcome.DENIED}
"""The activities that tell of what was not done. All others are written only together with what they tell of."""


def outcome_of(activity: Activity) -> Outcome:
    """Return what came of an activity."""
    return _OTHERS.get(activity, Outcome.SUCCESS)


def activities_with(outcome: Outcome) -> frozenset[Activity]:
    """Return the activities with that outcome."""
    return frozenset(activity for activity in Activity if outcome_of(activity) is outcome)
