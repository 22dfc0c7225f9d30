"""JSON in ASCII, whatever is in the texts: as it is written, and as its reader has it."""

from typing import Any

import msgspec

from supportaccess.cli.output.text import escape_json, mend

_ENCODE = msgspec.json.Encoder().encode


def encode(value: object) -> bytes:
    """Return the value as compact ASCII JSON."""
    return escape_json(_utf8(value))


def indented(value: object) -> bytes:
    """Return the value as indented ASCII JSON, without a line end."""
    return msgspec.json.format(encode(value), indent=2)


def builtins_of(value: object) -> Any:
    """Return the value as a reader of its JSON would have it."""
    return msgspec.json.decode(_utf8(value))


def _utf8(value: object) -> bytes:
    try:
        return _ENCODE(value)
    except UnicodeEncodeError:
        return _ENCODE(mend(msgspec.to_builtins(value)))
