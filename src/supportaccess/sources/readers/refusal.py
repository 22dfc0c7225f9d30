"""How the readers say what is wrong with a file, and how they quote it."""

LONGEST_QUOTE = 80


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
