"""How what is watched reaches somebody: as lines in a pipe, or on a live screen; and what is said beside."""

from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from supportaccess.cli.output.encoding import encode
from supportaccess.cli.output.fields import AccessRequestOfTenant
from supportaccess.cli.output.streams import Streams
from supportaccess.cli.output.tables import Screen, marking
from supportaccess.cli.output.text import counted
from supportaccess.cli.output.views import REQUEST_OF_TENANT_VIEW, REQUEST_VIEW, Look
from supportaccess.cli.watch.text import headline
from supportaccess.domain.attention import attention_key
from supportaccess.domain.events import Event
from supportaccess.domain.records import AccessRequest

_CHANGED_FOR = timedelta(seconds=30)
_LATEST = 5
_MOST_NAMED = 3

Act = Callable[[Event], str | None]
"""Does something for an event, and returns what went wrong."""


class Teller(Protocol):
    """Where events and remarks go."""

    def event(self, event: Event) -> None:
        """Show an event."""
        ...

    def say(self, text: str, *, urgent: bool = True) -> None:
        """Say something about the watch itself."""
        ...

    def show(self, requests: Sequence[tuple[str, AccessRequest]], now: datetime) -> None:
        """Show the open requests, each with its tenant, as they now stand."""
        ...


class Lines:
    """A line of JSON for each event."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    def event(self, event: Event) -> None:
        """Write it, and hand it on."""
        self._streams.write(encode(event) + b"\n")
        self._streams.flush()

    def say(self, text: str, *, urgent: bool = True) -> None:
        """Say it on standard error."""
        (self._streams.warn if urgent else self._streams.note)(text)

    def show(self, requests: Sequence[tuple[str, AccessRequest]], now: datetime) -> None:
        """Show nothing: whoever reads lines keeps count."""


class Live:
    """A table of what needs attention, with what changed lately marked, and the latest events below."""

    def __init__(
        self, streams: Streams, clock: Callable[[], datetime], aliases: dict[str, str], names: Sequence[str]
    ) -> None:
        self.screen = Screen(streams)
        self._clock = clock
        self._aliases = aliases
        self._names = names
        self._changed: dict[tuple[str, str], datetime] = {}
        self._latest: deque[str] = deque(maxlen=_LATEST)
        self._said = ""

    def event(self, event: Event) -> None:
        """Mark the request, and put the event below the table."""
        now = self._clock()
        self._changed[event.tenant_id, event.access_request_id] = now
        by = f" by {event.actor.display_name}" if event.actor and event.actor.display_name else ""
        tenant = f" ({self._aliases.get(event.tenant_id, event.tenant_id)})" if len(self._names) > 1 else ""
        self._latest.append(
            f"{now.astimezone():%H:%M:%S}  {event.access_request_id[:8]}{tenant}  {headline(event)}{by}"
        )

    def say(self, text: str, *, urgent: bool = True) -> None:
        """Put it on the last line."""
        self._said = f"{self._clock().astimezone():%H:%M:%S}  {text}" if urgent or not self._said else text

    def show(self, requests: Sequence[tuple[str, AccessRequest]], now: datetime) -> None:
        """Draw the screen."""
        self._changed = {each: at for each, at in self._changed.items() if abs(now - at) < _CHANGED_FOR}
        rows = [
            AccessRequestOfTenant(**msgspec.structs.asdict(record), tenant_id=tenant_id)
            for tenant_id, record in sorted(requests, key=lambda each: attention_key(each[1]))
        ]
        view = REQUEST_OF_TENANT_VIEW if len(self._names) > 1 else REQUEST_VIEW
        named = ", ".join(self._names) if len(self._names) <= _MOST_NAMED else counted(len(self._names), "tenant")
        heading = f"{counted(len(rows), 'open request')} of {named}; Ctrl-C ends"
        self.screen.draw(
            f"{now.astimezone():%H:%M:%S}  {heading}",
            marking(view, lambda row: (row.tenant_id, row.id) in self._changed),
            rows,
            Look(now, self._aliases),
            [*self._latest, self._said],
        )
