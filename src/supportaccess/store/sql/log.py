"""Writes and reads the audit log of each tenant."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from supportaccess.domain.audit import AuditEntry, Step, encode_entry, entry_of
from supportaccess.domain.times import to_microseconds
from supportaccess.errors import InvalidInput, StoreRefused
from supportaccess.store.filters import AUDIT_CONDITIONS, AuditFilters, fold, given
from supportaccess.store.protocol import AuditOrder, AuditPage, AuditQuery, LogHead
from supportaccess.store.sql.engine import Engine, Raced, Result, Row, Session, Statement
from supportaccess.tlog.merkle import EMPTY_ROOT, TILE_HEIGHT, Frontier, leaf_hash

_APPEND = """
    INSERT INTO audit_events (tenant_id, sequence, at, activity, access_request_id, actor_folded, entry, leaf_hash)
    VALUES (:tenant_id, :sequence, :at, :activity, :access_request_id, :actor_folded, :entry, :leaf_hash)
"""
_MOVE_HEAD = """
    UPDATE audit_log_heads SET size = :size, root = :root, frontier = :frontier WHERE tenant_id = :tenant_id
"""
_FIRST_HEAD = """
    INSERT INTO audit_log_heads (tenant_id, size, root, frontier) VALUES (:tenant_id, :size, :root, :frontier)
"""
_ADD_NODE = """
    INSERT INTO audit_log_nodes (tenant_id, level, position, hash) VALUES (:tenant_id, :level, :position, :hash)
"""
_HEAD = "SELECT size, root, frontier FROM audit_log_heads WHERE tenant_id = :tenant_id"

_entries = msgspec.json.Decoder(AuditEntry)


class LogWriter:
    """Makes the statements that append entries to tenants' logs within one transaction; `finish` moves the heads.

    `heads` are the rows of the locked heads by tenant: None for a log that is still to begin. `keys` are the
    idempotency keys by tenant: a key is its caller's, and no other tenant's log tells it.
    """

    def __init__(self, heads: Mapping[str, Row | None], keys: Mapping[str, str]) -> None:
        self._keys = keys
        self._frontiers = {
            tenant_id: _frontier(tenant_id, *head) if head else Frontier() for tenant_id, head in heads.items()
        }
        self._beginning = {tenant_id for tenant_id, head in heads.items() if head is None}
        self._moved: set[str] = set()
        self._nodes: list[Statement] = []

    def size(self, tenant_id: str) -> int:
        """Return how many entries a locked log has: the place of the next one."""
        return self._frontiers[tenant_id].size

    def append(self, step: Step) -> Statement:
        """Return the statement that writes the entry of a step. Raises Raced for a log that was not locked."""
        frontier = self._frontiers.get(step.tenant_id)
        if frontier is None:
            raise Raced("the request came to concern another tenant at the same moment; nothing was changed")
        entry = entry_of(step, frontier.size, self._keys.get(step.tenant_id))
        data = encode_entry(entry)
        leaf = leaf_hash(data)
        self._keep_nodes(step.tenant_id, frontier.size, frontier.append(leaf))
        self._moved.add(step.tenant_id)
        return Statement(
            _APPEND, {"tenant_id": step.tenant_id, "entry": data, "leaf_hash": leaf, **filter_columns(entry)}
        )

    def finish(self) -> list[Statement]:
        """Return the statements that write the new heads, and the inner nodes that proofs will be made of."""
        return [*self._nodes, *(self._head(tenant_id, self._frontiers[tenant_id]) for tenant_id in sorted(self._moved))]

    def _keep_nodes(self, tenant_id: str, sequence: int, completed: Sequence[bytes]) -> None:
        for level, node in kept_nodes(completed):
            position = sequence >> (TILE_HEIGHT * level)
            row = {"tenant_id": tenant_id, "level": level, "position": position, "hash": node}
            self._nodes.append(Statement(_ADD_NODE, row))

    def _head(self, tenant_id: str, frontier: Frontier) -> Statement:
        sql = _FIRST_HEAD if tenant_id in self._beginning else _MOVE_HEAD
        head = {"size": frontier.size, "root": frontier.root(), "frontier": frontier.to_bytes()}
        return Statement(sql, head | {"tenant_id": tenant_id}, one_row=True)


def kept_nodes(completed: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield those nodes that an entry completed which are kept, with their level: every eighth one of the tree.

    That is a hash for 256 entries, one for 65,536, and so on.
    """
    return enumerate(completed[TILE_HEIGHT::TILE_HEIGHT], start=1)


def lock_logs(
    engine: Engine,
    session: Session,
    tenant_ids: Iterable[str],
    keys: Mapping[str, str],
    then: Sequence[Statement] = (),
) -> tuple[LogWriter, list[Result]]:
    """Lock the logs of some tenants until the transaction ends, and read on with further statements.

    Whoever changes anything of a tenant locks its log first: what is read after that stays as it is.
    """
    # One order for everybody, so that two writers of the same two tenants never wait for each other.
    ordered = sorted(set(tenant_ids))
    results = session.batch([*(Statement(engine.lock_head, {"tenant_id": each}) for each in ordered), *then])
    heads = {tenant_id: next(iter(result.rows), None) for tenant_id, result in zip(ordered, results, strict=False)}
    return LogWriter(heads, keys), results[len(ordered) :]


def filter_columns(entry: AuditEntry) -> dict[str, object]:
    """Return the columns that repeat what is in the entry, for filters."""
    return {
        "sequence": entry.sequence,
        "at": to_microseconds(entry.time),
        "activity": entry.activity.value,
        "access_request_id": entry.access_request_id,
        "actor_folded": fold(entry.actor.object_id, entry.actor.display_name),
    }


def read_head(session: Session, tenant_id: str) -> tuple[LogHead, bytes]:
    """Return the stored head of a tenant's log, and its frontier. Raises StoreRefused for what is no head."""
    row = session.one(_HEAD, {"tenant_id": tenant_id})
    if row is None or row[0] == 0:
        return LogHead(size=0, root=EMPTY_ROOT.hex()), b""
    size, root, frontier = row
    if not (isinstance(size, int) and isinstance(root, bytes) and isinstance(frontier, bytes)):
        raise _broken_head(tenant_id)
    return LogHead(size=size, root=root.hex()), frontier


def _frontier(tenant_id: str, size: int, root: bytes, data: bytes) -> Frontier:
    """Return the right edge of a log, to be gone on from. Raises StoreRefused rather than seal what does not hold."""
    try:
        frontier = Frontier.from_bytes(size, data)
        if size and frontier.root() != root:
            raise _broken_head(tenant_id)
    except (ValueError, TypeError, AttributeError):
        raise _broken_head(tenant_id) from None
    return frontier


def _broken_head(tenant_id: str) -> StoreRefused:
    return StoreRefused(
        f"the head of the audit log of tenant {tenant_id} is not as this program left it",
        hint="supportaccess audit verify",
    )


def read_log(session: Session, tenant_id: str, query: AuditQuery, top: int, cursor: str | None) -> AuditPage:
    """Return a page of entries, by sequence."""
    conditions, parameters = _conditions(query)
    newest_first = query.order is AuditOrder.NEWEST
    direction = "DESC" if newest_first else "ASC"
    if cursor is not None:
        parameters["after"] = _place(cursor)
        conditions.append("sequence < :after" if newest_first else "sequence > :after")
    # Found by the index of their requests, then sorted: in the log's order all of it would be read for a few entries.
    order = "sequence + 0" if query.access_request_ids else "sequence"
    rows = session.all(
        f"SELECT sequence, entry FROM audit_events WHERE {' AND '.join(['tenant_id = :tenant_id', *conditions])}"
        f" ORDER BY {order} {direction} LIMIT :top",
        parameters | {"tenant_id": tenant_id, "top": top + 1},
    )
    entries = [_entry(row) for row in rows[:top]]
    return AuditPage(value=entries, next=str(rows[top - 1][0]) if len(rows) > top else None)


def count_log(session: Session, tenant_id: str, filters: AuditFilters) -> int:
    """Return how many entries there are."""
    conditions, parameters = _conditions(filters)
    where = " AND ".join(["tenant_id = :tenant_id", *conditions])
    row = session.one(f"SELECT COUNT(*) FROM audit_events WHERE {where}", parameters | {"tenant_id": tenant_id})
    return int(row[0]) if row else 0


def _entry(row: Row) -> AuditEntry:
    sequence, data = row
    try:
        return _entries.decode(data)
    except (msgspec.MsgspecError, TypeError, RecursionError) as error:
        raise StoreRefused(
            f"entry {sequence} of the audit log is not as this program left it: {error}",
            hint="supportaccess audit verify",
        ) from error


def _place(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise InvalidInput("this is not a place in an audit log")
    return int(cursor)


def _conditions(filters: AuditFilters) -> tuple[list[str], dict[str, object]]:
    conditions: list[str] = []
    parameters: dict[str, object] = {}
    for name, value in given(filters, AUDIT_CONDITIONS).items():
        condition = AUDIT_CONDITIONS[name]
        if isinstance(value, frozenset):
            each = {f"{name}_{number}": str(one) for number, one in enumerate(sorted(value))}
            conditions.append(condition.sql.format(values=", ".join(f":{one}" for one in each)))
            parameters |= each
        else:
            conditions.append(condition.sql)
            parameters[name] = condition.parameter(value)
    return conditions, parameters
