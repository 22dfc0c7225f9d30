"""Writes down, again and again, which limits and deadlines have passed."""

import asyncio
import logging
import random

from supportaccess.domain.times import Clock
from supportaccess.errors import SupportAccessError
from supportaccess.server import logs
from supportaccess.server.database import Database
from supportaccess.server.metrics import Metrics
from supportaccess.store.sql.engine import Engine
from supportaccess.store.sql.maintenance import sweep
from supportaccess.store.sql.sqlite.engine import SqliteEngine

# The key is any number that nobody else uses in this database. The lock ends with its transaction, which may be idle
# for as long as a sweep takes.
_TRY_LOCK = """
    SELECT pg_try_advisory_xact_lock(7823440912), set_config('idle_in_transaction_session_timeout', '0', true)
"""


async def sweep_for_ever(database: Database, clock: Clock, metrics: Metrics, seconds: float) -> None:
    """Sweep every so many seconds, until cancelled. Whatever goes wrong is logged, and tried again the next time."""
    while True:
        # Not all processes at the same moment.
        await asyncio.sleep(seconds * random.uniform(0.8, 1.2))  # noqa: S311 - no secret
        try:
            swept = await database.write(lambda engine: sweep_alone(engine, clock))
        except SupportAccessError as error:
            metrics.swept(error.code)
            logs.event("sweepFailed", level=logging.WARNING, code=error.code, message=error.message)
        except Exception as error:  # noqa: BLE001 - a sweep that failed must not be the last one
            metrics.swept("Failed")
            logs.failure(error)
        else:
            if swept is not None:
                metrics.swept("done", swept)
            if swept:
                logs.event("swept", requests=swept)


def sweep_alone(engine: Engine, clock: Clock) -> int | None:
    """Sweep and return how many requests that were, or None when another process is sweeping this store."""
    if isinstance(engine, SqliteEngine):  # its server is one process, and has one writer
        return sweep(engine, clock)
    with engine.writing(()) as session:
        locked = session.one(_TRY_LOCK, {})
        return sweep(engine, clock) if locked and locked[0] else None
