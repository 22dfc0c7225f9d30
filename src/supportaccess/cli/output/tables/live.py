"""A screen that is drawn again and again: on the terminal's other page, so that nothing of it stays."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from supportaccess.cli.output.colour import Colour, paint
from supportaccess.cli.output.streams import Streams
from supportaccess.cli.output.tables.plain import cut
from supportaccess.cli.output.tables.rich import rich_table
from supportaccess.cli.output.text import safe
from supportaccess.cli.output.views import Cell, Look, View

_OTHER_PAGE, _FIRST_PAGE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
_HOME, _REST_OF_LINE, _REST_OF_PAGE = "\x1b[H", "\x1b[K", "\x1b[J"


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
