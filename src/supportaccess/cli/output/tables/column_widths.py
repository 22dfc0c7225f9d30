"""How wide the columns of a table are."""

from collections.abc import Sequence

from supportaccess.cli.output.views import Heading

_WIDE_GAP = 2
_NARROW_GAP = 1


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
