"""Writes what the rules decided: rows and audit entries, in the caller's transaction."""

from collections.abc import Mapping, Sequence

from supportaccess.domain.audit import Step
from supportaccess.domain.errors import Conflict
from supportaccess.store.sql.engine import Engine, Session
from supportaccess.store.sql.log import LogWriter
from supportaccess.store.sql.rows import DELETE, INSERT, UPDATE, row_of


def write_steps(engine: Engine, session: Session, steps: Sequence[Step], keys: Mapping[str, str]) -> None:
    """Write the rows and the audit entries of some steps within a transaction. `keys` as for LogWriter."""
    writer = LogWriter(engine, session, [step.tenant_id for step in steps], keys)
    for step in steps:
        write_row(session, step)
        writer.append(step)
    writer.finish()


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
