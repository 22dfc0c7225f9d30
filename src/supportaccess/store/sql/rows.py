"""Between a record and its row: the record itself, as JSON, beside what it is found by, ordered by and changed on."""

from collections.abc import Sequence

import msgspec

from supportaccess.domain.attention import listed_at, urgency
from supportaccess.domain.records import OPEN, AccessRequest, Status, content_hash
from supportaccess.domain.times import to_microseconds
from supportaccess.errors import StoreRefused
from supportaccess.store.filters import engineer_text, search_text
from supportaccess.store.sql.engine import Row

_COLUMNS = (
    "id",
    "status",
    "etag",
    "support_request_id",
    "resource_tenant_id",
    "listed_at",
    "urgency",
    "engineer_folded",
    "search_folded",
    "record",
)

ROW = ", ".join(("tenant_id", *_COLUMNS))
"""Every column, in the order of `row_of`."""
RECORD = "id, record"
"""The columns that `record_from` reads, in order."""
SEPARATOR = b",\n"
"""Stands between the records of a page. It is in none of them: JSON has a line end in a text as an escape."""

INSERT = f"INSERT INTO access_requests ({ROW}) VALUES (:tenant_id, {', '.join(f':{name}' for name in _COLUMNS)})"
# `|| ''` leaves the primary key as the way to the row: without statistics PostgreSQL takes an index with the status.
UPDATE = f"""
    UPDATE access_requests SET {", ".join(f"{name} = :{name}" for name in _COLUMNS[1:])}
    WHERE tenant_id = :tenant_id AND id = :id AND status || '' = :status_before AND etag = :etag_before
"""
DELETE = """
    DELETE FROM access_requests
    WHERE tenant_id = :tenant_id AND id = :id AND status || '' = :status_before AND etag = :etag_before
"""
GET = f"SELECT {RECORD} FROM access_requests WHERE tenant_id = :tenant_id AND id = :id"

_encode = msgspec.json.Encoder().encode
_record = msgspec.json.Decoder(AccessRequest)
_members = msgspec.json.Decoder(dict[str, object])
_records = msgspec.json.Decoder(list[AccessRequest])
_UNREADABLE = (ValueError, TypeError, RecursionError, msgspec.MsgspecError)


OPEN_STATUSES = ", ".join(f"'{status}'" for status in Status if status in OPEN)
"""For SQL, in the order of the partial indexes' conditions."""


def row_of(tenant_id: str, record: AccessRequest) -> dict[str, object]:
    """Return the row of a record: the parameters of INSERT and UPDATE. The JSON is what the API sends, to the byte."""
    return {
        "tenant_id": tenant_id,
        "id": record.id,
        "status": record.status.value,
        "etag": record.etag,
        "support_request_id": record.support_request_id,
        "resource_tenant_id": record.resource_tenant_id,
        "listed_at": to_microseconds(listed_at(record)),
        "urgency": urgency(record),
        "engineer_folded": engineer_text(record),
        "search_folded": search_text(record),
        "record": _encode(record).decode(),
    }


def is_row_of(columns: Sequence[object], tenant_id: str, record: AccessRequest) -> bool:
    """Whether the columns of ROW, beside the record itself, are those of the record."""
    row = row_of(tenant_id, record)
    stored = dict(zip(row, columns, strict=True))
    unknown = {"record"} if record.status.is_known else {"record", "urgency"}  # of a later version's status
    return all(stored[name] == value for name, value in row.items() if name not in unknown)


def record_from(row: Row) -> AccessRequest:
    """Return the record of a row that begins with the columns of RECORD.

    Raises StoreRefused for a row that this program cannot have written.
    """
    try:
        return _record.decode(row[1])
    except _UNREADABLE as error:
        raise _not_as_left(f"access request {row[0]}", error) from error


def stored_hash(text: str) -> str:
    """Return the hash of a record as it is stored: members that this program does not know count too.

    Raises StoreRefused for text that no program wrote as it is: where a name stands twice, another reader might take
    the value that is not hashed.
    """
    try:
        members = _members.decode(text)
        if _encode(members).decode() != text:
            raise ValueError("it is not written as JSON is here")
    except _UNREADABLE as error:
        raise _not_as_left("an access request", error) from error
    members.pop("etag", None)
    return content_hash(members)


def records_from(text: bytes) -> list[AccessRequest]:
    """Return the records of a page, which are stored with SEPARATOR between them. Raises StoreRefused as above."""
    try:
        return _records.decode(b"[%b]" % text)
    except _UNREADABLE as error:
        raise _not_as_left("an access request of this page", error) from error


def _not_as_left(what: str, error: Exception) -> StoreRefused:
    return StoreRefused(f"{what} is not as this program left it: {error}", hint="supportaccess audit verify")
