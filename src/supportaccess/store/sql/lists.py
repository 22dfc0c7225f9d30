"""The statements that list and count access requests.

A status is stored, but time goes on: a pending row past its deadline is lapsed, an approved row past its limit is
expired, whether a sweep has written that down or not. So a list is a UNION ALL of arms, each one stored status in one
of its meanings, and each a walk along an index that stops at the page's end. Pages go by key, never by offset.
A status that only a later version knows counts as open access without a limit: one arm more has those rows.
"""

from datetime import datetime
from functools import lru_cache
from itertools import pairwise
from typing import Annotated, NamedTuple

import msgspec

from supportaccess.domain import expiry
from supportaccess.domain.attention import APPROVED_ACCESS_KEPT, NEVER, attention_key, listed_at
from supportaccess.domain.records import BY_CLOCK, FINAL, OPEN, WAS_APPROVED, AccessRequest, Status
from supportaccess.domain.times import to_microseconds
from supportaccess.errors import InvalidInput, StoreRefused
from supportaccess.store.filters import REQUEST_CONDITIONS, RequestFilters, given
from supportaccess.store.protocol import Order, RequestQuery
from supportaccess.store.sql.engine import Dialect, Engine
from supportaccess.store.sql.rows import SEPARATOR, records_from

_STATEMENTS_KEPT = 256
_Stored = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
# Every status between two neighbours of ours, in the order of the indexes: a few searches that as a rule find nothing.
# The urgency of such a row is what a later version makes of it, and has no part in its place here.
_BETWEEN = [
    f"SELECT * FROM access_requests WHERE tenant_id = :tenant_id AND status > '{low}' AND status < '{high}'"
    for low, high in pairwise(["", *sorted(Status), "\U0010ffff"])
]
_APART = f"LIMIT {2**63 - 1}"  # searched apart and sorted together, not sorted after each search
_COLUMNS = {"urgency": "urgency", "listed_at": "listed_at"}
_encode = msgspec.json.Encoder().encode


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """The key of the last row of a page, in the list's order."""

    order: Order
    group: Annotated[int, msgspec.Meta(ge=0, le=2)]
    key: _Stored
    listed_at: _Stored
    id: str


class _Arm(NamedTuple):
    """Rows of one stored status in one meaning. `key` orders them by attention within their group.

    `by` is the same as a part of ORDER BY, for an index. Few rows of a `narrow` arm's status meet its condition: it is
    searched by that, whatever the order. Those of a `due` arm are not as they are stored: the clock ended them.
    """

    condition: str
    group: int
    key: str = "{urgency}"
    by: str = "{urgency}, "
    narrow: bool = False
    due: bool = False
    table: str = "access_requests"


_OPEN_ARMS = {
    status: _Arm(f"status = '{status}' AND {{urgency}} > :now", group)
    for group, status in enumerate(status for status in Status if status in OPEN)
}
_FINAL_ARMS = {status: _Arm(f"status = '{status}'", 2) for status in sorted(FINAL)}
# What the clock ended and no sweep has written down yet. Their urgency is the end itself, not minus the end.
_UNSWEPT_ARMS = {
    ended: _Arm(f"status = '{before}' AND {{urgency}} <= :now", 2, "-{urgency}", "{urgency} DESC, ", True, True)
    for ended, before in BY_CLOCK.items()
}
_UNKNOWN_ARM = _Arm(
    "TRUE", 1, str(NEVER), "", narrow=True, table=f"({' UNION ALL '.join(_BETWEEN)} {_APART}) AS unknown"
)


class Matching:
    """The requests that filters find at one moment."""

    def __init__(self, filters: RequestFilters, tenant_id: str, now: datetime) -> None:
        statuses, approved_access = filters.statuses, filters.approved_access
        if not statuses and not approved_access:
            statuses = frozenset(Status)
        self._statuses = frozenset(statuses)
        self._approved = WAS_APPROVED - self._statuses if approved_access else frozenset()
        narrowing = given(filters, REQUEST_CONDITIONS)
        self._filters = tuple(narrowing)
        self._parameters: dict[str, object] = {
            "tenant_id": tenant_id,
            "now": to_microseconds(now),
            "ended_since": to_microseconds(now - APPROVED_ACCESS_KEPT),
            **{name: REQUEST_CONDITIONS[name].parameter(value) for name, value in narrowing.items()},
        }

    def count(self, at_most: int) -> tuple[str, dict[str, object]]:
        """Return the statement and parameters that count, no further than `at_most`."""
        return _count(self._statuses, self._approved, self._filters), self._parameters | {"top": at_most}


class Listing(Matching):
    """The same in an order: its pages. `dialect` is the engine's."""

    def __init__(self, query: RequestQuery, tenant_id: str, now: datetime, dialect: Dialect) -> None:
        super().__init__(query, tenant_id, now)
        self._order = query.order
        self._dialect = dialect

    def page(self, top: int, cursor: str | None) -> tuple[str, dict[str, object]]:
        """Return the statement and parameters of one page.

        It has one row or none: the records with SEPARATOR between them, how many, and 1 if the clock ended some.
        """
        after = None if cursor is None else _read_cursor(cursor, self._order)
        statement = _page(
            self._dialect,
            self._statuses,
            self._approved,
            self._filters,
            self._order,
            None if after is None else after.group,
        )
        parameters = self._parameters | {"top": top}
        if after is not None:
            parameters |= {"key": after.key, "listed_at": after.listed_at, "id": after.id}
        return statement, parameters

    def cursor_after(self, record: AccessRequest, before: str | None) -> str:
        """Return the opaque cursor that continues after a record, as the clock has it, of the page `before` began.

        Raises StoreRefused where that would lead back: a list that somebody meddled with must end, too.
        """
        cursor = _cursor_of(record, self._order)
        if before is not None and not _is_later(cursor, _read_cursor(before, self._order)):
            raise StoreRefused(
                f"access request {record.id} is not as this program left it: it is in a place that is not its own",
                hint="supportaccess audit verify",
            )
        return written(cursor)


def written(cursor: Cursor) -> str:
    """Return a cursor as text."""
    return msgspec.json.encode(cursor).hex()


def _cursor_of(record: AccessRequest, order: Order) -> Cursor:
    if order is Order.ATTENTION:
        group, key, moment, _ = attention_key(record)
        return Cursor(order, group, key, to_microseconds(moment), record.id)
    moment = listed_at(record)
    return Cursor(order, 0, to_microseconds(moment), to_microseconds(moment), record.id)


def _is_later(cursor: Cursor, other: Cursor) -> bool:
    one, another = ((each.group, each.key, each.listed_at, each.id) for each in (cursor, other))
    return one < another if cursor.order is Order.NEWEST else one > another


def _read_cursor(text: str, order: Order) -> Cursor:
    try:
        cursor = msgspec.json.decode(bytes.fromhex(text), type=Cursor)
    except (ValueError, msgspec.MsgspecError):
        raise InvalidInput("this is not a place in a list") from None
    if cursor.order is not order:
        raise InvalidInput("this place is of a list in another order")
    return cursor


@lru_cache(_STATEMENTS_KEPT)
def _arms(statuses: frozenset[Status], approved: frozenset[Status]) -> tuple[_Arm, ...]:
    """Return the arms of the statuses, and of those that only count for 30 days after the end of access."""
    arms = [_OPEN_ARMS[status] for status in sorted((statuses | approved) - FINAL)]
    arms += [_UNKNOWN_ARM] if Status.APPROVED in statuses | approved else []
    arms += [_FINAL_ARMS[status] for status in sorted(statuses & FINAL)]
    arms += [arm for status, arm in _UNSWEPT_ARMS.items() if status in statuses]
    for status in sorted(approved & FINAL):
        arms.append(_since(_FINAL_ARMS[status], "{urgency} <= -:ended_since"))
        if status in _UNSWEPT_ARMS:
            arms.append(_since(_UNSWEPT_ARMS[status], "{urgency} >= :ended_since"))
    return tuple(arms)


def _since(arm: _Arm, condition: str) -> _Arm:
    return arm._replace(condition=f"{arm.condition} AND {condition}", narrow=True)


@lru_cache(_STATEMENTS_KEPT)
def _page(
    dialect: Dialect,
    statuses: frozenset[Status],
    approved: frozenset[Status],
    filters: tuple[str, ...],
    order: Order,
    after_group: int | None,
) -> str:
    groups: dict[int, list[str]] = {}
    for arm in _arms(statuses, approved):
        if order is not Order.ATTENTION:
            groups.setdefault(0, []).append(_arm_by_time(arm, filters, order, after_group, dialect))
        elif after_group is None or arm.group >= after_group:
            groups.setdefault(arm.group, []).append(_arm_by_attention(arm, filters, after_group, dialect))
    if not groups:
        return "SELECT NULL, 0, 0 WHERE :top < 0"
    direction = "DESC" if order is Order.NEWEST else "ASC"
    by_key = f"list_key {direction}, list_time {direction}, list_id {direction}"
    rows = _merged(groups, by_key) if dialect.merges else _looked_up(groups, by_key)
    # One row for all: for each row that a thread fetches it gives Python's lock away, and has to get it back.
    records = dialect.join_texts.format("record", f"'{SEPARATOR.decode()}'")
    return f"SELECT {records}, COUNT(*), MAX(list_due) FROM ({rows}) AS page"


def _merged(groups: dict[int, list[str]], by_key: str) -> str:
    """Merge each group's arms by what orders them, without the constant that the group is, and then the groups."""
    merged = [_first(arms, by_key) for _, arms in sorted(groups.items())]
    return merged[0] if len(merged) == 1 else _first(merged, f"list_group, {by_key}")


def _looked_up(groups: dict[int, list[str]], by_key: str) -> str:
    """Sort the keys of all arms, and look up the rows of the first ones.

    Each arm yields as many keys as the page has, from its index alone; most of them are not on the page.
    """
    order_by = f"list_group, {by_key}"
    keys = _first([arm for arms in groups.values() for arm in arms], order_by)
    return (
        f"SELECT record, list_due FROM ({keys}) AS keys"
        f" CROSS JOIN access_requests WHERE tenant_id = :tenant_id AND id = list_id ORDER BY {order_by}"
    )


def _first(parts: list[str], order_by: str) -> str:
    union = " UNION ALL ".join(f"SELECT * FROM ({part}) AS part_{number}" for number, part in enumerate(parts))
    return f"SELECT * FROM ({union}) AS parts ORDER BY {order_by} LIMIT :top"


def _arm_by_attention(arm: _Arm, filters: tuple[str, ...], after_group: int | None, dialect: Dialect) -> str:
    indexed = _indexed(filters, "urgency")
    key = arm.key.format(**indexed)
    after = f"({key}, listed_at, id) > (:key, :listed_at, :id)" if after_group == arm.group else None
    columns = f"{arm.group} AS list_group, {arm.key.format(urgency='urgency')} AS list_key"
    order_by = f"{arm.by.format(**indexed)}listed_at, id"
    return _select(arm, columns, _where(arm, filters, indexed, after), order_by, dialect)


def _arm_by_time(arm: _Arm, filters: tuple[str, ...], order: Order, after_group: int | None, dialect: Dialect) -> str:
    comparison, direction = ("<", "DESC") if order is Order.NEWEST else (">", "ASC")
    indexed = _indexed(filters, "urgency" if arm.narrow else "listed_at")
    listed_at = indexed["listed_at"]
    after = None if after_group is None else f"({listed_at}, id) {comparison} (:listed_at, :id)"
    columns, order_by = "0 AS list_group, listed_at AS list_key", f"{listed_at} {direction}, id {direction}"
    return _select(arm, columns, _where(arm, filters, indexed, after), order_by, dialect)


def _indexed(filters: tuple[str, ...], column: str) -> dict[str, str]:
    """Return how the columns are written, so that an arm is read along the index that stops soonest.

    SQLite has no statistics here and would take any index that saves a sort; `+ 0` tells it that it cannot. A
    support request has few rows: they are looked up by it, and sorted.
    """
    by = None if "support_request_id" in filters else column
    return {name: name if name == by else f"{name} + 0" for name in ("urgency", "listed_at")}


def _select(arm: _Arm, columns: str, where: str, order_by: str, dialect: Dialect) -> str:
    record = ", record" if dialect.merges else ""
    return (
        f"SELECT {columns}, listed_at AS list_time, id AS list_id, {int(arm.due)} AS list_due{record}"
        f" FROM {arm.table} WHERE {where} ORDER BY {order_by} LIMIT :top"
    )


def _where(arm: _Arm, filters: tuple[str, ...], columns: dict[str, str], after: str | None = None) -> str:
    conditions = [
        condition.format(**columns)
        for condition in (arm.condition, *(REQUEST_CONDITIONS[name].sql for name in filters))
    ]
    if after is not None:
        conditions.append(after)
    return " AND ".join(["tenant_id = :tenant_id", *conditions])


@lru_cache(_STATEMENTS_KEPT)
def _count(statuses: frozenset[Status], approved: frozenset[Status], filters: tuple[str, ...]) -> str:
    arms = " UNION ALL ".join(
        f"SELECT 1 FROM {arm.table} WHERE {_where(arm, filters, _COLUMNS)}" for arm in _arms(statuses, approved)
    )
    return f"SELECT COUNT(*) FROM (SELECT 1 FROM ({arms}) AS arms LIMIT :top) AS counted"


class Found(NamedTuple):
    """A page at one moment: the records as they are stored, and where the next ones start."""

    text: bytes
    some_are_due: bool
    now: datetime
    next: str | None

    def records(self) -> list[AccessRequest]:
        """Return the records as the clock has them. Raises StoreRefused for what this program cannot have written."""
        return [expiry.as_of(record, self.now) for record in records_from(self.text)]

    def json(self) -> msgspec.Raw:
        """Return the array of the records as the clock has them."""
        return msgspec.Raw(_encode(self.records()) if self.some_are_due else b"[%b]" % self.text)


def read_page(
    engine: Engine, tenant_id: str, query: RequestQuery, now: datetime, top: int, cursor: str | None
) -> Found:
    """Return up to `top` records of a tenant. Raises InvalidInput for a bad cursor."""
    listing = Listing(query, tenant_id, now, engine.dialect)
    # One more, which tells that there is a next page.
    statement, parameters = listing.page(top + 1, cursor)
    with engine.reading([tenant_id]) as session:
        row = session.one(statement, parameters)
    text, number, some_are_due = row or (None, 0, 0)
    found = Found(text or b"", bool(some_are_due), now, None)
    if number <= top:
        return found
    found = found._replace(text=found.text.rpartition(SEPARATOR)[0])
    (last,) = found._replace(text=found.text.rpartition(SEPARATOR)[2]).records()
    return found._replace(next=listing.cursor_after(last, cursor))
