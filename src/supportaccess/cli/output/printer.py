"""Records to standard output, in the format that was asked for."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, assert_never

import msgspec

from supportaccess.cli.output.fields import (
    ACCESS_REQUESTS,
    ACCESS_REQUESTS_OF_TENANTS,
    AUDIT_ENTRIES,
    AUDIT_ENTRIES_OF_TENANTS,
    Layout,
    attribute_of,
    chosen_fields,
    parse_columns,
    picker,
    row_of,
)
from supportaccess.cli.output.formats.cells import csv_lines, id_lines, tsv_lines
from supportaccess.cli.output.formats.format import Format
from supportaccess.cli.output.formats.json import builtins_of, json_array, json_document, json_lines
from supportaccess.cli.output.query import Query, as_rows
from supportaccess.cli.output.streams import Streams
from supportaccess.errors import InvalidInput

if TYPE_CHECKING:
    from supportaccess.cli.output.views import View

MOST_BY_RICH = 500
"""Beyond so many rows a table is plain columns: Rich takes most of a millisecond for a row."""


class Printer:
    """Writes records of one kind to standard output.

    Made before anything is asked of the store, so that a wrong option is refused first.
    """

    def __init__(
        self,
        streams: Streams,
        layout: Layout,
        *,
        now: datetime,
        output: Format | None = None,
        columns: str | None = None,
        query: str | None = None,
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        """Take what `--output`, `--columns` and `--query` were given. Raises InvalidInput for what cannot be done.

        `aliases` has the names to show for tenant IDs.
        """
        self.format = output or (Format.TABLE if streams.out_is_terminal else Format.TSV)
        self._streams = streams
        self._layout = layout
        self._now = now
        self._aliases = aliases or {}
        if columns is not None and query is not None:
            raise InvalidInput("--columns and --query cannot be combined", hint="Choose the fields in the query.")
        if self.format is Format.IDS and (columns is not None or query is not None):
            raise InvalidInput("the format ids takes neither --columns nor --query", hint="Use -o tsv.")
        self._columns = parse_columns(columns, layout.kind) if columns is not None else ()
        self._query = Query(query) if query is not None else None

    @property
    def has_columns(self) -> bool:
        """Whether fields were chosen."""
        return bool(self._columns)

    def print_all(self, records: Iterable[msgspec.Struct]) -> None:
        """Write the records as they come. Once the reader is gone no more of them are taken."""
        if self._query is not None:
            self._print_found(self._query.search(builtins_of(list(records))))
        else:
            self._streams.write_all(self._parts(iter(records)))

    def print_each(self, first: Sequence[msgspec.Struct], following: Iterable[msgspec.Struct]) -> None:
        """Write the first records and then each one the moment it comes, without an end.

        Raises InvalidInput for a format that is nothing without its end.
        """
        if self.format is Format.JSON or self._query is not None:
            wanted = "--query" if self._query is not None else "-o json"
            raise InvalidInput(f"{wanted} needs all records, and here they do not end", hint="Use -o jsonl.")
        records = chain(first, following)
        parts = self._growing_table(first, records) if self.format is Format.TABLE else self._parts(records)
        self._streams.write_each(parts)

    def print_one(self, record: msgspec.Struct) -> None:
        """Write a single record: in JSON and YAML itself, not a list of one; in TSV a line a field, with its name."""
        if self._query is not None:
            self._print_found(self._query.search(builtins_of(record)))
        elif self.format in {Format.JSON, Format.YAML}:
            self._print_document(next(chosen_fields(iter([record]), self._columns)) if self._columns else record)
        elif self.format is Format.TSV and not self._columns:
            names = self._layout.columns
            values = picker(names)(builtins_of(record))
            self._streams.write_all(tsv_lines(zip(names, values, strict=True)))
        else:
            self.print_all([record])

    def _parts(self, records: Iterator[msgspec.Struct]) -> Iterator[bytes]:
        columns = self._columns or self._layout.columns
        match self.format:
            case Format.TABLE:
                return self._table(self._view(), records)
            case Format.CSV:
                return csv_lines(columns, map(picker(columns), map(row_of, records)))
            case Format.TSV:
                return tsv_lines(map(picker(columns), map(row_of, records)))
            case Format.IDS:
                return id_lines(records, attribute_of(self._layout))
        values: Iterator[object] = chosen_fields(records, columns) if self._columns else records
        match self.format:
            case Format.JSON:
                return json_array(values)
            case Format.JSONL:
                return json_lines(values)
            case Format.YAML:
                from supportaccess.cli.output.formats.yaml import yaml_list

                return yaml_list(values)
        assert_never(self.format)

    def _print_document(self, value: object) -> None:
        if self.format is Format.YAML:
            from supportaccess.cli.output.formats.yaml import yaml_document

            self._streams.write(yaml_document(value))
        else:
            self._streams.write(json_document(value))

    def _print_found(self, found: Any) -> None:
        match self.format:
            case Format.JSON | Format.YAML:
                self._print_document(found)
            case Format.JSONL:
                self._streams.write_all(json_lines(found if isinstance(found, list) else [found]))
            case _:
                self._print_cells(*as_rows(found))

    def _print_cells(self, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        match self.format:
            case Format.CSV:
                self._streams.write_all(csv_lines(header, rows))
            case Format.TSV:
                self._streams.write_all(tsv_lines(rows))
            case _:
                from supportaccess.cli.output.views import values_view

                self._streams.write_all(self._table(values_view(header), iter(rows)))

    def _view(self) -> "View":
        from supportaccess.cli.output import views

        known = {
            ACCESS_REQUESTS: views.REQUEST_VIEW,
            ACCESS_REQUESTS_OF_TENANTS: views.REQUEST_OF_TENANT_VIEW,
            AUDIT_ENTRIES: views.ENTRY_VIEW,
            AUDIT_ENTRIES_OF_TENANTS: views.ENTRY_OF_TENANT_VIEW,
        }
        view = None if self._columns else known.get(self._layout)
        return view or views.columns_view(self._columns or self._layout.columns)

    def _growing_table(self, first: Sequence[msgspec.Struct], records: Iterator[msgspec.Struct]) -> Iterator[bytes]:
        from supportaccess.cli.output.tables import plain_table
        from supportaccess.cli.output.views import Look, usual_widths

        view, look = self._view(), Look(self._now, self._aliases)
        least = usual_widths(view)
        return plain_table(view, records, look, colour=self._streams.colour, measured=len(first), least=least)

    def _table(self, view: "View", rows: Iterator[Any]) -> Iterator[bytes]:
        from supportaccess.cli.output.views import Look

        look = Look(self._now, self._aliases)
        first = list(islice(rows, MOST_BY_RICH + 1))
        if len(first) > MOST_BY_RICH:
            from supportaccess.cli.output.tables import plain_table

            yield from plain_table(view, chain(first, rows), look, colour=self._streams.colour)
        elif first:
            from supportaccess.cli.output.tables import rich_table

            to_terminal = self._streams.out_is_terminal
            if to_terminal:
                look.shorten(each for each in map(view.id_of, first) if each is not None)
            width = self._streams.width if to_terminal else None
            yield rich_table(view, first, look, width=width, colour=self._streams.colour)
