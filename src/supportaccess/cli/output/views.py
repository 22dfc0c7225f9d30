"""What a person sees of a record in a table: which columns, and how a value reads."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, NamedTuple

import msgspec

from supportaccess.cli.output.attempts import tried
from supportaccess.cli.output.colour import Colour
from supportaccess.cli.output.fields import cell_text, picker
from supportaccess.cli.output.times import age, duration, local_time
from supportaccess.domain.audit import Activity, AuditEntry
from supportaccess.domain.records import AccessRequest, Actor, Status, Tone

_SHORT = 8
_WHOLE = 36
_LONGEST_TIME = len(local_time(datetime(2026, 1, 1, tzinfo=UTC)))
_UNKNOWN = "-"

Cell = tuple[str, Colour | None]
"""A text as it is, not yet made safe, and the colour to show it in."""

TONES = {Tone.WARN: Colour.YELLOW, Tone.GOOD: Colour.GREEN, Tone.BAD: Colour.RED, Tone.QUIET: Colour.DIM}


class Heading(NamedTuple):
    """A column's title and how narrow the column may get; without `floor` it never shrinks."""

    title: str
    floor: int | None = None


class Look:
    """What a table knows beside the records: the moment, the tenants' aliases, and the shortened IDs."""

    def __init__(self, now: datetime, aliases: Mapping[str, str]) -> None:
        self.now = now
        self._aliases = aliases
        self._short: dict[str, str] | None = None

    def shorten(self, ids: Iterable[str]) -> None:
        """From now on show these IDs by their first characters, as many as tell them apart."""
        ordered = sorted(set(ids))
        common = [_alike(one, other) for one, other in pairwise(ordered)]
        needed = map(max, [0, *common], [*common, 0])
        self._short = {each: each[: max(_SHORT, length + 1)] for each, length in zip(ordered, needed, strict=False)}

    def id(self, text: str | None) -> str:
        """Return how the ID is shown: whole unless it was shortened."""
        if text is None:
            return _UNKNOWN
        return text if self._short is None else self._short.get(text, text)

    def tenant(self, tenant_id: str | None) -> str:
        """Return how the tenant is shown: by its alias, or by its ID."""
        if tenant_id is None:
            return _UNKNOWN
        return self._aliases.get(tenant_id) or (tenant_id if self._short is None else tenant_id[:_SHORT])


class View(NamedTuple):
    """How one kind of record is shown in a table."""

    headings: Sequence[Heading]
    id_of: Callable[[Any], str | None]
    cells: Callable[[Any, Look], list[Cell]]


def columns_view(columns: Sequence[str]) -> View:
    """Return the view that shows just these columns of any record."""
    pick = picker(columns)

    def cells(record: object, _: Look) -> list[Cell]:
        values = pick(msgspec.to_builtins(record, builtin_types=(datetime,)))
        return [(local_time(value) if isinstance(value, datetime) else cell_text(value), None) for value in values]

    return View(_headings(columns), lambda _: None, cells)


def values_view(header: Sequence[str]) -> View:
    """Return the view of rows that are lists of values, as a query finds them."""
    return View(_headings(header), lambda _: None, lambda row, _: [(cell_text(value), None) for value in row])


def usual_widths(view: View) -> list[int]:
    """Return how wide the columns are before the rows are known: IDs and times have their place."""
    usual = {"SEQ": 6, "TIME": _LONGEST_TIME, "ACTIVITY": max(map(len, Activity)), "BY": 16, "STATUS": 9, "REASON": 0}
    return [usual.get(heading.title, _WHOLE if heading.floor is None else heading.floor) for heading in view.headings]


def status_colour(status: Status) -> Colour:
    """Return the colour of a status."""
    return TONES[status.tone]


def _alike(one: str, other: str) -> int:
    """Return how many characters the two begin with in common."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def _headings(names: Sequence[str]) -> list[Heading]:
    # Wide enough for every time, status and number; only long texts are cut.
    return [Heading(name, None if name.endswith(("id", "Id")) else _LONGEST_TIME) for name in names]


def _request_cells(request: AccessRequest, look: Look) -> list[Cell]:
    return [
        (look.id(request.id), None),
        (request.support_request_id or _UNKNOWN, None),
        (request.status, status_colour(request.status)),
        ((request.engineer and (request.engineer.display_name or request.engineer.id)) or _UNKNOWN, None),
        (look.tenant(request.resource_tenant_id), None),
        (age(request.created_at, look.now) if request.created_at else _UNKNOWN, None),
        (_name(request.decided_by), None),
        (_time_left(request, look.now), None),
    ]


def _entry_cells(entry: AuditEntry, look: Look) -> list[Cell]:
    statuses = [status for status in (entry.status_before, entry.status_after) if status]
    return [
        (str(entry.sequence), None),
        (local_time(entry.time), None),
        (entry.activity, None),
        (_name(entry.actor), None),
        (look.id(entry.access_request_id), None),
        (statuses[-1] if statuses else _UNKNOWN, status_colour(statuses[-1]) if statuses else None),
        ("; ".join(filter(None, (tried(entry), entry.reason))), None),
    ]


def _name(actor: Actor | None) -> str:
    return _UNKNOWN if actor is None else actor.display_name or actor.object_id or actor.kind


def _time_left(request: AccessRequest, now: datetime) -> str:
    """Return how long access or the time to decide still lasts, or how long ago it ended."""
    match request.status:
        case Status.PENDING:
            return _until(request.decide_by, now) if request.decide_by else _UNKNOWN
        case Status.APPROVED:
            return _until(request.expires_at, now) if request.expires_at else "no limit"
        case _:
            return age(request.ended_at, now) if request.ended_at else _UNKNOWN


def _until(moment: datetime, now: datetime) -> str:
    return duration(int((moment - now).total_seconds()), units=2)


REQUEST_VIEW = View(
    (
        Heading("ID"),
        Heading("SUPPORT REQUEST"),
        Heading("STATUS"),
        Heading("ENGINEER", 4),
        Heading("RESOURCE", 4),
        Heading("ASKED", 4),
        Heading("DECIDED BY", 4),
        Heading("LEFT", 4),
    ),
    lambda request: request.id,
    _request_cells,
)
REQUEST_OF_TENANT_VIEW = View(
    (*REQUEST_VIEW.headings, Heading("TENANT", 4)),
    REQUEST_VIEW.id_of,
    lambda request, look: [*_request_cells(request, look), (look.tenant(request.tenant_id), None)],
)
ENTRY_VIEW = View(
    (
        Heading("SEQ"),
        Heading("TIME"),
        Heading("ACTIVITY", 16),
        Heading("BY", 4),
        Heading("REQUEST"),
        Heading("STATUS", 4),
        Heading("REASON", 4),
    ),
    lambda entry: entry.access_request_id,
    _entry_cells,
)
ENTRY_OF_TENANT_VIEW = View(
    (*ENTRY_VIEW.headings, Heading("TENANT", 4)),
    ENTRY_VIEW.id_of,
    lambda entry, look: [*_entry_cells(entry, look), (look.tenant(entry.tenant_id), None)],
)
