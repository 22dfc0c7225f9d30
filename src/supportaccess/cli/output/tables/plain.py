"""Aligned columns, written as the rows come: for listings too long for Rich, in which IDs stand whole."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, zip_longest
from typing import Any

from supportaccess.cli.output.colour import Colour, paint
from supportaccess.cli.output.text import safe
from supportaccess.cli.output.views import Cell, Look, View

_MEASURED = 500
_LONGEST_TEXT = 40
_GAP = "  "


def plain_table(
    view: View, rows: Iterable[Any], look: Look, *, colour: bool, measured: int = _MEASURED, least: Sequence[int] = ()
) -> Iterator[bytes]:
    """Yield a heading and a line for each row.

    The first rows, as many as are `measured`, set the widths of the columns, and no column is narrower than `least`.
    """
    cells = (_ready(view, view.cells(row, look)) for row in rows)
    first = list(islice(cells, measured))
    titles: list[Cell] = [(heading.title, Colour.BOLD) for heading in view.headings]
    widths = [max(display_width(text) for text, _ in column) for column in zip(titles, *first, strict=True)]
    widths = [max(pair) for pair in zip_longest(widths, least, fillvalue=0)]
    for line in chain([titles], first, cells):
        yield _line(line, widths, colour=colour)


def display_width(text: str) -> int:
    """Return how many columns of a terminal the text takes."""
    if text.isascii():
        return len(text)
    from unicodedata import category, east_asian_width

    return sum(
        0 if category(character) in {"Mn", "Me"} else 2 if east_asian_width(character) in "WF" else 1
        for character in text
    )


def cut(text: str, width: int) -> str:
    """Return the text, shortened with an ellipsis where it is wider than that."""
    if display_width(text) <= width:
        return text
    kept = text[: width - 1]
    while display_width(kept) >= width:
        kept = kept[:-1]
    return f"{kept}…"


def _ready(view: View, cells: Iterable[Cell]) -> list[Cell]:
    return [
        (safe(text) if heading.floor is None else cut(safe(text), _LONGEST_TEXT), colour)
        for heading, (text, colour) in zip(view.headings, cells, strict=True)
    ]


def _line(cells: Sequence[Cell], widths: Sequence[int], *, colour: bool) -> bytes:
    parts = [
        paint(text, tint if colour else None) + " " * (width - display_width(text))
        for (text, tint), width in zip(cells, widths, strict=True)
    ]
    return (_GAP.join(parts).rstrip(" ") + "\n").encode()
