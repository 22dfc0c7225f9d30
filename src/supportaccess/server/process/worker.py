"""What one process serves: the routes, and around them what lives as long as the process."""

import asyncio
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from supportaccess.domain.times import system_clock
from supportaccess.server import logs
from supportaccess.server.database import Database, keys_of
from supportaccess.server.identity.authentication import Authenticator
from supportaccess.server.jobs import Signing, sweep_for_ever
from supportaccess.server.limits import Limits
from supportaccess.server.metrics import Metrics
from supportaccess.server.services import Services
from supportaccess.server.settings import ServerSettings
from supportaccess.server.web.asgi import build

if TYPE_CHECKING:
    from supportaccess.server.webhooks.delivering import Deliverer

_SECONDS_TO_END = 5.0
"""How long a message under way is waited for at the end; it is posted again by the next process."""


class Application:
    """An ASGI application. Its lifespan runs sweep, signing and webhooks, and gives the database back at the end."""

    def __init__(self, settings: ServerSettings, table: Path | None) -> None:
        metrics = Metrics()
        database = Database(settings.database, load=metrics.database)
        keys = keys_of(settings.database)
        self._services = Services(
            settings=settings,
            database=database,
            authenticator=Authenticator(settings.identity),
            limits=Limits(settings.limits, table),
            metrics=metrics,
            signing=None if keys is None else Signing(database, keys, metrics),
            clock=system_clock,
        )
        self._routes = build(self._services)
        self._tasks: list[asyncio.Task[None]] = []
        self._deliverers: Sequence[Deliverer] = ()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a request, or the process's lifespan."""
        if scope["type"] != "lifespan":
            await self._routes(scope, receive, send)
            return

        async def tell(message: Any) -> None:
            if message["type"] == "lifespan.startup.complete":
                self._start()
            elif message["type"] == "lifespan.shutdown.complete":
                await self._stop()
            await send(message)

        await self._routes(scope, receive, tell)

    def _start(self) -> None:
        services = self._services
        seconds = services.settings.sweep_seconds
        sweeping = sweep_for_ever(services.database, services.clock, services.metrics, seconds)
        self._tasks.append(asyncio.create_task(sweeping))
        if services.signing is not None:
            self._tasks.append(asyncio.create_task(services.signing.for_ever()))
        if services.settings.webhooks:
            from supportaccess.server.webhooks.delivering import deliverers

            self._deliverers = deliverers(services.settings, services.clock, services.metrics)
        for deliverer in self._deliverers:
            deliverer.start()

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        for deliverer in self._deliverers:
            deliverer.ask_to_stop()
        await asyncio.gather(*(asyncio.to_thread(each.wait, _SECONDS_TO_END) for each in self._deliverers))
        await self._close_database()
        self._services.limits.close()

    async def _close_database(self) -> None:
        """Give the database back; where it hangs, end the process all the same, as whoever stops it would."""
        try:
            async with asyncio.timeout(self._services.settings.limits.stop_seconds):
                await asyncio.to_thread(self._services.database.close)
        except TimeoutError:
            logs.event("databaseHangs", level=logging.ERROR)
            os._exit(1)
