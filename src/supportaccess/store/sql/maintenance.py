"""Looks after a whole store, all tenants of it."""

from datetime import timedelta

from supportaccess.domain import due
from supportaccess.domain.records import Struct
from supportaccess.domain.times import Clock, to_microseconds
from supportaccess.store.sql.changes import write_steps
from supportaccess.store.sql.engine import Engine
from supportaccess.store.sql.rows import RECORD, record_from

ANSWERS_KEPT = timedelta(days=7)
"""How long the answer to an idempotency key is kept."""

_AT_ONCE = 500
_FALLEN_DUE = f"""
    SELECT {RECORD} FROM access_requests
    WHERE status IN ('pending', 'approved') AND urgency <= :now
    ORDER BY urgency, id LIMIT {_AT_ONCE}
"""
_ANYTHING_TO_DO = """
    SELECT 1 FROM access_requests WHERE status IN ('pending', 'approved') AND urgency <= :now
    UNION ALL SELECT 1 FROM idempotency WHERE at < :before LIMIT 1
"""
_FORGET_ANSWERS = "DELETE FROM idempotency WHERE at < :before"
_TENANTS = """
    SELECT tenant_id, SUM(requests), SUM(entries), SUM(events) FROM (
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

    Statuses do not wait for it: it makes the audit log complete. Answers to old idempotency keys are forgotten.
    """
    swept = 0
    while True:
        now = clock()
        moments = {"now": to_microseconds(now), "before": to_microseconds(now - ANSWERS_KEPT)}
        with engine.reading() as session:
            if session.one(_ANYTHING_TO_DO, moments) is None:
                return swept
        with engine.writing() as session:
            rows = session.all(_FALLEN_DUE, moments)
            steps = [step for row in rows if (step := due.fall_due(record_from(row), now)) is not None]
            write_steps(engine, session, steps, {})
            session.run(_FORGET_ANSWERS, moments)
        swept += len(steps)
        if not steps:
            return swept


def tenant_counts(engine: Engine) -> list[TenantCounts]:
    """Return what the store holds, by tenant."""
    with engine.reading() as session:
        return [
            TenantCounts(tenant_id=row[0], access_requests=row[1], audit_entries=row[2], source_events=row[3])
            for row in session.all(_TENANTS, {})
        ]
