"""The CSV that the Entra admin center downloads: 86 columns, of which the portal translates some headings.

The order of the columns is not documented; it is what public parsers of such files rely on.
"""

import csv
from collections.abc import Iterator

from supportaccess.domain.strict_json import LONGEST_TEXT
from supportaccess.sources.readers.fields import Fields, Refusal, quoted, text
from supportaccess.sources.readers.window import LARGEST_ITEM, Item, Window, too_large

TARGETS = 3
PROPERTIES = 5
DETAILS = 6
_EVENT_COLUMNS = (
    *("Date (UTC)", "CorrelationId", "Service", "Category", "Activity", "Result", "ResultReason", "User Agent"),
    *("ActorType", "ActorDisplayName", "ActorObjectId", "ActorUserPrincipalName", "IPAddress"),
    *("ActorHomeTenantId", "ActorHomeTenantName", "ActorServicePrincipalId", "ActorServicePrincipalName"),
)
_NEEDED = _EVENT_COLUMNS[:6]


def _columns() -> Iterator[str]:
    yield from _EVENT_COLUMNS
    for target in range(1, TARGETS + 1):
        for column in ("Type", "DisplayName", "ObjectId", "UserPrincipalName"):
            yield f"Target{target}{column}"
        for number in range(1, PROPERTIES + 1):
            for column in ("Name", "OldValue", "NewValue"):
                yield f"Target{target}ModifiedProperty{number}{column}"
    for number in range(1, DETAILS + 1):
        for column in ("Key", "Value"):
            yield f"AdditionalDetail{number}{column}"


COLUMNS = tuple(_columns())
_BY_FOLDED_NAME = {column.casefold(): column for column in COLUMNS}


class CsvItems:
    """Iterates over the records in a window of CSV text, each a mapping of the English column names to its cells.

    An item's `raw` is the record's exact text, without the line break after it. Raises Refusal for headings that are
    not the portal's, broken quotes, rows of another length, NUL characters and cells over 256 KiB.
    """

    def __init__(self, window: Window) -> None:
        self._window = window
        self._taken: list[str] = []

    def __iter__(self) -> Iterator[Item]:
        csv.field_size_limit(LONGEST_TEXT)
        rows = csv.reader(self._lines(), strict=True)
        self._window.peek()
        columns = _recognise(self._next(rows) or [])
        while True:
            line = self._window.line
            row = self._next(rows)
            if row is None:
                return
            if not row:
                continue
            if len(row) != len(columns):
                raise Refusal(f"has {len(row)} cells; the headings are {len(columns)}", line=line)
            yield Item(dict(zip(columns, row, strict=True)), self._raw(), line)

    def _next(self, rows: Iterator[list[str]]) -> list[str] | None:
        self._taken.clear()
        line = self._window.line
        try:
            return next(rows, None)
        except csv.Error as error:
            raise Refusal(f"is not CSV: {error}", line=line) from None

    def _raw(self) -> str:
        return "".join(self._taken).removesuffix("\n").removesuffix("\r")

    def _lines(self) -> Iterator[str]:
        """Yield the lines, and remember those of one record. An open quote must not take the rest of the file."""
        size = 0
        while line := self._window.text_line():
            size = (size if self._taken else 0) + len(line.encode())
            self._taken.append(line)
            if size > LARGEST_ITEM:
                raise too_large(self._window.line - 1)
            if "\x00" in line:
                raise Refusal("has a NUL character", line=self._window.line - 1)
            yield line


def _recognise(headings: list[str]) -> list[str]:
    """Return the English names of the columns.

    By name where the columns that matter have their English headings. By position where the portal has translated
    some: only if there are 86, most headings are the English ones, and each of those is in its usual place.
    """
    names = [_BY_FOLDED_NAME.get(heading.strip().casefold(), heading.strip()) for heading in headings]
    if set(_NEEDED).issubset(names):
        if len(set(names)) != len(names):
            raise _unknown(headings, "two of its headings are the same")
        return names
    if len(names) != len(COLUMNS):
        raise _unknown(headings, f"it has {len(names)} columns; the portal's CSV has {len(COLUMNS)}")
    english = [(name, place) for name, place in zip(names, COLUMNS, strict=True) if name in _BY_FOLDED_NAME.values()]
    if len(english) <= len(COLUMNS) // 2:
        raise _unknown(headings, "too many of its headings are in another language to be sure of the columns")
    if any(name != place for name, place in english):
        raise _unknown(headings, "its columns are not in the portal's order")
    return list(COLUMNS)


def _unknown(headings: list[str], reason: str) -> Refusal:
    first = ", ".join(quoted(heading[:20]) for heading in headings[:3])
    return Refusal(
        f"is neither JSON nor the portal's CSV: {reason} (it begins {first})",
        hint="Download JSON, or set the portal's language to English. Do not save the CSV from a spreadsheet program.",
        line=1,
        in_item=False,
    )


def as_directory_audit(cells: Fields) -> Fields:
    """Return the record in Graph's shape."""
    return {
        "activityDateTime": cells["Date (UTC)"],
        "activityDisplayName": cells["Activity"],
        "category": cells["Category"],
        "loggedByService": cells["Service"],
        "result": cells["Result"],
        "correlationId": cells["CorrelationId"],
        "initiatedBy": _initiator(cells),
        "targetResources": list(_targets(cells)),
        "additionalDetails": list(_numbered(cells, "AdditionalDetail", DETAILS, {"Key": "key", "Value": "value"})),
    }


def _initiator(cells: Fields) -> Fields:
    user = {
        "id": cells.get("ActorObjectId"),
        "displayName": cells.get("ActorDisplayName"),
        "userPrincipalName": cells.get("ActorUserPrincipalName"),
        "homeTenantId": cells.get("ActorHomeTenantId"),
    }
    app = {
        "servicePrincipalId": cells.get("ActorServicePrincipalId") or cells.get("ActorObjectId"),
        "displayName": cells.get("ActorDisplayName"),
        "servicePrincipalName": cells.get("ActorServicePrincipalName"),
    }
    match (text(cells, "ActorType") or "").strip().casefold():
        case "user":
            return {"user": user}
        case "application" | "app" | "service principal" | "serviceprincipal":
            return {"app": app}
    if cells.get("ActorUserPrincipalName"):
        return {"user": user}
    if cells.get("ActorServicePrincipalId") or cells.get("ActorServicePrincipalName"):
        return {"app": app}
    return {}


def _targets(cells: Fields) -> Iterator[Fields]:
    names = {"Name": "displayName", "OldValue": "oldValue", "NewValue": "newValue"}
    columns = {"Type": "type", "DisplayName": "displayName", "ObjectId": "id"}
    for number in range(1, TARGETS + 1):
        target: dict[str, object] = {
            name: value for column, name in columns.items() if (value := cells.get(f"Target{number}{column}"))
        }
        properties = list(_numbered(cells, f"Target{number}ModifiedProperty", PROPERTIES, names))
        if properties:
            target["modifiedProperties"] = properties
        if target:
            yield target


def _numbered(cells: Fields, prefix: str, most: int, names: dict[str, str]) -> Iterator[Fields]:
    for number in range(1, most + 1):
        entry = {name: value for column, name in names.items() if (value := cells.get(f"{prefix}{number}{column}"))}
        if entry:
            yield entry
