"""Which events a watch is for."""

from typing import NamedTuple

from supportaccess.domain.events import Event, What
from supportaccess.domain.records import OPEN, AccessRequest, Status
from supportaccess.store.filters import REQUEST_CONDITIONS, RequestFilters, given

_ALWAYS_TOLD_APART = ("support_request_id", "resource_tenant_id", "engineer", "search")


class Filter(NamedTuple):
    """What is told and shown; what is left out does not narrow. The filters of requests mean what they mean to `list`.

    With statuses, events of requests that had or have one of them.
    """

    kinds: frozenset[What] = frozenset()
    requests: RequestFilters = RequestFilters()

    def tells(self, event: Event) -> bool:
        """Whether the event is to be told."""
        statuses = self.requests.statuses
        if self.kinds and event.what not in self.kinds:
            return False
        if statuses and not statuses & _counted(event.status_before, event.status_after):
            return False
        if event.record is not None:
            return self.requests.match(event.record)
        narrowing = given(self.requests, REQUEST_CONDITIONS)
        return narrowing in ({}, {"support_request_id": event.support_request_id})

    def shows(self, record: AccessRequest) -> bool:
        """Whether an open request is among those that the watch is for."""
        return record.status.counts_as in (self.requests.statuses or OPEN) and self.requests.match(record)

    def parts(self) -> list[object]:
        """Return what tells this filter from others: the file of a watch is named after it, also by later versions."""
        narrowing = given(self.requests, REQUEST_CONDITIONS)
        always = [narrowing.pop(name, None) for name in _ALWAYS_TOLD_APART]
        return [self.kinds, self.requests.statuses, *always, *([narrowing] if narrowing else [])]


def _counted(*statuses: Status | None) -> set[Status]:
    return {status.counts_as for status in statuses if status is not None}
