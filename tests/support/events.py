"""Events of a provider's record, as the readers of exports make them."""

from datetime import datetime, timedelta

from tests.support.people import HOME, START

from supportaccess.domain.audit import Activity
from supportaccess.domain.records import Actor, ActorKind, Source
from supportaccess.domain.source_events import SourceEvent

CREATED = Activity.REQUEST_CREATED
APPROVED = Activity.REQUEST_APPROVED
REJECTED = Activity.REQUEST_REJECTED
CANCELED = Activity.REQUEST_CANCELED
APPROVAL = Activity.APPROVAL_APPROVED
REMOVED = Activity.APPROVAL_REMOVED

PERSON = Actor(kind=ActorKind.USER, object_id="u-1", display_name="Ada Administrator")
SYSTEM_APP = Actor(kind=ActorKind.APPLICATION, object_id="a-1", display_name="Microsoft Support")
TICKET = "2603010050001234"


def event(
    activity: str,
    minute: float = 0,
    *,
    tenant_id: str = HOME,
    event_id: str | None = None,
    by: Actor | None = SYSTEM_APP,
    ticket: str | None = TICKET,
    correlation: str | None = None,
    targets: tuple[str, ...] = (),
    result: str | None = "success",
    recognised: bool = True,
    id_derived: bool = False,
) -> SourceEvent:
    """Return an event so many minutes after the start; its ID follows from what tells it apart."""
    identifier = event_id or f"{activity}|{minute}|{correlation}|{ticket}"
    return SourceEvent(
        source=Source.ENTRA,
        tenant_id=tenant_id,
        id=identifier,
        time=at(minute),
        activity=activity,
        recognised=recognised,
        format="graph",
        raw=f'{{"id": "{identifier}"}}',
        id_derived=id_derived,
        category="MicrosoftSupportAccessManagement",
        service="Core Directory",
        result=result,
        correlation_id=correlation,
        initiator=by,
        support_request_id=ticket,
        target_ids=targets,
    )


def at(minute: float) -> datetime:
    """Return the moment so many minutes after the start."""
    return START + timedelta(minutes=minute)
