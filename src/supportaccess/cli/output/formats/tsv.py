"""TSV, for `cut` and `awk`: a tab between the cells, no header, nothing cut, times in UTC as in JSON."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from supportaccess.cli.output.encoding import builtins_of
from supportaccess.cli.output.fields import cell_text, picker
from supportaccess.cli.output.formats.format import Form, RowFormat
from supportaccess.cli.output.text import safe


class Tsv(RowFormat):
    """A line a record. A tab inside a cell is escaped."""

    form: Form = "fields"

    def rows(self, _: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
        """Yield the rows alone."""
        for row in rows:
            yield ("\t".join([safe(cell_text(value)) for value in row]) + "\n").encode()

    def one(self, record: msgspec.Struct) -> Iterable[bytes]:
        """Yield a line a field, with its name, unless fields were chosen."""
        if self.fields.chosen:
            return super().one(record)
        names = self.fields.columns
        return self.rows((), zip(names, picker(names)(builtins_of(record)), strict=True))
