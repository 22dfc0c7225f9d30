"""Follows one tenant: what its log tells, what the clock does, and what it is about to do."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from supportaccess.cli.watch.filters import Filter
from supportaccess.cli.watch.state import Position
from supportaccess.domain.events import Event, EventPage, announcement, ended_by_clock
from supportaccess.domain.records import OPEN, AccessRequest
from supportaccess.errors import NotFound, VerificationFailed
from supportaccess.store.paging import each_row
from supportaccess.store.protocol import LARGEST_PAGE, RequestQuery, RequestReader

_MOST_KEPT = 1000
_KEPT = timedelta(days=7)
"""How long past its moment an announcement is remembered: a clock may be set back."""


class TenantWatch:
    """One tenant's events, each told once. `open` are the requests that the watch is for and that are open."""

    def __init__(self, store: RequestReader, which: Filter, ahead: timedelta) -> None:
        self._store = store
        self._which = which
        self._ahead = ahead
        self._place = 0
        self._told: dict[str, datetime] = {}
        self._ending: tuple[str, ...] = ()
        self.open: dict[str, AccessRequest] = {}

    @property
    def position(self) -> Position:
        """Where it is now, to go on from."""
        with_end = [(end, each.id) for each in self.open.values() if (end := _end_of(each)) is not None]
        ending = (*self._ending, *(request_id for _, request_id in sorted(with_end)))[:_MOST_KEPT]
        return Position(place=self._place, told=self._told, ending=ending)

    def begin(self, position: Position | None) -> None:
        """Go on from a position; without one, begin with what happens from now on."""
        if position is None:
            self._place = self._store.events(after=None, top=1).next
        else:
            self._place, self._told = position.place, dict(position.told)
        # After the place: what changes meanwhile comes as an event.
        query = RequestQuery(statuses=frozenset(OPEN))
        for record in each_row(
            lambda cursor: self._store.page(query, top=LARGEST_PAGE, cursor=cursor), most=None, ahead=False
        ):
            if self._which.shows(record):
                self.open[record.id] = record
        if position is not None:
            self._ending = tuple(each for each in position.ending if each not in self.open)

    def ask(self) -> EventPage:
        """Return what the log has further. Raises VerificationFailed when it has become shorter."""
        page = self._store.events(after=self._place, top=LARGEST_PAGE)
        if page.size < self._place:
            raise VerificationFailed(
                f"the audit log of tenant {self._store.tenant_id} had {self._place:,} entries, "
                f"and now has {page.size:,}: some are missing",
                hint="supportaccess audit verify\nThen, to begin anew: the same command with --from-start.",
            )
        return page

    def events(self, page: EventPage) -> Iterator[Event]:
        """Yield what is new, page by page. `done` takes note of what was told."""
        while True:
            for event in page.value:
                self._know(event)
                if self._told.pop(event.id, None) is None and self._which.tells(event):
                    yield event
                self._place = (event.sequence or 0) + 1
            self._place = page.next
            if page.next >= page.size:
                return
            page = self.ask()

    def by_clock(self, now: datetime) -> Iterator[Event]:
        """Yield what the clock did, or is about to do, without asking the store."""
        for record in list(self.open.values()):
            ended = ended_by_clock(record, self._store.tenant_id, now)
            event = ended or announcement(record, self._store.tenant_id, self._ahead, now)
            if event is not None and event.id not in self._told and self._which.tells(event):
                yield event
            if ended is not None:
                del self.open[record.id]
        self._forget(now)

    def ended_meanwhile(self, now: datetime) -> Iterator[Event]:
        """Yield what the clock did while nobody watched, and nobody has written down yet."""
        while self._ending:
            request_id, *rest = self._ending
            try:
                event = ended_by_clock(self._store.get(request_id), self._store.tenant_id, now)
            except NotFound:
                event = None
            if event is not None and event.id not in self._told and self._which.tells(event):
                yield event
            self._ending = tuple(rest)

    def done(self, event: Event) -> None:
        """Take note that the event was told."""
        if event.sequence is None:
            self._told[event.id] = event.time
        else:
            self._place = event.sequence + 1

    def _forget(self, now: datetime) -> None:
        # What nobody has written down for so long stays, while there is room for it.
        past = [each for each, moment in self._told.items() if moment + _KEPT < now]
        for each in past[: max(0, len(self._told) - _MOST_KEPT)]:
            del self._told[each]

    def _know(self, event: Event) -> None:
        record = event.record
        if record is not None and self._which.shows(record):
            self.open[record.id] = record
        else:
            self.open.pop(event.access_request_id, None)
        self._ending = tuple(each for each in self._ending if each != event.access_request_id)


def _end_of(record: AccessRequest) -> datetime | None:
    return record.decide_by if record.decide_by is not None and record.starts_at is None else record.expires_at
