"""Rebuilds access requests from the events of Entra's audit log.

The meaning of the six activities, and which tenant's log has which, is Microsoft's documentation where it speaks and
an inference where it is silent; docs/entra-audit-log.md tells the two apart, and every inferred field of a record is
named in its `mirror.inferred`. Nothing else is filled in: what the events do not tell stays absent.

The result depends on the set of events alone, never on the order or the portions in which they were read.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from msgspec.structs import replace

from supportaccess.domain.audit import Activity
from supportaccess.domain.records import (
    IDENTITY_DIAGNOSTIC_DATA,
    READ,
    AccessRequest,
    Actor,
    ActorKind,
    Confidence,
    Mirror,
    Side,
    Status,
    with_etag,
)
from supportaccess.domain.source_events import SourceEvent

_IN_SUPPORT_REQUEST_TENANT = (
    Activity.REQUEST_CREATED,
    Activity.REQUEST_APPROVED,
    Activity.REQUEST_REJECTED,
    Activity.REQUEST_CANCELED,
)
_IN_RESOURCE_TENANT = (Activity.APPROVAL_APPROVED, Activity.APPROVAL_REMOVED)
ENTRA_ACTIVITIES = frozenset({*_IN_SUPPORT_REQUEST_TENANT, *_IN_RESOURCE_TENANT})
"""The activities of category MicrosoftSupportAccessManagement, by Microsoft's list of audit activities."""

# Events of one moment are taken in the order in which they can only have happened.
_RANK = {
    activity: rank
    for rank, activity in enumerate(
        (
            Activity.REQUEST_CREATED,
            Activity.REQUEST_APPROVED,
            Activity.APPROVAL_APPROVED,
            Activity.REQUEST_REJECTED,
            Activity.REQUEST_CANCELED,
            Activity.APPROVAL_REMOVED,
        )
    )
}
# The system makes the approval in the resource tenant right after the decision; two logs' clocks may differ a little.
_CLOCKS_APART = timedelta(minutes=5)

_Content = tuple[str, str | None, str, datetime]
"""What tells an event without an ID: tenant, correlation ID, activity, second."""


@dataclass
class Rebuilt:
    """A mirror with every event that tells of it."""

    tenant_id: str
    record: AccessRequest
    events: list[SourceEvent]


@dataclass
class _Request:
    """What the events read so far tell of one request, in one tenant's log."""

    tenant_id: str
    events: list[SourceEvent] = field(default_factory=list)
    status: Status | None = None
    created_at: datetime | None = None
    decided_at: datetime | None = None
    decided_by: Actor | None = None
    starts_at: datetime | None = None
    ended_at: datetime | None = None
    ended_by: Actor | None = None
    end_reason: str | None = None
    inferred: set[str] = field(default_factory=set)
    unplaced: int = 0
    paired: bool = False
    partner_tenant_id: str | None = None
    partner_support_request_id: str | None = None
    joined_by: str | None = None

    @property
    def seen(self) -> set[str]:
        return {event.activity for event in self.events if event.succeeded}

    @property
    def joining(self) -> list[SourceEvent]:
        """The events that tie it to the other tenant's half: the approval itself, where it was read."""
        if self.starts_at is None:
            return self.events
        return [event for event in self.events if event.activity == Activity.APPROVAL_APPROVED and event.succeeded]

    @property
    def support_request_id(self) -> str | None:
        return _support_request(self.events)

    @property
    def correlation_ids(self) -> set[str]:
        return {event.correlation_id for event in self.events if event.correlation_id}

    @property
    def side(self) -> Side:
        if not self.seen.intersection(_IN_RESOURCE_TENANT):
            return Side.SUPPORT_REQUEST
        return Side.BOTH if self.seen.intersection(_IN_SUPPORT_REQUEST_TENANT) else Side.RESOURCE

    def fits(self, events: Sequence[SourceEvent]) -> bool:
        """Whether the events can be the next steps of this request."""
        first = next((event for event in events if event.succeeded), None)
        if first is None:
            return False
        match self.status:
            case Status.PENDING:
                return first.activity != Activity.REQUEST_CREATED
            case Status.APPROVED:
                return first.activity == Activity.APPROVAL_REMOVED or (
                    first.activity == Activity.APPROVAL_APPROVED and self.starts_at is None
                )
            case _:
                return False

    def take(self, events: Iterable[SourceEvent]) -> None:
        for event in sorted(events, key=_order):
            self.events.append(event)
            if event.succeeded and not self._step(event):
                self.unplaced += 1

    def _step(self, event: SourceEvent) -> bool:
        """Apply one event; False when the request's status leaves no place for it."""
        if event.result is None:
            self.inferred.add("status")  # that it took effect is not told
        undecided = self.status in {None, Status.PENDING}
        match event.activity:
            case Activity.REQUEST_CREATED if self.status is None:
                self.status, self.created_at = Status.PENDING, event.time
            case Activity.REQUEST_APPROVED if undecided:
                self._decide(Status.APPROVED, event)
            case Activity.APPROVAL_APPROVED if undecided or (self.status is Status.APPROVED and self.starts_at is None):
                if undecided and _is_person(event.initiator):
                    self.decided_at, self.decided_by = event.time, event.initiator
                    self.inferred.update({"decidedAt", "decidedBy"})
                self.status, self.starts_at = Status.APPROVED, event.time
            case Activity.REQUEST_REJECTED if undecided:
                self._decide(Status.REJECTED, event)
                self.ended_at, self.ended_by = event.time, event.initiator
            case Activity.REQUEST_CANCELED if undecided:
                self.status, self.ended_at, self.ended_by = Status.CANCELED, event.time, event.initiator
                self.inferred.add("status")  # Microsoft nowhere says what canceling is
            case Activity.APPROVAL_REMOVED if undecided or self.status is Status.APPROVED:
                self._remove(event)
            case _:
                return False
        return True

    def _decide(self, status: Status, event: SourceEvent) -> None:
        self.status, self.decided_at, self.decided_by = status, event.time, event.initiator

    def _remove(self, event: SourceEvent) -> None:
        self.ended_at, self.ended_by = event.time, event.initiator
        # Both ways to end access have one activity; which one it was is told by who did it.
        self.inferred.add("status")
        if event.initiator is None or _is_person(event.initiator):
            self.status = Status.REVOKED
        else:
            self.status, self.end_reason = Status.COMPLETED, "support request closed"
            self.inferred.add("endReason")

    def record(self) -> AccessRequest:
        """Return the record that this request is shown as."""
        if self.status is None:
            raise ValueError("a request without a step has no record")
        side, inferred = self.side, set(self.inferred)
        in_support_tenant, in_resource_tenant = side is not Side.RESOURCE, side is not Side.SUPPORT_REQUEST
        # Which tenant's log has which half is not documented in so many words.
        inferred.add("side")
        inferred.update(["supportRequestTenantId"] if in_support_tenant else [])
        inferred.update(["resourceTenantId"] if in_resource_tenant else [])
        support_request_id = self.support_request_id or self.partner_support_request_id
        if support_request_id:
            inferred.add("supportRequestId")
        if self.partner_tenant_id:
            inferred.add("resourceTenantId" if in_support_tenant else "supportRequestTenantId")
        ordered = sorted(self.events, key=_order)
        first = next((event for event in ordered if event.activity == Activity.REQUEST_CREATED), ordered[0])
        return with_etag(
            AccessRequest(
                id=first.request_id,
                support_request_id=support_request_id,
                status=self.status,
                source=first.source,
                side=side,
                support_request_tenant_id=self.tenant_id if in_support_tenant else self.partner_tenant_id,
                resource_tenant_id=self.tenant_id if in_resource_tenant else self.partner_tenant_id,
                scope=IDENTITY_DIAGNOSTIC_DATA,
                access_level=READ,
                created_at=self.created_at,
                decided_at=self.decided_at,
                decided_by=self.decided_by,
                starts_at=self.starts_at,
                ended_at=self.ended_at,
                ended_by=self.ended_by,
                end_reason=self.end_reason,
                updated_at=ordered[-1].time,
                mirror=Mirror(
                    confidence=self._confidence(side, inferred),
                    events=len(self.events),
                    inferred=tuple(sorted(inferred)),
                    joined_by=self.joined_by,
                    unplaced=self.unplaced,
                ),
            )
        )

    def _confidence(self, side: Side, inferred: set[str]) -> Confidence:
        if "status" in inferred:
            return Confidence.INFERRED
        seen = self.seen
        missing = (side is not Side.RESOURCE and Activity.REQUEST_CREATED not in seen) or (
            side is not Side.SUPPORT_REQUEST and Activity.APPROVAL_APPROVED not in seen
        )
        return Confidence.PARTIAL if missing else Confidence.READ


def rebuild(events: Iterable[SourceEvent]) -> list[Rebuilt]:
    """Return the mirrors that a set of connected events tells of, one for each tenant that sees the request.

    Pass every event known that shares a key with any other of the set, of all tenants that the reader may see.
    """
    kept, doubles = _without_doubles(events)
    by_tenant: defaultdict[str, list[SourceEvent]] = defaultdict(list)
    for event in kept:
        by_tenant[event.tenant_id].append(event)
    requests = [
        request for tenant_id, of_tenant in sorted(by_tenant.items()) for request in _requests(tenant_id, of_tenant)
    ]
    _join(requests)
    return [
        Rebuilt(
            request.tenant_id,
            request.record(),
            request.events + [double for event in request.events for double in doubles.get(_content(event), ())],
        )
        for request in requests
    ]


def keep_partner(record: AccessRequest, earlier: AccessRequest, readable: Collection[str]) -> AccessRequest:
    """Keep what an earlier join told of the other tenant, when that is not among the tenants this reader can see."""
    if earlier.mirror is None or record.mirror is None or earlier.mirror.joined_by is None or record.mirror.joined_by:
        return record
    if earlier.resource_tenant_id in readable and earlier.support_request_tenant_id in readable:
        return record
    names = {
        "resource_tenant_id": "resourceTenantId",
        "support_request_tenant_id": "supportRequestTenantId",
        "support_request_id": "supportRequestId",
    }
    kept = {name: value for name in names if getattr(record, name) is None and (value := getattr(earlier, name))}
    if not kept:
        return record
    inferred = {*record.mirror.inferred, *(names[name] for name in kept)}
    mirror = replace(record.mirror, joined_by=earlier.mirror.joined_by, inferred=tuple(sorted(inferred)))
    return with_etag(replace(record, **kept, mirror=mirror))


def _order(event: SourceEvent) -> tuple[datetime, int, str]:
    return event.time, _RANK.get(Activity(event.activity), len(_RANK)), event.id


def _is_person(actor: Actor | None) -> bool:
    return actor is not None and actor.kind is ActorKind.USER


def _without_doubles(
    events: Iterable[SourceEvent],
) -> tuple[list[SourceEvent], dict[_Content, list[SourceEvent]]]:
    """Set an event whose ID was derived apart where the same event is there under its own ID.

    The portal's CSV has no event IDs, so an event of it and of a JSON export can only be told by what they say.
    """
    events = list(events)
    native = {_content(event) for event in events if not event.id_derived}
    kept: list[SourceEvent] = []
    doubles: defaultdict[_Content, list[SourceEvent]] = defaultdict(list)
    for event in events:
        if event.id_derived and _content(event) in native:
            doubles[_content(event)].append(event)
        else:
            kept.append(event)
    return kept, doubles


def _content(event: SourceEvent) -> _Content:
    return event.tenant_id, event.correlation_id, event.activity, event.time.replace(microsecond=0)


def _requests(tenant_id: str, events: Sequence[SourceEvent]) -> list[_Request]:
    """Tell the requests in one tenant's events apart.

    Events that share a target or a correlation ID are of one request. A support request may have several access
    requests one after another: events that share only its ID are told apart by what can follow what.
    """
    requests: list[_Request] = []
    for cluster in _clusters(events):
        fitting = next(
            (
                request
                for request in reversed(requests)
                if request.support_request_id is not None
                and request.support_request_id == _support_request(cluster)
                and request.fits(cluster)
            ),
            None,
        )
        if fitting is None:
            if not any(event.succeeded for event in cluster):
                continue
            fitting = _Request(tenant_id)
            requests.append(fitting)
        fitting.take(cluster)
    return requests


def _support_request(events: Iterable[SourceEvent]) -> str | None:
    return next((event.support_request_id for event in events if event.support_request_id), None)


def _clusters(events: Sequence[SourceEvent]) -> list[list[SourceEvent]]:
    """Group events that share a target or a correlation ID; earliest cluster first, each in order."""
    parent = list(range(len(events)))

    def find(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    ordered = sorted(events, key=_order)
    first_with: dict[str, int] = {}
    for index, event in enumerate(ordered):
        for key in event.keys:
            if not key.startswith("support-request:"):
                parent[find(index)] = find(first_with.setdefault(key, index))
    groups: defaultdict[int, list[SourceEvent]] = defaultdict(list)
    for index, event in enumerate(ordered):
        groups[find(index)].append(event)
    return sorted(groups.values(), key=lambda cluster: _order(cluster[0]))


def _join(requests: Sequence[_Request]) -> None:
    """Tie the approval in a resource tenant to the request in the support request tenant that it came from."""
    # Those whose approval was read go first, and each by that approval: what the support request tenant's record says
    # must not depend on whether, or when, the resource tenant removed it.
    approvals = sorted(
        (r for r in requests if r.side is Side.RESOURCE), key=lambda r: (r.starts_at is None, _order(r.joining[0]))
    )
    asked = sorted((r for r in requests if r.side is Side.SUPPORT_REQUEST), key=lambda r: _order(r.events[0]))
    for approval in approvals:
        candidates = [r for r in asked if r.tenant_id != approval.tenant_id and not r.paired]
        correlation_ids = {event.correlation_id for event in approval.joining if event.correlation_id}
        by_correlation = [r for r in candidates if r.correlation_ids & correlation_ids]
        if by_correlation:
            _pair(by_correlation[-1], approval, "correlationId")
            continue
        support_request_id = _support_request(approval.joining)
        by_number = [
            r
            for r in candidates
            if r.support_request_id
            and r.support_request_id == support_request_id
            and r.decided_at is not None
            and r.status is Status.APPROVED
            and (approval.starts_at is None or r.decided_at <= approval.starts_at + _CLOCKS_APART)
        ]
        # Without the moment of the approval several requests of one ticket cannot be told apart.
        if by_number and (approval.starts_at is not None or len(by_number) == 1):
            _pair(max(by_number, key=lambda r: r.decided_at or r.events[0].time), approval, "supportRequestId")


def _pair(asked: _Request, approval: _Request, joined_by: str) -> None:
    asked.paired = True
    approval.partner_tenant_id = asked.tenant_id
    approval.partner_support_request_id = asked.support_request_id
    approval.joined_by = joined_by
    if approval.starts_at is not None:
        asked.partner_tenant_id = approval.tenant_id
        asked.joined_by = joined_by
