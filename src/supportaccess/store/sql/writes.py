"""Writes what the rules decided: rows and audit entries, in the caller's transaction."""

from collections.abc import Iterator, Mapping, Sequence

from supportaccess.domain.audit import Activity, Step
from supportaccess.store.sql.engine import Engine, Session, Statement
from supportaccess.store.sql.log import LogWriter, lock_logs
from supportaccess.store.sql.rows import DELETE, INSERT, UPDATE, row_of

_AT_ONCE = 500
_OPEN_SUPPORT_REQUEST = """
    INSERT INTO support_requests (tenant_id, id, state) VALUES (:tenant_id, :id, 'open')
    ON CONFLICT (tenant_id, id) DO NOTHING
"""
_CLOSE_SUPPORT_REQUEST = "UPDATE support_requests SET state = 'closed' WHERE tenant_id = :tenant_id AND id = :id"


def lock_and_write(engine: Engine, session: Session, steps: Sequence[Step], keys: Mapping[str, str]) -> None:
    """Lock the logs of the steps' tenants and write the steps. `keys` as for LogWriter."""
    writer, _ = lock_logs(engine, session, {step.tenant_id for step in steps}, keys)
    for start in range(0, len(steps), _AT_ONCE):
        write_steps(session, writer, steps[start : start + _AT_ONCE], more=start + _AT_ONCE < len(steps))


def write_steps(
    session: Session, writer: LogWriter, steps: Sequence[Step], then: Sequence[Statement] = (), *, more: bool = False
) -> None:
    """Write the rows and audit entries of some steps, the new heads, and then what else is given, in one round trip.

    That is the last of the transaction unless there are `more` steps to come. Raises Raced when a row is no longer the
    one that its step began from.
    """
    statements = [statement for step in steps for statement in _statements(writer, step)]
    if more:
        session.batch([*statements, *then])
    else:
        session.finish([*statements, *writer.finish(), *then])


def _statements(writer: LogWriter, step: Step) -> Iterator[Statement]:
    yield from _row(step)
    yield from _support_request(step)
    yield writer.append(step)


def _row(step: Step) -> Iterator[Statement]:
    if step.before is None:
        if step.after is not None:
            yield Statement(INSERT, row_of(step.tenant_id, step.after))
        return
    before = {"status_before": step.before.status.value, "etag_before": step.before.etag}
    if step.after is not None:
        yield Statement(UPDATE, row_of(step.tenant_id, step.after) | before, one_row=True)
    else:
        yield Statement(DELETE, before | {"tenant_id": step.tenant_id, "id": step.before.id}, one_row=True)


def _support_request(step: Step) -> Iterator[Statement]:
    """Keep whether a support request is open: it is from its first access request until it is closed."""
    if step.activity is Activity.REQUEST_CREATED and step.after is not None:
        yield Statement(_OPEN_SUPPORT_REQUEST, {"tenant_id": step.tenant_id, "id": step.after.support_request_id})
    elif step.activity is Activity.SUPPORT_REQUEST_CLOSED and step.support_request_id is not None:
        yield Statement(_CLOSE_SUPPORT_REQUEST, {"tenant_id": step.tenant_id, "id": step.support_request_id})
