r"""CSV as RFC 4180 has it, but for lines that end with `\n` as everywhere here. Times are in UTC as in JSON."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from supportaccess.cli.output.fields import cell_text
from supportaccess.cli.output.formats.format import RowFormat
from supportaccess.cli.output.text import safe

_FORMULA = frozenset("=+-@\t\r\0\n\uff1d\uff0b\uff0d\uff20")


class Csv(RowFormat):
    """A header and a row a record. A text that a spreadsheet would take for a formula gets a `'` in front."""

    def rows(self, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
        """Yield the header, where there is one, and the rows."""
        # `writerow` answers what the `write` of its file answers, which here is the line itself.
        line = csv.writer(_Echo(), lineterminator="\n").writerow
        if header:
            yield _bytes(line(_cell(name) for name in header))
        for row in rows:
            yield _bytes(line(map(_cell, row)))


def _cell(value: Any) -> str:
    text = cell_text(value)
    if isinstance(value, str) and text[:1] in _FORMULA:
        text = f"'{text}"
    return safe(text)


def _bytes(text: Any) -> bytes:
    return str(text).encode()


class _Echo:
    def write(self, text: str) -> str:
        return text
