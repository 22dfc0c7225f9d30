"""Prints a table as the README of the benchmarks shows it."""

from collections.abc import Sequence


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table: the first column to the left, the others to the right."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    _print_row(header, widths)
    print("|".join(["", "-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:]), ""]))
    for row in rows:
        _print_row(row, widths)


def _print_row(row: Sequence[str], widths: Sequence[int]) -> None:
    first, *others = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
    print(f"| {' | '.join([first.strip().ljust(widths[0]), *others])} |")
