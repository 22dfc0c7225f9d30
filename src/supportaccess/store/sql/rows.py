"""Between a row of `access_requests` and a record."""

from datetime import datetime

import msgspec

from supportaccess.domain.attention import listed_at, urgency
from supportaccess.domain.errors import StoreRefused
from supportaccess.domain.records import (
    AccessRequest,
    Actor,
    Engineer,
    Mirror,
    Side,
    Source,
    Status,
)
from supportaccess.domain.times import from_microseconds, to_microseconds
from supportaccess.store.sql.engine import Row


class _Columns(msgspec.Struct, array_like=True, frozen=True):
    """The columns of a record, in order. A column of SQLite holds whatever was put there: msgspec checks the types."""

    id: str
    support_request_id: str | None
    title: str | None
    status: Status
    source: Source
    side: Side
    support_request_tenant_id: str | None
    resource_tenant_id: str | None
    scope: str
    access_level: str
    engineer_id: str | None
    engineer_name: str | None
    reason: str | None
    created_at: int | None
    decide_by: int | None
    requested_seconds: int | None
    decided_at: int | None
    decided_by: str | None
    decision_reason: str | None
    starts_at: int | None
    expires_at: int | None
    ended_at: int | None
    ended_by: str | None
    end_reason: str | None
    updated_at: int
    etag: str
    mirror: str | None


_RECORD_COLUMNS = _Columns.__struct_fields__
_DERIVED_COLUMNS = ("listed_at", "urgency", "engineer_folded", "search_folded")

RECORD = ", ".join(_RECORD_COLUMNS)
"""The columns that `record_from` reads, in order."""
RECORD_WIDTH = len(_RECORD_COLUMNS)

INSERT = f"""
    INSERT INTO access_requests (tenant_id, {RECORD}, {", ".join(_DERIVED_COLUMNS)})
    VALUES (:tenant_id, {", ".join(f":{name}" for name in _RECORD_COLUMNS + _DERIVED_COLUMNS)})
"""
UPDATE = f"""
    UPDATE access_requests
    SET {", ".join(f"{name} = :{name}" for name in _RECORD_COLUMNS[1:] + _DERIVED_COLUMNS)}
    WHERE tenant_id = :tenant_id AND id = :id AND status = :status_before AND etag = :etag_before
"""
DELETE = """
    DELETE FROM access_requests
    WHERE tenant_id = :tenant_id AND id = :id AND status = :status_before AND etag = :etag_before
"""
GET = f"SELECT {RECORD} FROM access_requests WHERE tenant_id = :tenant_id AND id = :id"

_actor = msgspec.json.Decoder(Actor)
_mirror = msgspec.json.Decoder(Mirror)


def fold(*texts: str | None) -> str:
    """Return the texts as they are searched: without case, a line each."""
    return "\n".join(text.casefold() for text in texts if text)


def anywhere(text: str) -> str:
    """Return the LIKE pattern (escape: backslash) that finds the text anywhere in folded text."""
    for special in "\\%_":
        text = text.replace(special, f"\\{special}")
    return f"%{fold(text)}%"


def row_of(tenant_id: str, record: AccessRequest) -> dict[str, object]:
    """Return the parameters of INSERT and UPDATE for a record."""
    engineer = record.engineer or Engineer()
    decided_by, ended_by = record.decided_by, record.ended_by
    return {
        "tenant_id": tenant_id,
        "id": record.id,
        "support_request_id": record.support_request_id,
        "title": record.title,
        "status": record.status.value,
        "source": record.source.value,
        "side": record.side.value,
        "support_request_tenant_id": record.support_request_tenant_id,
        "resource_tenant_id": record.resource_tenant_id,
        "scope": record.scope,
        "access_level": record.access_level,
        "engineer_id": engineer.id,
        "engineer_name": engineer.display_name,
        "reason": record.reason,
        "created_at": _stored(record.created_at),
        "decide_by": _stored(record.decide_by),
        "requested_seconds": record.requested_seconds,
        "decided_at": _stored(record.decided_at),
        "decided_by": _json(decided_by),
        "decision_reason": record.decision_reason,
        "starts_at": _stored(record.starts_at),
        "expires_at": _stored(record.expires_at),
        "ended_at": _stored(record.ended_at),
        "ended_by": _json(ended_by),
        "end_reason": record.end_reason,
        "updated_at": to_microseconds(record.updated_at),
        "etag": record.etag,
        "mirror": _json(record.mirror),
        **derived(record),
    }


def derived(record: AccessRequest) -> dict[str, object]:
    """Return the columns that follow from the record and exist for lists alone."""
    engineer = record.engineer or Engineer()
    actors = [actor.display_name for actor in (record.decided_by, record.ended_by) if actor is not None]
    return {
        "listed_at": to_microseconds(listed_at(record)),
        "urgency": urgency(record),
        "engineer_folded": fold(engineer.id, engineer.display_name),
        "search_folded": fold(
            record.support_request_id,
            record.title,
            engineer.id,
            engineer.display_name,
            record.reason,
            record.decision_reason,
            # The clock's reason is not stored before a sweep, so it is not searched after one either.
            None if record.status in {Status.LAPSED, Status.EXPIRED} else record.end_reason,
            *actors,
        ),
    }


def record_from(row: Row) -> AccessRequest:
    """Return the record of a row that begins with the columns of RECORD.

    Raises StoreRefused for a row that this program cannot have written.
    """
    try:
        return _record_from(row)
    except (ValueError, TypeError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        raise StoreRefused(
            f"access request {row[0]} is not as this program left it: {error}", hint="supportaccess audit verify"
        ) from error


def _record_from(row: Row) -> AccessRequest:
    columns = msgspec.convert(row, _Columns)
    named = columns.engineer_id or columns.engineer_name
    return AccessRequest(
        id=columns.id,
        support_request_id=columns.support_request_id,
        title=columns.title,
        status=columns.status,
        source=columns.source,
        side=columns.side,
        support_request_tenant_id=columns.support_request_tenant_id,
        resource_tenant_id=columns.resource_tenant_id,
        scope=columns.scope,
        access_level=columns.access_level,
        engineer=Engineer(id=columns.engineer_id, display_name=columns.engineer_name) if named else None,
        reason=columns.reason,
        created_at=_moment(columns.created_at),
        decide_by=_moment(columns.decide_by),
        requested_seconds=columns.requested_seconds,
        decided_at=_moment(columns.decided_at),
        decided_by=_actor.decode(columns.decided_by) if columns.decided_by else None,
        decision_reason=columns.decision_reason,
        starts_at=_moment(columns.starts_at),
        expires_at=_moment(columns.expires_at),
        ended_at=_moment(columns.ended_at),
        ended_by=_actor.decode(columns.ended_by) if columns.ended_by else None,
        end_reason=columns.end_reason,
        updated_at=from_microseconds(columns.updated_at),
        etag=columns.etag,
        mirror=_mirror.decode(columns.mirror) if columns.mirror else None,
    )


def _stored(moment: datetime | None) -> int | None:
    return None if moment is None else to_microseconds(moment)


def _moment(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else from_microseconds(microseconds)


def _json(value: msgspec.Struct | None) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()
