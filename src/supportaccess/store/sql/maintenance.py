"""Looks after a whole store, all tenants of it."""

from datetime import datetime, timedelta

from supportaccess.domain import expiry
from supportaccess.domain.times import Clock, to_microseconds
from supportaccess.store.sql.attempts import WITH_SOMETHING_COUNTED, end_of_windows, settle
from supportaccess.store.sql.engine import EVERY_TENANT, Engine, Statement
from supportaccess.store.sql.log import lock_logs
from supportaccess.store.sql.rows import OPEN_STATUSES, RECORD, record_from
from supportaccess.store.sql.writes import write_steps
from supportaccess.structs import Struct

ANSWERS_KEPT = timedelta(days=7)
"""How long the answer to an idempotency key is kept."""

_AT_ONCE = 500
# `|| ''` keeps a database from walking along all rows of every tenant to have the tenants in order.
_WITH_SOMETHING_DUE = f"""
    SELECT DISTINCT tenant_id || '' FROM access_requests WHERE status IN ({OPEN_STATUSES}) AND urgency <= :now
"""
_WITH_OLD_ANSWERS = "SELECT DISTINCT tenant_id || '' FROM idempotency WHERE at < :before"
_FALLEN_DUE = f"""
    SELECT {RECORD} FROM access_requests
    WHERE tenant_id = :tenant_id AND status IN ({OPEN_STATUSES}) AND urgency <= :now
    ORDER BY urgency, id LIMIT {_AT_ONCE}
"""
_FORGET_ANSWERS = "DELETE FROM idempotency WHERE tenant_id = :tenant_id AND at < :before"
_TENANTS = """
    SELECT tenant_id, CAST(SUM(requests) AS BIGINT), CAST(SUM(entries) AS BIGINT), CAST(SUM(events) AS BIGINT) FROM (
        SELECT tenant_id, COUNT(*) AS requests, 0 AS entries, 0 AS events FROM access_requests GROUP BY tenant_id
        UNION ALL SELECT tenant_id, 0, size, 0 FROM audit_log_heads
        UNION ALL SELECT tenant_id, 0, 0, COUNT(*) FROM source_events GROUP BY tenant_id
    ) AS counted GROUP BY tenant_id ORDER BY tenant_id
"""


class TenantCounts(Struct, frozen=True, kw_only=True):
    """How much a store holds of one tenant."""

    tenant_id: str
    access_requests: int
    audit_entries: int
    source_events: int


def sweep(engine: Engine, clock: Clock) -> int:
    """Write down what the clock ended, each dated with the limit itself, and return how many requests that were.

    Statuses do not wait for it: it makes the audit log complete. Attempts that were only counted are told by an entry
    once their window is over, and answers to old idempotency keys are forgotten.
    """
    now = clock()
    moments = {"now": to_microseconds(now), "before": to_microseconds(now - ANSWERS_KEPT), "over": end_of_windows(now)}
    looks = (_WITH_SOMETHING_DUE, _WITH_OLD_ANSWERS, WITH_SOMETHING_COUNTED)
    with engine.reading(EVERY_TENANT) as session:
        due_in, old_in, counted_in = session.batch([Statement(look, moments) for look in looks])
    swept = sum(_sweep(engine, tenant_id, now) for (tenant_id,) in due_in.rows)
    for (tenant_id,) in old_in.rows:
        with engine.writing([tenant_id]) as session:
            session.run(_FORGET_ANSWERS, {"tenant_id": tenant_id, "before": moments["before"]})
    for (tenant_id,) in counted_in.rows:
        settle(engine, tenant_id, now)
    return swept


def _sweep(engine: Engine, tenant_id: str, now: datetime) -> int:
    fallen_due = Statement(_FALLEN_DUE, {"tenant_id": tenant_id, "now": to_microseconds(now)})
    swept = 0
    while True:
        with engine.writing([tenant_id]) as session:
            writer, (due_now,) = lock_logs(engine, session, [tenant_id], {}, [fallen_due])
            steps = [step for row in due_now.rows if (step := expiry.fall_due(record_from(row), now)) is not None]
            if steps:
                write_steps(session, writer, steps)
        swept += len(steps)
        if len(steps) < _AT_ONCE:
            return swept


def tenant_counts(engine: Engine) -> list[TenantCounts]:
    """Return what the store holds, by tenant."""
    with engine.reading(EVERY_TENANT) as session:
        return [
            TenantCounts(tenant_id=row[0], access_requests=row[1], audit_entries=row[2], source_events=row[3])
            for row in session.all(_TENANTS, {})
        ]
