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

_RECORD_COLUMNS = (
    "id",
    "support_request_id",
    "title",
    "status",
    "source",
    "side",
    "support_request_tenant_id",
    "resource_tenant_id",
    "scope",
    "access_level",
    "engineer_id",
    "engineer_name",
    "reason",
    "created_at",
    "decide_by",
    "requested_seconds",
    "decided_at",
    "decided_by",
    "decision_reason",
    "starts_at",
    "expires_at",
    "ended_at",
    "ended_by",
    "end_reason",
    "updated_at",
    "etag",
    "mirror",
)
_NUMBER_COLUMNS = frozenset(
    {
        "created_at",
        "decide_by",
        "requested_seconds",
        "decided_at",
        "starts_at",
        "expires_at",
        "ended_at",
        "updated_at",
    }
)
_TYPES = tuple((int if name in _NUMBER_COLUMNS else str, type(None)) for name in _RECORD_COLUMNS)
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
    # A column of SQLite holds whatever was put there.
    for name, value, types in zip(_RECORD_COLUMNS, row, _TYPES, strict=False):
        if type(value) not in types:
            raise TypeError(f"{name} is of the wrong type")
    engineer_id, engineer_name, decided_by, ended_by, mirror = row[10], row[11], row[17], row[22], row[26]
    return AccessRequest(
        id=row[0],
        support_request_id=row[1],
        title=row[2],
        status=Status(row[3]),
        source=Source(row[4]),
        side=Side(row[5]),
        support_request_tenant_id=row[6],
        resource_tenant_id=row[7],
        scope=row[8],
        access_level=row[9],
        engineer=Engineer(id=engineer_id, display_name=engineer_name) if engineer_id or engineer_name else None,
        reason=row[12],
        created_at=_moment(row[13]),
        decide_by=_moment(row[14]),
        requested_seconds=row[15],
        decided_at=_moment(row[16]),
        decided_by=_actor.decode(decided_by) if decided_by else None,
        decision_reason=row[18],
        starts_at=_moment(row[19]),
        expires_at=_moment(row[20]),
        ended_at=_moment(row[21]),
        ended_by=_actor.decode(ended_by) if ended_by else None,
        end_reason=row[23],
        updated_at=from_microseconds(row[24]),
        etag=row[25],
        mirror=_mirror.decode(mirror) if mirror else None,
    )


def _stored(moment: datetime | None) -> int | None:
    return None if moment is None else to_microseconds(moment)


def _moment(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else from_microseconds(microseconds)


def _json(value: msgspec.Struct | None) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()
