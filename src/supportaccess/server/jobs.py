"""What a server does by itself: it writes down which limits and deadlines have passed, and signs the audit logs."""

import asyncio
import logging
import random
from collections.abc import Callable
from typing import TypeVar

from supportaccess.domain.times import Clock
from supportaccess.errors import SupportAccessError
from supportaccess.server import logs
from supportaccess.server.database import Database
from supportaccess.server.metrics import Metrics
from supportaccess.store.sql.checkpoints import sign_all
from supportaccess.store.sql.engine import Engine
from supportaccess.store.sql.maintenance import sweep
from supportaccess.store.sql.sqlite.engine import SqliteEngine
from supportaccess.tlog.keys import Keys
from supportaccess.tlog.signers import SignerFailed

# The key is any number that nobody else uses in this database. The lock ends with its transaction, which may be idle
# for as long as a sweep takes.
_TRY_LOCK = """
    SELECT pg_try_advisory_xact_lock(7823440912), set_config('idle_in_transaction_session_timeout', '0', true)
"""

_PAUSE = 0.2
"""Seconds to wait for further entries, so that a busy log is signed a few times a second and not each time."""
_SECONDS_TO_TRY_AGAIN = 10.0
T = TypeVar("T")


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


class Signing:
    """What signs in a process, and how that goes. What is written never waits for it."""

    def __init__(self, database: Database, keys: Keys, metrics: Metrics) -> None:
        self.keys = keys
        self._database = database
        self._metrics = metrics
        self._failure: Exception | None = None

    @property
    def fails(self) -> bool:
        """Whether the last try failed: entries are written, and not signed until a later one."""
        return self._failure is not None

    async def for_ever(self) -> None:
        """Sign what is not signed yet, at the start and whenever something was written, until cancelled.

        What goes wrong is logged and tried again: a log that does not go on from what was signed is never signed.
        """
        written = self._database.written
        written.set()
        while True:
            await written.wait()
            await asyncio.sleep(_PAUSE)
            written.clear()
            try:
                await self._database.sign(lambda engine: sign_all(engine, self.keys))
            except Exception as error:  # noqa: BLE001 - one that failed must not be the last one
                self._failed(error)
                await asyncio.sleep(_SECONDS_TO_TRY_AGAIN)
                written.set()
            else:
                self._succeeded()

    async def prove(self, act: Callable[[Engine, Keys | None], T]) -> T:
        """Run an act that signs first what is new; while nobody signs, with what was signed last."""

        def signing(engine: Engine) -> T:
            if not self._has_no_signer():
                try:
                    return act(engine, self.keys)
                except SignerFailed as error:
                    self._failed(error)
            return act(engine, None)

        if self._has_no_signer():
            return await self._database.read(lambda engine: act(engine, None))
        proven = await self._database.sign(signing)
        if self._has_no_signer():
            self._database.written.set()  # so that it is tried again
        return proven

    def _has_no_signer(self) -> bool:
        return isinstance(self._failure, SignerFailed)

    def _failed(self, error: Exception) -> None:
        self._failure = error
        code = error.code if isinstance(error, SupportAccessError) else "InternalError"
        self._metrics.signed(code)
        if isinstance(error, SupportAccessError):
            message = error.summary if isinstance(error, SignerFailed) else error.message
            logs.event("notSigned", level=logging.ERROR, code=code, message=message)
        else:
            logs.failure(error)

    def _succeeded(self) -> None:
        if self.fails:
            logs.event("signedAgain")
        self._failure = None
        self._metrics.signed("done")
