"""Looking things up in an item, and saying what is wrong with one.

Names are compared exactly first, then without regard to case.
"""

from collections.abc import Mapping

from supportaccess.domain.strict_json import BadJson, decode

Fields = Mapping[str, object]

LONGEST_WORD = 256

LONGEST_QUOTE = 80


def get(fields: Fields, name: str) -> object:
    """Return the field's value; None if it is absent."""
    if name in fields:
        return fields[name]
    folded = name.casefold()
    return next((value for key, value in fields.items() if key.casefold() == folded), None)


def text(fields: Fields, name: str) -> str | None:
    """Return a field's text; None if it is absent, null or empty. Raises Refusal if it is no text."""
    value = get(fields, name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise Refusal(f"has {kind_of(value)} as its {name}, not text")
    return value


def word(fields: Fields, name: str) -> str | None:
    """Return a field's text as `text` does. Raises Refusal also if it is over 256 characters or has a NUL."""
    value = text(fields, name)
    if value is not None and len(value) > LONGEST_WORD:
        raise Refusal(f"has {len(value):,} characters as its {name}; {LONGEST_WORD} is the most")
    if value is not None and "\x00" in value:
        raise Refusal(f"has a NUL character in its {name}")
    return value


def mapping(fields: Fields, name: str) -> Fields:
    """Return a field that is an object, or JSON text of one; empty if absent. Raises Refusal for anything else."""
    value = _structure(fields, name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Refusal(f"has {kind_of(value)} as its {name}, not an object")
    return value


def entries(fields: Fields, name: str) -> list[Fields]:
    """Return a field that is an array of objects, or JSON text of one; empty if absent.

    Raises Refusal for anything else.
    """
    value = _structure(fields, name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise Refusal(f"has {kind_of(value)} as its {name}, not an array of objects")
    return value


def _structure(fields: Fields, name: str) -> object:
    """Return a value that may be written as JSON text, as Log Analytics does with its dynamic columns."""
    value = get(fields, name)
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    try:
        return decode(value)
    except BadJson as error:
        raise Refusal(f"has text as its {name} that {error.message}") from None


class Refusal(Exception):
    """Something in the file cannot be taken. `Export` makes an UnreadableExport of it, which also says where.

    `line` is the line where that is known; `in_item` says that it is about the item that was being read.
    """

    def __init__(self, message: str, *, hint: str | None = None, line: int | None = None, in_item: bool = True) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.line = line
        self.in_item = in_item


def quoted(text: str) -> str:
    """Return foreign text as it may stand in a message: at most 80 characters, none of them a control character."""
    return repr(text) if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]!r}..."


def kind_of(value: object) -> str:
    """Return what a JSON value is called."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case str():
            return "text"
        case int() | float():
            return "a number"
        case list():
            return "an array"
        case _:
            return "an object"
