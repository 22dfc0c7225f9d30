"""What a later version of the program writes: names that this one does not know, wherever there may be such."""

from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import replace

from supportaccess.domain.audit import Activity, Step
from supportaccess.domain.records import (
    AccessRequest,
    Actor,
    ActorKind,
    Confidence,
    Mirror,
    Source,
    Status,
    tenant_of,
    with_etag,
)
from supportaccess.store.sql.engine import Engine
from supportaccess.store.sql.writes import lock_and_write

ACTIVITY = Activity("Access suspended")
AGENT = Actor(kind=ActorKind("agent"), tenant_id=None, object_id="agent-7", display_name="Agent Seven")
_URGENCY = "UPDATE access_requests SET urgency = 12345 WHERE tenant_id = :tenant_id AND id = :id"


def suspended(record: AccessRequest, at: datetime, status: str = "suspended") -> Step:
    """Return the step by which a later version brings a request to a status of its own."""
    after = with_etag(
        replace(record, status=Status(status), ended_by=AGENT, end_reason="policyViolation", updated_at=at)
    )
    return Step(
        tenant_id=tenant_of(record),
        activity=ACTIVITY,
        actor=AGENT,
        at=at,
        before=record,
        after=after,
        details={"operation": "suspend"},
    )


def mirrored(record: AccessRequest, request_id: str, at: datetime) -> Step:
    """Return the step by which a later version adds a mirror of a source of its own, like a record of ours."""
    mirror = Mirror(confidence=Confidence("guessed"), events=0)
    after = with_etag(
        replace(record, id=request_id, source=Source("someVendor"), mirror=mirror, ended_by=AGENT, updated_at=at)
    )
    return Step(tenant_id=tenant_of(record), activity=Activity("Mirror synced"), actor=AGENT, at=at, after=after)


def noticed(record: AccessRequest, at: datetime) -> Step:
    """Return a step by which a later version writes down what changed nothing of a request."""
    return Step(
        tenant_id=tenant_of(record), activity=Activity("Access used"), actor=AGENT, at=at, access_request_id=record.id
    )


def write(engine: Engine, steps: Iterable[Step]) -> None:
    """Write steps as a later version would: with an urgency that this one would not give such a row."""
    steps = list(steps)
    with engine.writing([step.tenant_id for step in steps]) as session:
        lock_and_write(engine, session, steps, {})
    for step in steps:
        if step.after is not None and not step.after.status.is_known:
            with engine.writing([step.tenant_id]) as session:
                session.run(_URGENCY, {"tenant_id": step.tenant_id, "id": step.after.id})
