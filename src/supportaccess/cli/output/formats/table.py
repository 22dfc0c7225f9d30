"""Tables for people: by Rich, and in plain columns where there are too many rows for it."""

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import msgspec

from supportaccess.cli.output.fields import (
    ACCESS_REQUESTS,
    ACCESS_REQUESTS_OF_TENANTS,
    AUDIT_ENTRIES,
    AUDIT_ENTRIES_OF_TENANTS,
    Fields,
)
from supportaccess.cli.output.formats.format import Form, OutputFormat, Target
from supportaccess.cli.output.query import as_rows

if TYPE_CHECKING:
    from supportaccess.cli.output.views import View

MOST_BY_RICH = 500
"""Beyond so many rows a table is plain columns: Rich takes most of a millisecond for a row."""


class Table(OutputFormat):
    """A table as wide as the terminal; whole in a pipe. Its parts are imported when a row is written."""

    form: Form = "page"

    def __init__(self, fields: Fields, target: Target) -> None:
        super().__init__(fields, target)
        self._aliases = target.aliases()

    def many(self, records: Iterator[msgspec.Struct]) -> Iterator[bytes]:
        """Yield the table of the records."""
        return self._table(self._view(), records)

    def growing(self, first: Sequence[msgspec.Struct], following: Iterator[msgspec.Struct]) -> Iterator[bytes]:
        """Yield plain columns, as wide as the first records need and those that follow usually do."""
        from supportaccess.cli.output.tables import plain_table
        from supportaccess.cli.output.views import Look, usual_widths

        view, look = self._view(), Look(self.target.now, self._aliases)
        return plain_table(
            view,
            chain(first, following),
            look,
            colour=self.target.streams.colour,
            measured=len(first),
            least=usual_widths(view),
        )

    def found(self, value: Any) -> Iterator[bytes]:
        """Yield the table of what a query found."""
        from supportaccess.cli.output.views import values_view

        header, rows = as_rows(value)
        return self._table(values_view(header), iter(rows))

    def _view(self) -> "View":
        from supportaccess.cli.output import views

        known = {
            ACCESS_REQUESTS: views.REQUEST_VIEW,
            ACCESS_REQUESTS_OF_TENANTS: views.REQUEST_OF_TENANT_VIEW,
            AUDIT_ENTRIES: views.ENTRY_VIEW,
            AUDIT_ENTRIES_OF_TENANTS: views.ENTRY_OF_TENANT_VIEW,
        }
        view = None if self.fields.chosen else known.get(self.fields.layout)
        return view or views.columns_view(self.fields.columns)

    def _table(self, view: "View", rows: Iterator[Any]) -> Iterator[bytes]:
        from supportaccess.cli.output.views import Look

        look, streams = Look(self.target.now, self._aliases), self.target.streams
        first = list(islice(rows, MOST_BY_RICH + 1))
        if len(first) > MOST_BY_RICH:
            from supportaccess.cli.output.tables import plain_table

            yield from plain_table(view, chain(first, rows), look, colour=streams.colour)
        elif first:
            from supportaccess.cli.output.tables import rich_table

            if streams.out_is_terminal:
                look.shorten(each for each in map(view.id_of, first) if each is not None)
            width = streams.width if streams.out_is_terminal else None
            yield rich_table(view, first, look, width=width, colour=streams.colour)
