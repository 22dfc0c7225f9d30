"""JSON and JSON lines: each record exactly as the REST API has it, in ASCII."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from supportaccess.cli.output.text import escape_json, mend

_ENCODE = msgspec.json.Encoder().encode


def encode(value: object) -> bytes:
    """Return the value as compact ASCII JSON."""
    return escape_json(_utf8(value))


def builtins_of(value: object) -> Any:
    """Return the value as a reader of its JSON would have it."""
    return msgspec.json.decode(_utf8(value))


def json_document(value: object) -> bytes:
    """Return the value as indented JSON."""
    return msgspec.json.format(encode(value), indent=2) + b"\n"


def json_array(values: Iterable[object]) -> Iterator[bytes]:
    """Yield an indented array of the values, value by value."""
    before = b"[\n  "
    for value in values:
        # A line end inside a string is written as an escape, so that every real one is the formatter's.
        yield before + msgspec.json.format(encode(value), indent=2).replace(b"\n", b"\n  ")
        before = b",\n  "
    yield b"[]\n" if before.startswith(b"[") else b"\n]\n"


def json_lines(values: Iterable[object]) -> Iterator[bytes]:
    """Yield each value on a line of its own."""
    for value in values:
        yield encode(value) + b"\n"


def _utf8(value: object) -> bytes:
    try:
        return _ENCODE(value)
    except UnicodeEncodeError:
        return _ENCODE(mend(msgspec.to_builtins(value)))
