"""What is asked of a list, as query parameters, and the places where its pages go on."""

from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import quote, urlencode, urlsplit
from zlib import crc32

from supportaccess.errors import InvalidInput, StoreRefused
from supportaccess.http.endpoints import origin, split_url
from supportaccess.structs import Struct

Parameters = Sequence[tuple[str, str]]
_LONGEST_LINK = 16 * 1024


def parameters_of(query: Struct, kind: type[Struct]) -> Parameters:
    """Return the fields that a kind of query has, by the names that the server reads; what is not given is left out.

    `kind` is the query's own class, or the one of its filters alone: what a count takes.
    """
    names = zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True)
    return [(sent, text) for name, sent in names for text in _texts(getattr(query, name))]


def encoded(parameters: Parameters) -> str:
    """Return the query string. Raises InvalidInput for text that is not valid Unicode."""
    try:
        return urlencode(parameters, quote_via=quote)
    except UnicodeEncodeError:
        raise InvalidInput("what was given is not valid Unicode text") from None


def segment(text: str) -> str:
    """Return the text as one segment of a path, whatever is in it. Raises InvalidInput for what is not Unicode."""
    try:
        return quote(text, safe="").replace(".", "%2E")
    except UnicodeEncodeError:
        raise InvalidInput("what was given is not valid Unicode text") from None


class Pages:
    """The pages of one list at an endpoint. A cursor holds the server's `nextLink`, and which list it is of."""

    def __init__(self, endpoint: str, path: str, parameters: Parameters) -> None:
        self._list = urlsplit(f"{endpoint}{path}")
        self._path = path
        self._query = encoded(parameters)
        self._mark = f"{crc32(f'{endpoint}{path}?{self._query}'.encode()):08x}"

    def place(self, cursor: str | None, top: int) -> str:
        """Return path and query of a page. Raises InvalidInput for a cursor that is not of this list."""
        if cursor is None:
            return f"{self._path}?{self._query}&top={top}"
        query = self._continuation(cursor.removeprefix(self._mark)) if cursor.startswith(self._mark) else None
        if query is None:
            raise InvalidInput("this is not a place in this list")
        return f"{self._path}?{query}"

    def cursor(self, link: object) -> str | None:
        """Return the cursor for the server's link to the next page, if there is one.

        Raises StoreRefused for one that leads elsewhere: a token goes to the endpoint alone.
        """
        if not isinstance(link, str):
            return None
        if self._continuation(link) is None:
            raise StoreRefused(
                f"the next page is said to be at {link[:200]}, which is not at the endpoint",
                hint="The operator sets the server's public_url to the URL by which it is called.",
            )
        return self._mark + link

    def _continuation(self, link: str) -> str | None:
        """Return the query of a link that leads to this list."""
        url = split_url(link) if len(link) <= _LONGEST_LINK else None
        if url is None or url.username is not None or url.fragment:
            return None
        same = origin(url) == origin(self._list) and url.path == self._list.path
        return url.query if same else None


def _texts(value: object) -> list[str]:
    """Return a field's value as the texts to send."""
    match value:
        case None | False:
            return []
        case True:
            return ["true"]
        case frozenset():
            return [str(each) for each in sorted(value)]
        case datetime():
            return [value.astimezone(UTC).isoformat().replace("+00:00", "Z")]
        case _:
            return [str(value)]
