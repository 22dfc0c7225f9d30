"""JSON lines: each record exactly as the REST API has it, compact, in ASCII."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from supportaccess.cli.output.encoding import encode
from supportaccess.cli.output.formats.format import Form, OutputFormat


class JsonLines(OutputFormat):
    """Each value on a line of its own."""

    form: Form = "object"

    def many(self, records: Iterator[msgspec.Struct]) -> Iterator[bytes]:
        """Yield a line a record."""
        return _lines(self.fields.objects(records))

    def found(self, value: Any) -> Iterator[bytes]:
        """Yield a line for each element of a list, and for anything else one."""
        return _lines(value if isinstance(value, list) else [value])


def _lines(values: Iterable[object]) -> Iterator[bytes]:
    for value in values:
        yield encode(value) + b"\n"
