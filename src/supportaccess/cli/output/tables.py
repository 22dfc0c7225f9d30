"""Tables: by Rich on a terminal, as plain columns in a pipe, and on a screen that is drawn again and again.

Rich knows how wide every character is. Data goes in as text, never as markup.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from itertools import chain, islice, zip_longest
from typing import Any

from supportaccess.cli.output.colour import Colour, paint
from supportaccess.cli.output.streams import Streams
from supportaccess.cli.output.text import safe
from supportaccess.cli.output.views import Cell, Heading, Look, View

_WIDE_GAP = 2
_NARROW_GAP = 1
_MEASURED = 500
_LONGEST_TEXT = 40
_GAP = "  "
_OTHER_PAGE, _FIRST_PAGE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
_HOME, _REST_OF_LINE, _REST_OF_PAGE = "\x1b[H", "\x1b[K", "\x1b[J"


def rich_table(view: View, rows: Sequence[Any], look: Look, *, width: int | None, colour: bool) -> bytes:
    """Return a table of the rows, fitted to that width; without one, nothing is cut."""
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    cells = [[(safe(text), tint) for text, tint in view.cells(row, look)] for row in rows]
    contents = [max(cell_len(text) for text, _ in column) for column in zip(*cells, strict=True)]
    titles = [heading.title for heading in view.headings]
    widths, gap = fit(view.headings, [cell_len(title) for title in titles], contents, width)

    table = Table(box=None, show_edge=False, pad_edge=False, padding=(0, gap, 0, 0), header_style=Colour.BOLD)
    for title, column in zip(titles, widths, strict=True):
        table.add_column(Text(title), width=column, no_wrap=True, overflow="ellipsis")
    for row in cells:
        table.add_row(*(Text(text, style=tint or "") for text, tint in row))

    written = StringIO()
    console = Console(
        file=written,
        width=sum(widths) + gap * len(widths),
        color_system="standard" if colour else None,
        force_terminal=colour,
        force_jupyter=False,
        no_color=not colour,
        legacy_windows=False,
        markup=False,
        emoji=False,
        highlight=False,
        _environ={},
    )
    console.print(table)
    return "".join(f"{line.rstrip()}\n" for line in written.getvalue().splitlines()).encode()


def fit(
    headings: Sequence[Heading], titles: Sequence[int], contents: Sequence[int], room: int | None
) -> tuple[list[int], int]:
    """Return the widths of the columns and of the gap between them, for titles and contents of these widths.

    Columns without a floor keep their full width, whatever the room. Of the others, titles are cut first, and then the
    widest content.
    """
    full = list(map(max, titles, contents))
    gaps = len(full) - 1
    if room is None or sum(full) + gaps * _WIDE_GAP <= room:
        return full, _WIDE_GAP
    room -= gaps * _NARROW_GAP
    least = [
        width if heading.floor is None else min(width, heading.floor)
        for heading, width in zip(headings, full, strict=True)
    ]
    wanted = list(map(max, least, contents))
    limit = max(wanted)
    while limit > 0 and sum(_cut(wanted, least, limit)) > room:
        limit -= 1
    return _spread(_cut(wanted, least, limit), full, room), _NARROW_GAP


def _cut(wanted: Sequence[int], least: Sequence[int], limit: int) -> list[int]:
    return [max(lowest, min(width, limit)) for width, lowest in zip(wanted, least, strict=True)]


def _spread(widths: list[int], full: Sequence[int], room: int) -> list[int]:
    """Give what is left of the room to the columns that are cut, from the left."""
    for at, width in enumerate(full):
        more = min(width - widths[at], room - sum(widths))
        widths[at] += max(more, 0)
    return widths


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


class Screen:
    """What is shown: a heading, a table as far as there is room, and lines below it."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    @contextmanager
    def open(self) -> Iterator[None]:
        """Take the terminal's other page, and give the first one back however the block ends."""
        self._streams.write(_OTHER_PAGE)
        try:
            yield
        finally:
            self._streams.write(_FIRST_PAGE)
            self._streams.flush()

    def draw(self, heading: str, view: View, rows: Sequence[Any], look: Look, below: Sequence[str]) -> None:
        """Draw everything anew, for the size that the terminal has now."""
        width, height = self._streams.width, self._streams.height
        room = max(1, height - len(below) - 5)
        lines = [self._line(heading, width, Colour.BOLD), ""]
        if rows:
            look.shorten(each for each in map(view.id_of, rows) if each is not None)
            table = rich_table(view, rows[:room], look, width=width, colour=self._streams.colour)
            lines += table.decode().splitlines()
        else:
            lines.append(self._line("Nothing needs attention.", width, Colour.DIM))
        if len(rows) > room:
            lines.append(self._line(f"and {len(rows) - room:,} more: supportaccess list", width, Colour.DIM))
        lines += ["", *(self._line(text, width, None) for text in below)]
        shown = f"{_REST_OF_LINE}\n".join(lines[: max(1, height - 1)])
        self._streams.write(f"{_HOME}{shown}{_REST_OF_LINE}{_REST_OF_PAGE}")

    def _line(self, text: str, width: int, colour: Colour | None) -> str:
        return paint(cut(safe(text), width), colour if self._streams.colour else None)


def marking(view: View, is_marked: Callable[[Any], bool]) -> View:
    """Return the view with a column in front that shows, also without colour, which rows changed lately."""

    def cells(row: Any, look: Look) -> list[Cell]:
        marked = is_marked(row)
        shown = view.cells(row, look)
        first: Cell = ("*" if marked else " ", Colour.BOLD)
        return [first, *((text, tint or Colour.BOLD) if marked else (text, tint) for text, tint in shown)]

    return View((type(view.headings[0])(""), *view.headings), view.id_of, cells)
