"""Signs the audit logs soon after something was written to them, beside the requests."""

import asyncio
import logging

from supportaccess.domain.errors import SupportAccessError
from supportaccess.server import logs
from supportaccess.server.database import Database
from supportaccess.store.keys import Keys
from supportaccess.store.sql.checkpoints import sign_all

_PAUSE = 0.2
"""Seconds to wait for further entries, so that a busy log is signed a few times a second and not each time."""
_SECONDS_TO_TRY_AGAIN = 10.0


async def sign_for_ever(database: Database, keys: Keys) -> None:
    """Sign what is not signed yet, at the start and whenever something was written, until cancelled.

    What goes wrong is logged and tried again: a log that does not go on from what was signed is never signed.
    """
    database.written.set()
    while True:
        await database.written.wait()
        await asyncio.sleep(_PAUSE)
        database.written.clear()
        try:
            await database.sign(lambda engine: sign_all(engine, keys))
        except SupportAccessError as error:
            logs.event("notSigned", level=logging.ERROR, code=error.code, message=error.message)
        except Exception as error:  # noqa: BLE001 - one that failed must not be the last one
            logs.failure(error)
        else:
            continue
        await asyncio.sleep(_SECONDS_TO_TRY_AGAIN)
        database.written.set()
