"""Examples of what is sent, for the description of the API: made of the structs, so that they cannot go wrong."""

from datetime import UTC, datetime

import msgspec

from supportaccess.domain.audit import Activity
from supportaccess.domain.records import Actor, ActorKind, Source
from supportaccess.domain.source_events import SourceEvent
from supportaccess.store.wire import (
    ApproveBody,
    Body,
    CloseBody,
    EngineerBody,
    ImportHead,
    LimitBody,
    RaiseBody,
    ReasonBody,
    RejectBody,
)

_TENANT = "8d3fc0a1-5a52-4c6e-9c0e-3f5b0a6d2e71"
_NUMBER = "2603010050001234"

_BODIES: tuple[Body, ...] = (
    RaiseBody(
        support_request_id=_NUMBER,
        engineer=EngineerBody(display_name="Erin Engineer", id="erin@provider.example"),
        reason="Sign-in fails for guests",
        title="Guest sign-in",
        requested_seconds=8 * 3600,
    ),
    ApproveBody(reason="agreed on the phone", limit=LimitBody(seconds=4 * 3600)),
    RejectBody(reason="the ticket was solved without it"),
    ReasonBody(reason="no longer needed"),
    CloseBody(),
)
_EVENT = SourceEvent(
    source=Source.ENTRA,
    tenant_id=_TENANT,
    id="Directory_3b1f",
    time=datetime(2026, 3, 1, 9, 30, tzinfo=UTC),
    activity=Activity.REQUEST_CREATED,
    recognised=True,
    format="graph",
    raw='{"id": "Directory_3b1f"}',
    initiator=Actor(kind=ActorKind.APPLICATION, display_name="Microsoft Support"),
    support_request_id=_NUMBER,
)
IMPORT = "\n".join(
    msgspec.json.encode(line).decode() for line in (ImportHead(details={"file": "AuditLogs_2026-03-01.json"}), _EVENT)
)


def of(kind: type) -> object:
    """Return an example of a body, as JSON has it."""
    return next(msgspec.to_builtins(body) for body in _BODIES if type(body) is kind)
