"""The items of a JSON export, whatever stands around them.

An export is an array of items, items one after another (JSON lines), or objects that hold the items in `value` (a
page of Graph), `records` (Event Hub) or `tables` (the Log Analytics query API). Several such objects may follow one
another, as when pages were appended to one file.
"""

import json
from collections.abc import Iterator

from supportaccess.sources.readers.fields import Refusal, kind_of, quoted
from supportaccess.sources.readers.window import Item, Window, check_size, too_large

_ARRAYS = ("value", "records")
_TABLES = "tables"
_NEXT_PAGE = ("@odata.nextLink", "nextLink")
_MOST_MEMBERS = 100


class JsonItems:
    """Iterates over the items in a window of JSON text. Raises Refusal where it is not one of the known forms.

    `more_pages` says that the last page read so far names another one after it.
    """

    def __init__(self, window: Window) -> None:
        self._window = window
        self.more_pages = False

    def __iter__(self) -> Iterator[Item]:
        if self._window.peek() == "[":
            yield from self._array()
            if self._window.peek():
                raise self._window.unexpected("nothing", "the end of the array")
            return
        line = 0
        while self._window.peek():
            if self._window.line == line:
                raise self._window.unexpected("a line break", "the end of the object")
            yield from self._document()
            line = self._window.line

    def _document(self) -> Iterator[Item]:
        if self._window.peek() != "{":
            raise self._window.unexpected("'{'", "the end of the object")
        item = self._window.glance()
        if item is not None and not _is_wrapper(item.value):
            self._window.skip(item)
            yield item
            return
        # It holds a list of items, or is too long to tell, or is no JSON, which the way through it will show.
        yield from self._wrapper()

    def _wrapper(self) -> Iterator[Item]:
        found = None
        line = self._window.line
        self.more_pages = False
        for name in self._members("object"):
            is_array = self._window.peek() == "["
            if is_array and name in (*_ARRAYS, _TABLES):
                if found:
                    raise Refusal(f"has both {found!r} and {name!r}", line=self._window.line, in_item=False)
                found = name
                yield from self._tables() if name == _TABLES else self._array()
            else:
                self._member(name, in_item=found is None)
        if not found:
            raise too_large(line)

    def _member(self, name: str, *, in_item: bool) -> None:
        value = self._window.value(in_item=in_item).value
        if name in _NEXT_PAGE and value:
            self.more_pages = True
        if name == "error" and value:
            raise service_error(value)

    def _array(self) -> Iterator[Item]:
        for _ in self._elements("item"):
            yield self._window.value()

    def _tables(self) -> Iterator[Item]:
        for _ in self._elements("table"):
            columns: list[str] | None = None
            for name in self._members("table"):
                if name == "columns":
                    columns = _column_names(self._window.value(in_item=False).value)
                elif name == "rows":
                    yield from self._rows(columns)
                else:
                    self._window.value(in_item=False)

    def _rows(self, columns: list[str] | None) -> Iterator[Item]:
        if columns is None:
            raise Refusal("has the rows of a table before its columns", line=self._window.line, in_item=False)
        for _ in self._elements("row"):
            row = self._window.value()
            if not isinstance(row.value, list):
                raise Refusal(f"is {kind_of(row.value)}, not a row", line=row.line)
            if len(row.value) != len(columns):
                raise Refusal(f"has {len(row.value)} cells for {len(columns)} columns", line=row.line)
            cells = dict(zip(columns, row.value, strict=True))
            # A row says nothing without its columns.
            raw = json.dumps(cells, ensure_ascii=False, separators=(",", ":"))
            check_size(raw, row.line)
            yield Item(cells, raw, row.line)

    def _members(self, what: str) -> Iterator[str]:
        """Yield the name of each member; its value is next in the window and is the caller's to take."""
        window, seen = self._window, set[str]()
        window.expect("{", f"the beginning of the {what}")
        if window.take("}"):
            return
        while True:
            name = window.value(in_item=False).value
            if not isinstance(name, str):
                raise Refusal(f"is not JSON: {kind_of(name)} stands for a name", line=window.line, in_item=False)
            if name in seen:
                raise Refusal(f"has {quoted(name)} twice in one object", line=window.line, in_item=False)
            seen.add(name)
            if len(seen) > _MOST_MEMBERS:
                raise Refusal(f"has more than {_MOST_MEMBERS} members around its events", in_item=False)
            window.expect(":", quoted(name))
            yield name
            if window.take("}"):
                return
            window.expect(",", f"the value of {quoted(name)}")

    def _elements(self, what: str) -> Iterator[None]:
        """Stop before each element of an array; it is next in the window and is the caller's to take."""
        window = self._window
        window.expect("[", f"the name of the list of {what}s")
        if window.take("]"):
            return
        while True:
            yield
            if window.take("]"):
                return
            window.expect(",", f"the end of the {what}")


def service_error(value: object) -> Refusal:
    """Return the refusal of an answer that reports an error: Graph's may come with status 200, after good events."""
    says = quoted(value) if isinstance(value, str) else ""
    if isinstance(value, dict):
        parts = [value.get(name) for name in ("code", "message")]
        says = ": ".join(quoted(part) for part in parts if isinstance(part, str))
    return Refusal(
        f"holds an error of the service in place of events: {says or 'it gives no reason'}",
        hint="Run the query again; nothing of this answer can be relied on.",
        in_item=False,
    )


def _is_wrapper(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    return any(isinstance(value.get(name), list) for name in (*_ARRAYS, _TABLES))


def _column_names(value: object) -> list[str]:
    columns = value if isinstance(value, list) else []
    names = [column.get("name") if isinstance(column, dict) else None for column in columns]
    found = [name for name in names if isinstance(name, str)]
    if not found or len(found) != len(names) or len(set(found)) != len(found):
        raise Refusal("has a table whose columns are not named, or not differently", in_item=False)
    return found
