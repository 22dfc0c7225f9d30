"""The filters of lists: the name of each, what it takes and what it finds.

A field is a filter everywhere: commands set it, the client sends it under its camelCase name, the server reads it by
its type and describes it from that. Its condition, in the table below the fields, says what it finds.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any

import msgspec

from supportaccess.domain.attention import listed_at
from supportaccess.domain.audit import Activity
from supportaccess.domain.records import BY_CLOCK, AccessRequest, Engineer, Moment, Status
from supportaccess.domain.times import to_microseconds
from supportaccess.structs import Struct

LONGEST_TEXT = 256
"""The most characters of a text that a server takes."""

Text = Annotated[str, msgspec.Meta(max_length=LONGEST_TEXT, pattern="^[^\\x00]*$")]
TenantId = Annotated[str, msgspec.Meta(extra_json_schema={"format": "uuid"})]
Place = Annotated[int, msgspec.Meta(ge=0, le=999_999_999)]


class RequestFilters(Struct, frozen=True, kw_only=True):
    """Which access requests. What is left out does not narrow.

    `approved_access` adds every request whose access is open, or ended at most 30 days ago, to `statuses`.
    `since` and `until` bound the creation (the first trace of it, where a mirror's creation was not read);
    `engineer` and `search` are looked for anywhere in the text, whatever the case.
    """

    statuses: frozenset[Status] = msgspec.field(default=frozenset(), name="status")
    approved_access: bool = False
    support_request_id: Text | None = None
    resource_tenant_id: TenantId | None = None
    engineer: Text | None = None
    search: Text | None = None
    since: Moment | None = None
    until: Moment | None = None

    def match(self, record: AccessRequest) -> bool:
        """Whether a record is one that the filters find, whatever its status."""
        return all(
            REQUEST_CONDITIONS[name].matches(record, value) for name, value in given(self, REQUEST_CONDITIONS).items()
        )


class AuditFilters(Struct, frozen=True, kw_only=True):
    """Which audit entries. `actor` is looked for in the actor's display name and object ID.

    `after_sequence` leaves out the entry of that place in the log and all before it.
    """

    access_request_ids: frozenset[Text] = msgspec.field(default=frozenset(), name="accessRequestId")
    activities: frozenset[Activity] = msgspec.field(default=frozenset(), name="activity")
    actor: Text | None = None
    since: Moment | None = None
    until: Moment | None = None
    after_sequence: Place | None = None


def given(filters: Struct, names: Iterable[str]) -> dict[str, Any]:
    """Return those of the named filters that narrow, with their values."""
    values = ((name, getattr(filters, name)) for name in names)
    return {name: value for name, value in values if value is not None and value != frozenset()}


def fold(*texts: str | None) -> str:
    """Return the texts as they are searched: without case, a line each."""
    return "\n".join(text.casefold() for text in texts if text)


def engineer_text(record: AccessRequest) -> str:
    """Return the text that `engineer` is looked for in."""
    engineer = record.engineer or Engineer()
    return fold(engineer.id, engineer.display_name)


def search_text(record: AccessRequest) -> str:
    """Return the text that `search` is looked for in."""
    engineer = record.engineer or Engineer()
    actors = [actor.display_name for actor in (record.decided_by, record.ended_by) if actor is not None]
    return fold(
        record.support_request_id,
        record.title,
        engineer.id,
        engineer.display_name,
        record.reason,
        record.decision_reason,
        # The clock's reason is not stored before a sweep, so it is not searched after one either.
        None if record.status in BY_CLOCK else record.end_reason,
        *actors,
    )


def _anywhere(text: str) -> str:
    """Return the LIKE pattern (escape: backslash) that finds the text anywhere in folded text."""
    for special in "\\%_":
        text = text.replace(special, f"\\{special}")
    return f"%{fold(text)}%"


def _unchanged(value: object) -> object:
    return value


class Condition(msgspec.Struct, frozen=True):
    """What a filter finds: in SQL, with a parameter of the filter's name that is made of its value.

    `{values}` in the SQL stands for the values of a set; a column that an index is chosen by has braces too.
    """

    sql: str
    parameter: Callable[[Any], object] = _unchanged


class RequestCondition(Condition, frozen=True, kw_only=True):
    """The same of a record at hand: whether it `matches` the filter's value."""

    matches: Callable[[AccessRequest, Any], bool]


REQUEST_CONDITIONS: Mapping[str, RequestCondition] = {
    "support_request_id": RequestCondition(
        "support_request_id = :support_request_id", matches=lambda record, value: record.support_request_id == value
    ),
    "resource_tenant_id": RequestCondition(
        "resource_tenant_id = :resource_tenant_id", matches=lambda record, value: record.resource_tenant_id == value
    ),
    "engineer": RequestCondition(
        "engineer_folded LIKE :engineer ESCAPE '\\'",
        _anywhere,
        matches=lambda record, text: fold(text) in engineer_text(record),
    ),
    "search": RequestCondition(
        "search_folded LIKE :search ESCAPE '\\'",
        _anywhere,
        matches=lambda record, text: fold(text) in search_text(record),
    ),
    "since": RequestCondition(
        "{listed_at} >= :since", to_microseconds, matches=lambda record, since: listed_at(record) >= since
    ),
    "until": RequestCondition(
        "{listed_at} < :until", to_microseconds, matches=lambda record, until: listed_at(record) < until
    ),
}
"""Of every field but `statuses` and `approved_access`: those are what the statements of a list are made of."""

AUDIT_CONDITIONS: Mapping[str, Condition] = {
    "access_request_ids": Condition("access_request_id IN ({values})"),
    "activities": Condition("activity IN ({values})"),
    "actor": Condition("actor_folded LIKE :actor ESCAPE '\\'", _anywhere),
    "since": Condition("at >= :since", to_microseconds),
    "until": Condition("at < :until", to_microseconds),
    "after_sequence": Condition("sequence > :after_sequence"),
}
