"""One access request in full: its fields, the origin of each, and its history."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from supportaccess.cli.output.attempts import tried
from supportaccess.cli.output.fields import cell_text
from supportaccess.cli.output.text import counted, safe
from supportaccess.cli.output.times import age, duration, local_time
from supportaccess.domain.audit import AuditEntry
from supportaccess.domain.records import AccessRequest, Actor, Engineer, Mirror, Source
from supportaccess.domain.source_events import SourceEvent
from supportaccess.domain.times import format_rfc3339

_DOCUMENTED = {"scope", "accessLevel"}
_OURS = {"id", "source", "etag", "mirror"}


class HistoryLine(msgspec.Struct, frozen=True):
    """One line of a request's history."""

    time: datetime
    what: str
    who: str
    note: str = ""


def history_of(entries: Sequence[AuditEntry], events: Sequence[SourceEvent]) -> list[HistoryLine]:
    """Return what happened: at the provider, from its own events, and here, from the audit log."""
    told = [
        HistoryLine(
            event.time,
            event.activity,
            _who(event.initiator),
            "" if event.succeeded else f"did not take effect: {event.result}",
        )
        for event in events
    ]
    for entry in entries:
        status = f"{entry.status_before} > {entry.status_after}" if entry.status_before else f"{entry.status_after}"
        changed = entry.status_after is not None and entry.status_after != entry.status_before
        notes = [status if changed else "", tried(entry), entry.reason or "", f"entry {entry.sequence}"]
        told.append(HistoryLine(entry.time, entry.activity, _who(entry.actor), "; ".join(filter(None, notes))))
    return sorted(told, key=lambda line: line.time)


def _who(actor: Actor | None) -> str:
    if actor is None:
        return "unknown"
    name = actor.display_name or actor.object_id
    return f"{name} ({actor.kind})" if name else actor.kind


def _fields(record: AccessRequest) -> Iterator[tuple[str, Any, str]]:
    """Yield every field with its value and its origin; of a mirror also those that are unknown."""
    mirror = record.mirror
    for field in msgspec.structs.fields(record):
        value, name = getattr(record, field.name), field.encode_name
        if mirror is None:
            if value is not None:
                yield name, value, "this store"
        elif name in _OURS:
            yield name, value, "this store"
        elif name in mirror.inferred:
            yield name, value, "inferred"
        elif name in _DOCUMENTED:
            yield name, value, "documented"
        else:
            yield name, value, "unknown" if value is None else "read"


def _text(value: Any) -> str:
    match value:
        case datetime():
            return format_rfc3339(value)
        case Actor():
            return _who(value)
        case Engineer():
            return " ".join(filter(None, (value.display_name, value.id and f"({value.id})")))
        case Mirror():
            return _of_mirror(value)
        case _:
            return cell_text(msgspec.to_builtins(value))


def _of_mirror(mirror: Mirror) -> str:
    parts = [f"{mirror.confidence}, from {counted(mirror.events, 'event')}"]
    if mirror.inferred:
        parts.append(f"inferred: {', '.join(mirror.inferred)}")
    if mirror.joined_by:
        parts.append(f"joined with the other tenant's half by {mirror.joined_by}")
    if mirror.unplaced:
        parts.append(f"{counted(mirror.unplaced, 'event')} of no known step")
    return "; ".join(parts)


def lines(record: AccessRequest, history: Sequence[HistoryLine]) -> Iterator[str]:
    """Yield what a pipe gets: a line a field, then a line an event; tab-separated, UTC."""
    for name, value, origin in _fields(record):
        yield f"{name}\t{safe(_text(value))}\t{origin}\n"
    for line in history:
        yield "\t".join(["history", format_rfc3339(line.time), safe(line.what), safe(line.who), safe(line.note)]) + "\n"


def page(
    record: AccessRequest, history: Sequence[HistoryLine], *, now: datetime, aliases: Mapping[str, str], width: int
) -> Iterator[str]:
    """Yield what a terminal of that many columns gets. `aliases` has the names to show for tenant IDs."""
    fields = list(_fields(record))
    rows = [(name, _readable(name, value, now, aliases), origin) for name, value, origin in fields if value is not None]
    unknown = [name for name, value, _ in fields if value is None]
    if unknown:
        rows.append(("not known", ", ".join(unknown), ""))
    name_width = max(len(name) for name, _, _ in rows)
    mark_width = 0 if record.source is Source.STORE else 1 + max(len(origin) for _, _, origin in rows)
    room = width - name_width - 2 - mark_width
    for name, text, origin in rows:
        mark = f"{origin:<{mark_width}}" if mark_width else ""
        first, *rest = _wrapped(text, room)
        yield f"{name:<{name_width}}  {mark}{first}\n"
        for more in rest:
            yield f"{'':<{name_width + 2 + len(mark)}}{more}\n"
    yield "\nHistory\n"
    for line in history:
        note = f"; {safe(line.note)}" if line.note else ""
        when = f"  {local_time(line.time)}  "
        first, *rest = _wrapped(f"{safe(line.what)} by {safe(line.who)}{note}", width - len(when))
        yield f"{when}{first}\n"
        for more in rest:
            yield f"{'':<{len(when)}}{more}\n"


def _readable(name: str, value: Any, now: datetime, aliases: Mapping[str, str]) -> str:
    match value:
        case datetime():
            return f"{local_time(value)} ({age(value, now, units=2)})"
        case int() if name.endswith("Seconds"):
            return duration(value)
        case str() if name.endswith("TenantId") and value in aliases:
            return f"{value} ({aliases[value]})"
        case _:
            return safe(_text(value))


def _wrapped(text: str, room: int) -> list[str]:
    from textwrap import wrap

    return wrap(text, max(room, 20), break_long_words=True, break_on_hyphens=False) or [""]
