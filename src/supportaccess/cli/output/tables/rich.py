"""A table by Rich, which knows how wide every character is. Data goes in as text, never as markup."""

from collections.abc import Sequence
from io import StringIO
from typing import Any

from supportaccess.cli.output.colour import Colour
from supportaccess.cli.output.text import safe
from supportaccess.cli.output.views import Heading, Look, View

_WIDE_GAP = 2
_NARROW_GAP = 1


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
