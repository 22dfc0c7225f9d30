"""A table by Rich, which knows how wide every character is. Data goes in as text, never as markup."""

from collections.abc import Sequence
from io import StringIO
from typing import Any

from supportaccess.cli.output.colour import Colour
from supportaccess.cli.output.tables.column_widths import fit
from supportaccess.cli.output.text import safe
from supportaccess.cli.output.views import Look, View


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
