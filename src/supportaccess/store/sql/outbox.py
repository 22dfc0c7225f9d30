"""What happened to requests, as the audit log has it, and how far each webhook is in that log, which is its outbox."""

from collections.abc import Collection, Iterable
from datetime import datetime

from supportaccess.domain import expiry
from supportaccess.domain.events import Event, EventPage, event_of, is_told
from supportaccess.domain.records import AccessRequest
from supportaccess.domain.times import from_microseconds, to_microseconds
from supportaccess.store.protocol import AuditQuery
from supportaccess.store.sql.engine import EVERY_TENANT, Engine, Session, Statement
from supportaccess.store.sql.log import read_head, read_log
from supportaccess.store.sql.rows import GET, OPEN_STATUSES, RECORD, record_from
from supportaccess.structs import Struct

MOST_NEAR = 200
_BEGIN = """
    INSERT INTO webhook_cursors (tenant_id, webhook, target, sequence, announced_until, failures, next_attempt_at)
    SELECT :tenant_id, :webhook, :target,
        coalesce((SELECT size FROM audit_log_heads WHERE tenant_id = :tenant_id), 0), :now, 0, 0
    WHERE NOT EXISTS (SELECT 1 FROM webhook_cursors WHERE tenant_id = :tenant_id AND webhook = :webhook)
"""
_AT_ANOTHER_TARGET = """
    UPDATE webhook_cursors SET target = :target, failures = 0, failing_since = NULL, next_attempt_at = 0,
        disabled_at = NULL
    WHERE tenant_id = :tenant_id AND webhook = :webhook AND target <> :target
"""
_ENABLE = """
    UPDATE webhook_cursors SET failures = 0, failing_since = NULL, next_attempt_at = 0, disabled_at = NULL
    WHERE tenant_id = :tenant_id AND disabled_at IS NOT NULL
"""
# `|| ''` as in the sweep: the tenants are wanted, in no order.
_WAITING = f"""
    SELECT cursor.tenant_id || '' FROM webhook_cursors AS cursor
    JOIN audit_log_heads AS head ON head.tenant_id = cursor.tenant_id
    WHERE cursor.webhook = :webhook AND cursor.disabled_at IS NULL AND cursor.next_attempt_at <= :now
    AND head.size > cursor.sequence
    UNION
    SELECT request.tenant_id || '' FROM access_requests AS request
    JOIN webhook_cursors AS cursor ON cursor.tenant_id = request.tenant_id
    WHERE request.status IN ({OPEN_STATUSES}) AND request.urgency > :now AND request.urgency <= :until
    AND cursor.webhook = :webhook AND cursor.disabled_at IS NULL AND cursor.next_attempt_at <= :now
    AND request.urgency > cursor.announced_until
"""
_UNDELIVERED = """
    SELECT cursor.tenant_id || '', head.size - cursor.sequence, event.at FROM webhook_cursors AS cursor
    JOIN audit_log_heads AS head ON head.tenant_id = cursor.tenant_id
    JOIN audit_events AS event ON event.tenant_id = cursor.tenant_id AND event.sequence = cursor.sequence
    WHERE cursor.webhook = :webhook AND cursor.disabled_at IS NULL AND head.size > cursor.sequence
"""
_READ = """
    SELECT sequence, announced_until, failures, failing_since FROM webhook_cursors
    WHERE tenant_id = :tenant_id AND webhook = :webhook AND disabled_at IS NULL AND next_attempt_at <= :now
"""
_MOVE = """
    UPDATE webhook_cursors SET sequence = :sequence, announced_until = :announced_until, failures = 0,
        failing_since = NULL, next_attempt_at = 0
    WHERE tenant_id = :tenant_id AND webhook = :webhook AND sequence = :from_sequence
    AND announced_until = :from_announced
"""
_FAIL = """
    UPDATE webhook_cursors SET failures = :failures, failing_since = :failing_since, next_attempt_at = :next_attempt_at,
        disabled_at = :disabled_at
    WHERE tenant_id = :tenant_id AND webhook = :webhook
"""
_NEAR = f"""
    SELECT {RECORD} FROM access_requests
    WHERE tenant_id = :tenant_id AND status IN ({OPEN_STATUSES}) AND urgency > :after AND urgency <= :until
    ORDER BY urgency, id LIMIT {MOST_NEAR}
"""

_ALL = AuditQuery()  # what of it is told shows in each entry: it may be of a later version


class Cursor(Struct, frozen=True, kw_only=True):
    """Where one webhook is with one tenant: the next place in the log, and up to when what comes was announced."""

    sequence: int
    announced_until: datetime
    failures: int = 0
    failing_since: datetime | None = None


class Outbox:
    """The cursors of one webhook. `target` is what it is posted to: at another one it begins without old troubles."""

    def __init__(self, engine: Engine, webhook: str, target: str) -> None:
        self._engine = engine
        self._webhook = webhook
        self._target = target

    def begin(self, tenant_ids: Iterable[str], now: datetime) -> None:
        """Make the cursors that are missing: they begin with what happens from now on."""
        for tenant_id in tenant_ids:
            named = self._named(tenant_id) | {"target": self._target, "now": to_microseconds(now)}
            with self._engine.writing([tenant_id]) as session:
                session.batch([Statement(_BEGIN, named), Statement(_AT_ANOTHER_TARGET, named)])

    def waiting(self, now: datetime, until: datetime) -> list[str]:
        """Return the tenants that may have something to tell: in the log, or due between now and then."""
        moments = {"webhook": self._webhook, "now": to_microseconds(now), "until": to_microseconds(until)}
        with self._engine.reading(EVERY_TENANT) as session:
            return sorted(row[0] for row in session.all(_WAITING, moments))

    def undelivered(self, tenant_ids: Collection[str]) -> tuple[int, datetime | None]:
        """Return how many log entries of these tenants are still to be gone through, and the time of the oldest.

        Logs for which the webhook is disabled do not count.
        """
        with self._engine.reading(EVERY_TENANT) as session:
            rows = [row for row in session.all(_UNDELIVERED, {"webhook": self._webhook}) if row[0] in tenant_ids]
        oldest = min((row[2] for row in rows), default=None)
        return sum(row[1] for row in rows), None if oldest is None else from_microseconds(oldest)

    def read(self, session: Session, tenant_id: str, now: datetime) -> Cursor | None:
        """Return the cursor; None while it is not its time, or for good."""
        row = session.one(_READ, self._named(tenant_id) | {"now": to_microseconds(now)})
        if row is None:
            return None
        sequence, announced, failures, failing = row
        return Cursor(
            sequence=sequence,
            announced_until=from_microseconds(announced),
            failures=failures,
            failing_since=None if failing is None else from_microseconds(failing),
        )

    def move(self, tenant_id: str, before: Cursor, after: Cursor) -> bool:
        """Take note of what was told; False when the cursor is not where it was: somebody else tells."""
        moved = {
            "sequence": after.sequence,
            "announced_until": to_microseconds(after.announced_until),
            "from_sequence": before.sequence,
            "from_announced": to_microseconds(before.announced_until),
        }
        with self._engine.writing([tenant_id]) as session:
            return session.run(_MOVE, self._named(tenant_id) | moved) == 1

    def fail(
        self, tenant_id: str, *, failures: int, since: datetime, next_attempt: datetime, disabled: datetime | None
    ) -> None:
        """Take note of an attempt that failed, and when the next one is; with `disabled` there is none."""
        failed = {
            "failures": failures,
            "failing_since": to_microseconds(since),
            "next_attempt_at": to_microseconds(next_attempt),
            "disabled_at": None if disabled is None else to_microseconds(disabled),
        }
        with self._engine.writing([tenant_id]) as session:
            session.run(_FAIL, self._named(tenant_id) | failed)

    def near(self, session: Session, tenant_id: str, after: datetime, until: datetime) -> list[AccessRequest]:
        """Return open requests whose deadline or limit is between two moments, the nearest first, MOST_NEAR at most."""
        moments = {"after": to_microseconds(after), "until": to_microseconds(until)}
        return [record_from(row) for row in session.all(_NEAR, moments | {"tenant_id": tenant_id})]

    def _named(self, tenant_id: str) -> dict[str, object]:
        return {"tenant_id": tenant_id, "webhook": self._webhook}


def enable_again(engine: Engine, tenant_ids: Iterable[str]) -> None:
    """Let webhooks that were disabled try again."""
    for tenant_id in tenant_ids:
        with engine.writing([tenant_id]) as session:
            session.run(_ENABLE, {"tenant_id": tenant_id})


def read_events(session: Session, tenant_id: str, after: int | None, top: int, now: datetime) -> EventPage:
    """Return up to `top` events from the log's place `after` on; without one none, and where the next will be.

    While nothing happens it reads one row.
    """
    size = read_head(session, tenant_id)[0].size
    if after is None or after >= size:
        return EventPage(value=[], next=size, size=size)
    page = read_log(session, tenant_id, _ALL, top, str(after - 1) if after else None)
    ids = dict.fromkeys(entry.access_request_id for entry in page.value if entry.access_request_id and is_told(entry))
    records = _records(session, tenant_id, list(ids), now)
    events: list[Event] = []
    for entry in page.value:
        event = event_of(entry, records.get(entry.access_request_id or ""))
        events += [event] if event is not None else []
    last = page.value[-1].sequence + 1 if page.value else after
    # What the log has beside is passed over for good; it may have grown since its head was read.
    return EventPage(value=events, next=last if page.next is not None else max(last, size), size=max(last, size))


def _records(session: Session, tenant_id: str, ids: list[str], now: datetime) -> dict[str, AccessRequest]:
    found = session.batch([Statement(GET, {"tenant_id": tenant_id, "id": each}) for each in ids])
    records = (expiry.as_of(record_from(row), now) for result in found for row in result.rows)
    return {record.id: record for record in records}
