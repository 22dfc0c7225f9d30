"""`supportaccess show`."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
import typer

from supportaccess.cli import options
from supportaccess.cli.context import Context
from supportaccess.cli.group import examples
from supportaccess.cli.ids import resolve
from supportaccess.cli.output.ages import age, duration, local_time
from supportaccess.cli.output.fields import ACCESS_REQUESTS, cell_text
from supportaccess.cli.output.formats import Format
from supportaccess.cli.output.text import safe
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


@examples(
    ("By the first characters of its ID", "supportaccess show 3f2a"),
    ("The request of a ticket, for a script", "supportaccess show 2610070040001234 -o json"),
    ("What was read from Entra's audit log, as it stood there", "supportaccess show 3f2a --raw"),
)
def show(
    ctx: typer.Context,
    request_id: options.OneId,
    raw: Annotated[bool, typer.Option("--raw", help="Print the provider's events a mirror was rebuilt from.")] = False,
    tenant: options.Tenant = None,
    output: options.Output = None,
    columns: options.Columns = None,
    query: options.Query = None,
) -> None:
    """Show one access request: its fields with the origin of each, and its history in order."""
    context: Context = ctx.obj
    printer = context.printer(ACCESS_REQUESTS, output=output, columns=columns, query=query)
    store = context.store(tenant)
    record = resolve(store, request_id)
    if raw:
        _print_raw(context, record, list(store.source_events(record.id)))
    elif printer.format in {Format.TABLE, Format.TSV} and columns is None and query is None:
        history = _history(store.history(record.id), list(store.source_events(record.id)))
        page = _page if printer.format is Format.TABLE else _lines
        context.streams.write_all(line.encode() for line in page(context, record, history))
    else:
        printer.print_one(record)


def _print_raw(context: Context, record: AccessRequest, events: Sequence[SourceEvent]) -> None:
    if not events:
        context.streams.note(f"{record.id} was not read from a provider's record: there are no raw events.")
    # As it stood in the export, but for what a terminal would obey.
    context.streams.write_all(f"{safe(event.raw, multiline=True)}\n".encode() for event in events)


def _history(entries: Sequence[AuditEntry], events: Sequence[SourceEvent]) -> list[HistoryLine]:
    """Return what happened: at the provider, from its own events, and here, from the audit log."""
    lines = [
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
        notes = [status if changed else "", entry.reason or "", f"entry {entry.sequence}"]
        lines.append(HistoryLine(entry.time, entry.activity, _who(entry.actor), "; ".join(filter(None, notes))))
    return sorted(lines, key=lambda line: line.time)


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
    parts = [f"{mirror.confidence}, from {mirror.events} events"]
    if mirror.inferred:
        parts.append(f"inferred: {', '.join(mirror.inferred)}")
    if mirror.joined_by:
        parts.append(f"joined with the other tenant's half by {mirror.joined_by}")
    if mirror.unplaced:
        parts.append(f"{mirror.unplaced} events fit no step")
    return "; ".join(parts)


def _lines(context: Context, record: AccessRequest, history: Sequence[HistoryLine]) -> Iterator[str]:  # noqa: ARG001
    """For a pipe: a line a field, then a line an event; tab-separated, UTC."""
    for name, value, origin in _fields(record):
        yield f"{name}\t{safe(_text(value))}\t{origin}\n"
    for line in history:
        yield "\t".join(["history", format_rfc3339(line.time), safe(line.what), safe(line.who), safe(line.note)]) + "\n"


def _page(context: Context, record: AccessRequest, history: Sequence[HistoryLine]) -> Iterator[str]:
    """For a terminal."""
    now, aliases = context.clock(), context.aliases()
    rows = [(name, _readable(name, value, now, aliases), origin) for name, value, origin in _fields(record)]
    name_width = max(len(name) for name, _, _ in rows)
    room = context.streams.width - name_width - 14
    for name, text, origin in rows:
        mark = "" if record.source is Source.STORE else f"{origin:<12}"
        first, *rest = _wrapped(text, room)
        yield f"{name:<{name_width}}  {mark}{first}\n"
        for more in rest:
            yield f"{'':<{name_width + 2 + len(mark)}}{more}\n"
    yield "\nHistory\n"
    for line in history:
        note = f"; {safe(line.note)}" if line.note else ""
        when = f"  {local_time(line.time)}  "
        first, *rest = _wrapped(f"{safe(line.what)} by {safe(line.who)}{note}", context.streams.width - len(when))
        yield f"{when}{first}\n"
        for more in rest:
            yield f"{'':<{len(when)}}{more}\n"


def _readable(name: str, value: Any, now: datetime, aliases: dict[str, str]) -> str:
    match value:
        case None:
            return "-"
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
