"""Writes what the rules decided: rows and audit entries, in the caller's transaction."""

from collections.abc import Mapping, Sequence

from supportaccess.domain.audit import Activity, Step
from supportaccess.domain.errors import Conflict
from supportaccess.store.sql.engine import Engine, Session
from supportaccess.store.sql.log import LogWriter
from supportaccess.store.sql.rows import DELETE, INSERT, UPDATE, row_of

_OPEN_SUPPORT_REQUEST = """
    INSERT INTO support_requests (tenant_id, id, state) VALUES (:tenant_id, :id, 'open')
    ON CONFLICT (tenant_id, id) DO NOTHING
"""
_CLOSE_SUPPORT_REQUEST = "UPDATE support_requests SET state = 'closed' WHERE tenant_id = :tenant_id AND id = :id"


def write_steps(engine: Engine, session: Session, steps: Sequence[Step], keys: Mapping[str, str]) -> None:
    """Write the rows and the audit entries of some steps within a transaction. `keys` as for LogWriter."""
    writer = LogWriter(engine, session, [step.tenant_id for step in steps], keys)
    for step in steps:
        write_row(session, step)
        _write_support_request(session, step)
        writer.append(step)
    writer.finish()


def _write_support_request(session: Session, step: Step) -> None:
    """Keep whether a support request is open: it is from its first access request until it is closed."""
    if step.activity is Activity.REQUEST_CREATED and step.after is not None:
        session.run(_OPEN_SUPPORT_REQUEST, {"tenant_id": step.tenant_id, "id": step.after.support_request_id})
    elif step.activity is Activity.SUPPORT_REQUEST_CLOSED and step.support_request_id is not None:
        session.run(_CLOSE_SUPPORT_REQUEST, {"tenant_id": step.tenant_id, "id": step.support_request_id})


def write_row(session: Session, step: Step) -> None:
    """Write the row of a step. Raises Conflict when it is no longer the one that the step began from."""
    if step.before is None and step.after is not None:
        session.run(INSERT, row_of(step.tenant_id, step.after))
        return
    if step.before is None:
        return
    before = {"status_before": step.before.status.value, "etag_before": step.before.etag}
    if step.after is not None:
        touched = session.run(UPDATE, row_of(step.tenant_id, step.after) | before)
    else:
        touched = session.run(DELETE, before | {"tenant_id": step.tenant_id, "id": step.before.id})
    if touched != 1:
        raise Conflict(f"{step.before.id} was changed by somebody else at the same moment")
