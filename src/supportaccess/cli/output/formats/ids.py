"""Bare IDs, for another command to read."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from supportaccess.cli.output.fields import attribute_of, cell_text
from supportaccess.cli.output.formats.format import OutputFormat
from supportaccess.cli.output.text import safe


class Ids(OutputFormat):
    """The ID of each record on a line of its own."""

    takes_columns = False

    def many(self, records: Iterator[msgspec.Struct]) -> Iterator[bytes]:
        """Yield a line a record."""
        attribute = attribute_of(self.fields.layout)
        for record in records:
            yield f"{safe(cell_text(getattr(record, attribute)))}\n".encode()

    def found(self, value: Any) -> Iterable[bytes]:
        """Never called: it takes no query."""
        raise NotImplementedError
