"""Which events a watch is for."""

from typing import NamedTuple

from supportaccess.domain.events import Event, What
from supportaccess.domain.records import BY_CLOCK, OPEN, AccessRequest, Status


class Filter(NamedTuple):
    """What is told and shown; what is left out does not narrow. The texts mean what they mean to `list`.

    With `statuses`, events of requests that had or have one of them.
    """

    kinds: frozenset[What] = frozenset()
    statuses: frozenset[Status] = frozenset()
    support_request_id: str | None = None
    resource_tenant_id: str | None = None
    engineer: str | None = None
    search: str | None = None

    def tells(self, event: Event) -> bool:
        """Whether the event is to be told."""
        if self.kinds and event.what not in self.kinds:
            return False
        if self.statuses and not self.statuses & _counted(event.status_before, event.status_after):
            return False
        if event.record is not None:
            return self._finds(event.record)
        named = self.support_request_id in {None, event.support_request_id}
        return named and not (self.resource_tenant_id or self.engineer or self.search)

    def shows(self, record: AccessRequest) -> bool:
        """Whether an open request is among those that the watch is for."""
        return record.status.counts_as in (self.statuses or OPEN) and self._finds(record)

    def _finds(self, record: AccessRequest) -> bool:
        return (
            self.support_request_id in {None, record.support_request_id}
            and self.resource_tenant_id in {None, record.resource_tenant_id}
            and _has(_engineer(record), self.engineer)
            and _has(_every_text(record), self.search)
        )


def _counted(*statuses: Status | None) -> set[Status]:
    return {status.counts_as for status in statuses if status is not None}


def _has(texts: list[str | None], wanted: str | None) -> bool:
    return wanted is None or any(wanted.casefold() in text.casefold() for text in texts if text)


def _engineer(record: AccessRequest) -> list[str | None]:
    return [record.engineer.id, record.engineer.display_name] if record.engineer else []


def _every_text(record: AccessRequest) -> list[str | None]:
    actors = [actor.display_name for actor in (record.decided_by, record.ended_by) if actor is not None]
    by_clock = record.status in BY_CLOCK
    own = [record.support_request_id, record.title, record.reason, record.decision_reason]
    return [*own, None if by_clock else record.end_reason, *_engineer(record), *actors]
