"""Writes down what was refused to a known caller, and who read the audit log, before they are answered.

A store that cannot take it changes no answer: that is logged and counted instead.
"""

import asyncio
import logging

from supportaccess.domain.audit import Step
from supportaccess.errors import SupportAccessError
from supportaccess.server import logs
from supportaccess.server.services import Services
from supportaccess.store.sql.attempts import record

_SECONDS = 5.0
"""How long an answer waits for its entry. A store that takes longer writes it afterwards, if it ever does."""

_under_way: set[asyncio.Task[None]] = set()  # the event loop keeps none of its tasks alive


async def write_down(services: Services, attempt: Step) -> None:
    """Write an attempt into its tenant's log, or count it."""
    task = asyncio.create_task(_write_down(services, attempt))
    _under_way.add(task)
    task.add_done_callback(_under_way.discard)
    await asyncio.wait({task}, timeout=_SECONDS)


async def _write_down(services: Services, attempt: Step) -> None:
    try:
        await services.database.write(lambda engine: record(engine, attempt), tenant_id=attempt.tenant_id)
    except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets the answer that was to be given
        services.metrics.not_recorded(attempt.activity)
        code = error.code if isinstance(error, SupportAccessError) else SupportAccessError.code
        told = {"tenantId": attempt.tenant_id, "objectId": attempt.actor.object_id, "activity": attempt.activity.value}
        logs.event("notRecorded", level=logging.ERROR, code=code, **told)
        if not isinstance(error, SupportAccessError):
            logs.failure(error)
