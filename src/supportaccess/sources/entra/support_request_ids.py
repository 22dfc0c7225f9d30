"""Finds the support request ID in an event.

Microsoft does not document where it stands, or that it is there at all. Azure's numbers usually have 16 digits, so
what is found here is always an inference.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress

from supportaccess.domain.strict_json import BadJson, decode
from supportaccess.domain.text import check_support_request_id
from supportaccess.errors import InvalidInput
from supportaccess.sources.readers.fields import Fields, entries, get

# Not a part of a longer number, word, GUID or decimal fraction.
_NUMBER = re.compile(r"(?<![\w-])(?<![0-9][.,])[0-9]{16}(?![\w-])")
_NOT_LETTERS = re.compile(r"[^a-z]+")
_ABOUT = ("supportrequest", "ticket", "case")
# "Support request ID", "TicketNumber" and "case" name the ID itself; "Support request status" does not.
_NAMES_IT = re.compile(
    r".*(supportrequest|ticket|case)(id|identifier|number|no|ref|reference)|(support)?(request|ticket|case)"
)


def find_support_request_id(details: Iterable[Fields], targets: Iterable[Fields]) -> str | None:
    """Return the support request ID that an event's additional details and targets tell; None if unknown.

    What stands under a name that speaks of a support request, ticket or case goes before anything else. Two
    different IDs of the same standing are none: nothing is guessed.
    """
    likely, possible = set[str](), set[str]()
    for name, value in _named_values(details, targets):
        letters = _NOT_LETTERS.sub("", name.casefold())
        found = set(_NUMBER.findall(value))
        if any(about in letters for about in _ABOUT):
            likely |= found or (_words(value) if _NAMES_IT.fullmatch(letters) else set())
        else:
            possible |= found
    candidates = likely or possible
    return candidates.pop() if len(candidates) == 1 else None


def _named_values(details: Iterable[Fields], targets: Iterable[Fields]) -> Iterator[tuple[str, str]]:
    for detail in details:
        yield from _pairs(detail, "key", "value")
    for target in targets:
        for name in ("displayName", "id"):
            value = get(target, name)
            if isinstance(value, str):
                yield "", value
        for changed in entries(target, "modifiedProperties"):
            yield from _pairs(changed, "displayName", "newValue", "oldValue")


def _pairs(entry: Fields, name: str, *values: str) -> Iterator[tuple[str, str]]:
    key = get(entry, name)
    for field in values:
        value = get(entry, field)
        if isinstance(value, str | int) and not isinstance(value, bool):
            yield key if isinstance(key, str) else "", str(value)


def _words(value: str) -> set[str]:
    """Return the IDs in a value, which may be JSON text of a string or of an array of strings."""
    words = set()
    for text in _texts(value):
        with suppress(InvalidInput):
            words.add(check_support_request_id(text))
    return words


def _texts(value: str) -> list[str]:
    try:
        inner = decode(value)
    except BadJson:
        return [value]
    match inner:
        case str():
            return [inner]
        case list():
            return [part for part in inner if isinstance(part, str)]
        case None | bool() | dict():
            return []
        case _:
            return [value]
