"""JSON: each record exactly as the REST API has it, indented, in ASCII."""

from collections.abc import Iterator

from supportaccess.cli.output.encoding import indented
from supportaccess.cli.output.formats.format import DocumentFormat


class Json(DocumentFormat):
    """An array, written value by value."""

    streams = False

    def array(self, values: Iterator[object]) -> Iterator[bytes]:
        """Yield an indented array."""
        before = b"[\n  "
        for value in values:
            # A line end inside a string is written as an escape, so that every real one is the formatter's.
            yield before + indented(value).replace(b"\n", b"\n  ")
            before = b",\n  "
        yield b"[]\n" if before.startswith(b"[") else b"\n]\n"

    def document(self, value: object) -> bytes:
        """Return the value as indented JSON."""
        return indented(value) + b"\n"
