"""A window that slides over a text too long to hold."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from supportaccess.domain.strict_json import BadJson, decode_at
from supportaccess.sources.readers.fields import Refusal, quoted

LARGEST_ITEM = 1024**2
_BLANKS = re.compile(r"[ \t\r\n]*")


@dataclass(frozen=True, slots=True)
class Item:
    """One item of an export: what it says, its text as it stood in the file, and the line on which it begins."""

    value: object
    raw: str
    line: int


class Window:
    """The text from `position` on, of which one item's length is always in sight.

    So an item is decoded once, and one that does not end within sight is too large. `line` is that of the position.
    """

    def __init__(self, chunks: Iterator[str]) -> None:
        self._chunks = chunks
        self._text = ""
        self._position = 0
        self._ended = False
        self.line = 1

    def peek(self) -> str:
        """Move to the next character that is not blank and return it; an empty string at the end."""
        while True:
            self._fill()
            blanks = _BLANKS.match(self._text, self._position)
            self._move(blanks.end() if blanks else self._position)
            if self._position < len(self._text):
                return self._text[self._position]
            if self._ended:
                return ""

    def take(self, character: str) -> bool:
        """Move past the character if it is the next one that is not blank."""
        found = self.peek() == character
        if found:
            self._move(self._position + 1)
        return found

    def expect(self, character: str, after: str) -> None:
        """Move past the character. Raises Refusal if another is next."""
        if not self.take(character):
            raise self.unexpected(f"{character!r}", after)

    def unexpected(self, wanted: str, after: str) -> Refusal:
        """Return the refusal of what stands here in place of what was wanted."""
        found = self._text[self._position : self._position + 20]
        if not found:
            return Refusal(f"breaks off after {after}", hint=_AGAIN, line=self.line, in_item=False)
        return Refusal(
            f"is not JSON: {wanted} should follow {after}, and {quoted(found)} does", line=self.line, in_item=False
        )

    def value(self, *, in_item: bool = True) -> Item:
        """Move past the next JSON value and return it. Raises Refusal for what is no strict JSON, or too large."""
        self.peek()
        line, start = self.line, self._position
        try:
            value, end = decode_at(self._text, start)
        except BadJson as error:
            raise self._refusal(error, in_item) from None
        raw = self._text[start:end]
        check_size(raw, line)
        self._move(end)
        return Item(value, raw, line)

    def glance(self) -> Item | None:
        """Return the next JSON value without moving past it; None if it cannot be taken, or not in one piece."""
        try:
            value, end = decode_at(self._text, self._position)
        except BadJson:
            return None
        raw = self._text[self._position : end]
        return Item(value, raw, self.line) if fits(raw) else None

    def skip(self, item: Item) -> None:
        """Move past a value that was glanced at."""
        self._move(self._position + len(item.raw))

    def text_line(self) -> str:
        """Move past the next line and return it with its line break; an empty string at the end."""
        self._fill()
        end = self._text.find("\n", self._position) + 1 or len(self._text)
        text = self._text[self._position : end]
        check_size(text, self.line)
        self._move(end)
        return text

    def _fill(self) -> None:
        if self._ended or len(self._text) - self._position > LARGEST_ITEM:
            return
        parts = [self._text[self._position :]]
        size = len(parts[0])
        # Twice what is needed: each character is then moved at most twice.
        while size <= 2 * LARGEST_ITEM:
            chunk = next(self._chunks, None)
            if chunk is None:
                self._ended = True
                break
            parts.append(chunk)
            size += len(chunk)
        self._text, self._position = "".join(parts), 0

    def _move(self, end: int) -> None:
        self.line += self._text.count("\n", self._position, end)
        self._position = end

    def _refusal(self, error: BadJson, in_item: bool) -> Refusal:
        position = self._position if error.position is None else error.position
        if error.cut_off and self._ended:
            return Refusal("breaks off in the middle", hint=_AGAIN, line=self.line, in_item=in_item)
        if error.cut_off or position - self._position > LARGEST_ITEM:
            return too_large(self.line)
        line = self.line + self._text.count("\n", self._position, position)
        return Refusal(error.message, line=line, in_item=in_item)


def fits(raw: str) -> bool:
    """Tell whether the text of an item is at most 1 MiB, in UTF-8."""
    return len(raw) <= LARGEST_ITEM // 4 or len(raw.encode()) <= LARGEST_ITEM


def check_size(raw: str, line: int) -> None:
    """Raise Refusal if the text of an item is over 1 MiB."""
    if not fits(raw):
        raise too_large(line)


_AGAIN = "Download the export again: this file is not complete."


def too_large(line: int) -> Refusal:
    """Return the refusal of an item over 1 MiB."""
    return Refusal(f"is larger than {LARGEST_ITEM:,} bytes, which is the most", line=line)
