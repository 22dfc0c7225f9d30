"""CSV, TSV and bare IDs: one record a line, nothing cut, times in UTC as JSON has them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from supportaccess.cli.output.fields import cell_text
from supportaccess.cli.output.text import safe

_FORMULA = frozenset("=+-@\t\r\0\n\uff1d\uff0b\uff0d\uff20")


def csv_lines(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    r"""Yield a header and the rows as RFC 4180 has them, but for lines that end with `\n` as everywhere here.

    A text that a spreadsheet would take for a formula gets a `'` in front.
    """
    import csv

    # `writerow` answers what the `write` of its file answers, which here is the line itself.
    line = csv.writer(_Echo(), lineterminator="\n").writerow
    if header:
        yield _bytes(line(_csv_cell(name) for name in header))
    for row in rows:
        yield _bytes(line(map(_csv_cell, row)))


def tsv_lines(rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """Yield the rows with a tab between the cells; a tab inside a cell is escaped."""
    for row in rows:
        yield _bytes("\t".join([safe(cell_text(value)) for value in row]) + "\n")


def id_lines(records: Iterable[object], field: str) -> Iterator[bytes]:
    """Yield the ID of each record on a line of its own."""
    for record in records:
        yield _bytes(safe(cell_text(getattr(record, field))) + "\n")


def _csv_cell(value: Any) -> str:
    text = cell_text(value)
    if isinstance(value, str) and text[:1] in _FORMULA:
        text = f"'{text}"
    return safe(text)


def _bytes(text: Any) -> bytes:
    return str(text).encode()


class _Echo:
    def write(self, text: str) -> str:
        return text
