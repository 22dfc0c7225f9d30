"""Records to standard output, in the format that was asked for."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import msgspec

from supportaccess.cli.output.encoding import builtins_of
from supportaccess.cli.output.fields import Fields, Layout, parse_columns
from supportaccess.cli.output.formats import load
from supportaccess.cli.output.formats.format import Form, Target
from supportaccess.cli.output.query import Query
from supportaccess.cli.output.streams import Streams
from supportaccess.errors import InvalidInput

Page = Callable[[], object]
"""Writes what a command has of its own for a form, in place of the records."""


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
        output: str | None = None,
        columns: str | None = None,
        query: str | None = None,
        aliases: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        """Take what `--output`, `--columns` and `--query` were given. Raises InvalidInput for what cannot be done.

        `aliases` returns the names to show for tenant IDs, where the format shows them.
        """
        self._streams = streams
        name = output or ("table" if streams.out_is_terminal else "tsv")
        self._name, kind = name, load(name)
        if columns is not None and query is not None:
            raise InvalidInput("--columns and --query cannot be combined", hint="Choose the fields in the query.")
        if not kind.takes_columns and (columns is not None or query is not None):
            raise InvalidInput(f"the format {name} takes neither --columns nor --query", hint="Use -o tsv.")
        chosen = parse_columns(columns, layout.kind) if columns is not None else ()
        self._query = Query(query) if query is not None else None
        self._format = kind(Fields(layout, chosen), Target(streams, now, aliases))
        # Fields that were chosen are cells or objects of their own, whatever the format makes of a whole record.
        self._form: Form = "row" if chosen else kind.form

    @property
    def prints_objects(self) -> bool:
        """Whether it prints whole records, as the API has them, and not chosen fields or columns of them."""
        return self._form in {"object", "document"}

    def print_all(self, records: Iterable[msgspec.Struct], *, for_people: Page | None = None) -> None:
        """Write the records as they come. Once the reader is gone no more of them are taken.

        `for_people` is written instead of a table of all of their columns.
        """
        if self._print_own({"page": for_people}):
            return
        if self._query is not None:
            self._print_found(self._query, list(records))
        else:
            self._streams.write_all(self._format.many(iter(records)))

    def print_each(self, first: Sequence[msgspec.Struct], following: Iterator[msgspec.Struct]) -> None:
        """Write the first records and then each one the moment it comes, without an end.

        Raises InvalidInput for a format that is nothing without its end.
        """
        if not self._format.streams or self._query is not None:
            wanted = "--query" if self._query is not None else f"-o {self._name}"
            raise InvalidInput(f"{wanted} needs all records, and here they do not end", hint="Use -o jsonl.")
        self._streams.write_each(self._format.growing(first, following))

    def print_one(
        self, record: msgspec.Struct, *, for_people: Page | None = None, by_field: Page | None = None
    ) -> None:
        """Write a single record: in JSON and YAML itself, not a list of one; in TSV a line a field, with its name.

        `for_people` is written instead of a table of one row, and `by_field` instead of the lines.
        """
        if self._print_own({"page": for_people, "fields": by_field}):
            return
        if self._query is not None:
            self._print_found(self._query, record)
        else:
            self._streams.write_all(self._format.one(record))

    def print_document(self, whole: msgspec.Struct, rows: Iterable[msgspec.Struct]) -> None:
        """Write all of it where one document can hold that, and for a query; otherwise its rows."""
        if self._query is not None or self._form == "document":
            self.print_one(whole)
        else:
            self.print_all(rows)

    def _print_own(self, pages: Mapping[Form, Page | None]) -> bool:
        """Write the command's own page, if it has one for the form; return whether it was."""
        page = pages.get(self._form) if self._query is None else None
        if page is not None:
            page()
        return page is not None

    def _print_found(self, query: Query, value: object) -> None:
        self._streams.write_all(self._format.found(query.search(builtins_of(value))))
