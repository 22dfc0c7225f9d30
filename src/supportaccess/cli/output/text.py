"""The one place that makes foreign text harmless: nothing of a record reaches a terminal as a command to it."""

import re
from collections.abc import Callable

MOST_MARKS = 8
"""How many combining marks in a row are shown as such; scripts in use stack three or four."""

_HARMFUL = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
# Letters by category, but drawn as nothing at all: the Hangul fillers.
_UNSEEN = frozenset("\u115f\u1160\u3164\uffa0")
_REMEMBERED = 4096
_BEYOND_ASCII = r"[^\x00-\x7e]+"


def safe(text: str, *, multiline: bool = False) -> str:
    r"""Return the text with everything escaped that a terminal would obey, hide or reorder, as `\u{202e}`.

    Newlines are kept and tabs become spaces where `multiline`; otherwise they are escaped as well.
    """
    if text.isascii() and text.isprintable():
        return text
    if multiline:
        lines = text.replace("\r\n", "\n").replace("\t", " ").split("\n")
        return "\n".join(safe(line) for line in lines)
    if "m" * (MOST_MARKS + 1) in text.translate(_MARKS):
        text = _escape_marks(text)
    return text.translate(_ESCAPES)


def counted(count: int, noun: str) -> str:
    """Return a count with its noun: `1 event`, `2,000 events`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def escape_json(data: bytes) -> bytes:
    r"""Return the JSON with every character from U+007F up written as `\uXXXX`."""
    if data.isascii() and b"\x7f" not in data:
        return data
    return re.sub(_BEYOND_ASCII, _as_utf16, data.decode()).encode()


def mend(value: object) -> object:
    """Return builtin data without lone surrogates, which no UTF-8 can hold; U+FFFD stands for each."""
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case dict():
            return {mend(key): mend(item) for key, item in value.items()}
        case list() | tuple():
            return [mend(item) for item in value]
        case _:
            return value


def _as_utf16(match: re.Match[str]) -> str:
    digits = match.group().encode("utf-16-be").hex()
    return "".join(f"\\u{digits[at : at + 4]}" for at in range(0, len(digits), 4))


def _escape(code: int) -> str:
    return f"\\u{{{code:x}}}"


def _escape_marks(text: str) -> str:
    """Escape what a run of combining marks has beyond the first ones."""
    kept: list[str] = []
    run = 0
    for character in text:
        run = run + 1 if _MARKS[ord(character)] == "m" else 0
        kept.append(character if run <= MOST_MARKS else _escape(ord(character)))
    return "".join(kept)


class _Table(dict[int, str]):
    """A table for `str.translate` that fills itself with the characters that occur."""

    def __init__(self, answer: Callable[[str, str], str]) -> None:
        super().__init__()
        self._answer = answer

    def __missing__(self, code: int) -> str:
        # Loaded at the first text that needs it only.
        import unicodedata

        character = chr(code)
        answer = self._answer(character, unicodedata.category(character))
        if len(self) < _REMEMBERED:
            self[code] = answer
        return answer


_ESCAPES = _Table(lambda char, category: _escape(ord(char)) if category in _HARMFUL or char in _UNSEEN else char)
_MARKS = _Table(lambda _, category: "m" if category in {"Mn", "Me"} else ".")
