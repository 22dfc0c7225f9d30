"""Reads an exported Entra audit log into source events."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO

from supportaccess.domain.source_events import SourceEvent
from supportaccess.domain.tenants import is_guid
from supportaccess.errors import UnreadableExport
from supportaccess.sources.entra import json_shapes, portal_csv
from supportaccess.sources.entra.events import Reading, read_event
from supportaccess.sources.entra.portal_csv import CsvItems
from supportaccess.sources.readers.container import Container
from supportaccess.sources.readers.fields import Fields, Refusal, get, kind_of, quoted
from supportaccess.sources.readers.json_items import JsonItems, service_error
from supportaccess.sources.readers.window import Item, Window


class Format(StrEnum):
    """The forms in which Entra's audit log is exported."""

    GRAPH = "graph"
    PORTAL_CSV = "portal-csv"
    LOG_ANALYTICS = "log-analytics"
    AZURE_MONITOR = "azure-monitor"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """What is particular to a format; see `Reading` for the last two."""

    as_directory_audit: Callable[[Fields], Fields] = lambda item: item
    tenants: Callable[[Fields], list[str]] = lambda _: []
    general_category: bool = False
    utc: bool = True


_SHAPES = {
    Format.GRAPH: _Shape(utc=False),
    Format.PORTAL_CSV: _Shape(as_directory_audit=portal_csv.as_directory_audit),
    Format.LOG_ANALYTICS: _Shape(
        as_directory_audit=json_shapes.from_log_analytics,
        tenants=json_shapes.tenants_of_log_analytics,
        general_category=True,
    ),
    Format.AZURE_MONITOR: _Shape(
        as_directory_audit=json_shapes.from_azure_monitor, tenants=json_shapes.tenants_of_azure_monitor
    ),
}


class Export:
    """An export of one tenant's audit log. Iterate it once; it reads as it goes and holds one item at a time.

    It yields the events about support access, those of them that are not recognised included. `events` counts all
    items read so far and `unrelated` those that were not yielded; `bytes_read` is of the file as it is, compressed or
    not. `format` is known after the first item. `more_pages`, once all is read, says that the file is a page of an
    answer of Graph that has more of them.

    Raises UnreadableExport, which says where and why, for anything that is not a whole export of that tenant; only
    the stream's own OSError passes through.
    """

    def __init__(
        self,
        stream: BinaryIO,
        *,
        name: str,
        tenant_id: str,
        format: Format | None = None,  # noqa: A002 - the option's name
    ) -> None:
        self.format = format
        self.events = 0
        self.unrelated = 0
        self.more_pages = False
        self._name = name if name.isprintable() else quoted(name)
        self._tenant_id = tenant_id.lower()
        self._container = Container(stream)

    @property
    def bytes_read(self) -> int:
        """How many bytes of the file have been read."""
        return self._container.bytes_read

    def __iter__(self) -> Iterator[SourceEvent]:
        try:
            yield from self._read()
        except Refusal as refusal:
            raise self._unreadable(refusal) from None

    def _read(self) -> Iterator[SourceEvent]:
        window = Window(self._container.text())
        match window.peek():
            case "":
                raise Refusal("has nothing in it", hint="Download the export again.", in_item=False)
            case "{" | "[":
                if self.format is Format.PORTAL_CSV:
                    raise self._unfit("JSON")
                items = JsonItems(window)
                yield from self._related(items)
                self.more_pages = items.more_pages
            case _:
                if self.format not in {None, Format.PORTAL_CSV}:
                    raise self._unfit("no JSON")
                self.format = Format.PORTAL_CSV
                yield from self._related(CsvItems(window))

    def _related(self, items: JsonItems | CsvItems) -> Iterator[SourceEvent]:
        for item in items:
            try:
                event = self._event(item)
            except Refusal as refusal:
                refusal.line = refusal.line or item.line
                raise
            self.events += 1
            if event is None:
                self.unrelated += 1
            else:
                yield event

    def _event(self, item: Item) -> SourceEvent | None:
        fields = item.value
        if not isinstance(fields, dict):
            raise Refusal(f"is {kind_of(fields)}, not an event")
        self.format = self._format_of(fields)
        shape = _SHAPES[self.format]
        for tenant in shape.tenants(fields):
            self._check_tenant(tenant)
        reading = Reading(self._tenant_id, self.format.value, shape.general_category, shape.utc)
        return read_event(shape.as_directory_audit(fields), item.raw, reading)

    def _format_of(self, fields: Fields) -> Format:
        if self.format is Format.PORTAL_CSV:
            return self.format
        formats = _formats_of(fields)
        if not formats:
            if error := get(fields, "error"):
                raise service_error(error)
            raise Refusal(
                "is not an event of an Entra audit log, in any form that is known",
                hint="docs/import.md tells which exports can be read, and how to get them.",
            )
        if self.format not in {None, *formats}:
            raise self._unfit(formats[0].value)
        return self.format or formats[0]

    def _unfit(self, looks_like: str) -> Refusal:
        expected = f"the events before it are {self.format}" if self.events else f"{self.format} was asked for"
        hint = None if self.events else "Leave --format out: the format is told from the content."
        return Refusal(f"looks like {looks_like}, and {expected}", hint=hint, in_item=self.events > 0)

    def _check_tenant(self, tenant: str) -> None:
        if tenant.lower() != self._tenant_id:
            hint = "Export the events of one tenant only"
            if is_guid(tenant):
                hint += f", or import the file into the other one: --tenant {tenant.lower()}"
            raise Refusal(f"is of tenant {quoted(tenant)}, and tenant {self._tenant_id} was asked for", hint=f"{hint}.")

    def _unreadable(self, refusal: Refusal) -> UnreadableExport:
        line = f"line {refusal.line:,}" if refusal.line else ""
        place = line
        if refusal.in_item:
            place = f"item {self.events + 1:,}" + (f" ({line})" if line else "")
        message = f"{self._name}: {place} {refusal.message}" if place else f"{self._name} {refusal.message}"
        return UnreadableExport(message, hint=refusal.hint)


def _formats_of(fields: Fields) -> tuple[Format, ...]:
    """Return the formats that an item may be in, the likeliest first."""
    if json_shapes.is_graph(fields):
        return (Format.GRAPH,)
    if json_shapes.is_azure_monitor(fields):
        return (Format.AZURE_MONITOR,)
    if json_shapes.is_log_analytics(fields):
        return (Format.LOG_ANALYTICS,)
    return (Format.GRAPH, Format.LOG_ANALYTICS) if json_shapes.may_be_graph(fields) else ()
