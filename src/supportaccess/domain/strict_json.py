"""JSON as it should be: what Python's decoder lets pass, or fails at in its own ways, is refused here."""

import json
import math
import re

LONGEST_TEXT = 256 * 1024
DEEPEST = 64
_LONGEST_INTEGER = 30
_LONGEST_FLOAT = 64

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class BadJson(Exception):
    """What is wrong with the text. `position` is where, if that is known; `cut_off` that it ends too early."""

    def __init__(self, message: str, position: int | None = None, *, cut_off: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.position = position
        self.cut_off = cut_off


def decode_at(text: str, start: int) -> tuple[object, int]:
    """Return the JSON value that begins at `start`, and where it ends.

    Raises BadJson for what RFC 8259 does not allow and for duplicate names, numbers past 30 digits or past a
    double's range, strings over 256 KiB, nesting over 64 and lone surrogates.
    """
    try:
        value, end = _DECODER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        cut_off = error.pos >= len(text) or error.msg.startswith("Unterminated string")
        raise BadJson(f"is not JSON: {_reason(error.msg)}", error.pos, cut_off=cut_off) from None
    except RecursionError:
        raise BadJson(f"is nested deeper than {DEEPEST} levels") from None
    # A value that is too short or too plain to break these limits is not walked through.
    if (
        end - start > LONGEST_TEXT // 4
        or text.count("{", start, end) + text.count("[", start, end) > DEEPEST
        or _SURROGATE.search(text, start, end)
    ):
        _check(value)
    return value, end


def decode(text: str) -> object:
    """Return the JSON value that is the whole text. Raises BadJson as `decode_at` does, and for anything after it."""
    stripped = text.strip(" \t\r\n")
    value, end = decode_at(stripped, 0)
    if end != len(stripped):
        raise BadJson("is not JSON: something follows its end", end)
    return value


def _reason(message: str) -> str:
    # The decoder's messages end in "at" or "starting at", for a position that is given otherwise here.
    return message.removesuffix(" at").removesuffix(" starting").lower()


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise BadJson("has the same name twice in one object")
    return result


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > _LONGEST_INTEGER:
        raise BadJson(f"has a number of more than {_LONGEST_INTEGER} digits")
    return int(digits)


def _float(digits: str) -> float:
    if len(digits) > _LONGEST_FLOAT:
        raise BadJson(f"has a number of more than {_LONGEST_FLOAT} characters")
    number = float(digits)
    if math.isinf(number):
        raise BadJson("has a number that is too large")
    return number


def _constant(name: str) -> object:
    raise BadJson(f"has {name}, which is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant)


def _check(value: object) -> None:
    found: list[tuple[object, int]] = [(value, 1)]
    while found:
        part, depth = found.pop()
        if isinstance(part, str):
            _check_text(part)
        elif isinstance(part, dict | list):
            if depth > DEEPEST:
                raise BadJson(f"is nested deeper than {DEEPEST} levels")
            parts = [*part.keys(), *part.values()] if isinstance(part, dict) else part
            found.extend((inner, depth + 1) for inner in parts)


def _check_text(text: str) -> None:
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise BadJson("has half a surrogate pair, which is no character") from None
    if size > LONGEST_TEXT:
        raise BadJson(f"has text of more than {LONGEST_TEXT:,} bytes")
