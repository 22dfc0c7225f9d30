"""A provider's events, taken in as one import."""

import asyncio
from errno import EDQUOT, ENOSPC
from tempfile import TemporaryFile
from typing import IO

from supportaccess.domain.attempts import Act
from supportaccess.domain.permissions import Permission
from supportaccess.errors import StoreFull
from supportaccess.server.web.bodies import check_type, chunks, late
from supportaccess.server.web.import_lines import NDJSON, read_head, read_lines
from supportaccess.server.web.queries import ImportQuery
from supportaccess.server.web.routing import Call, route
from supportaccess.store.protocol import Imported, RequestStore


@route(
    "POST",
    "/v1/source-events",
    "Import source events",
    permission=Permission.WRITE_SOURCE_EVENTS,
    act=Act.IMPORT,
    takes=NDJSON,
    takes_other_tokens=True,
)
async def take(call: Call, query: ImportQuery, key: str) -> Imported:
    """Take a provider's events in, all or none. The first line says what it is, each further one is an event."""
    check_type(call.scope, NDJSON)
    # On disk first: the store is locked while events are taken, and a client may be slow.
    with TemporaryFile() as spool:
        await _receive(call, spool)
        spool.seek(0)

        def act(store: RequestStore) -> Imported:
            head = read_head(spool)
            return store.import_events(read_lines(spool), key=key, details=head.details, dry_run=query.dry_run)

        return await call.change(act)


async def _receive(call: Call, spool: IO[bytes]) -> None:
    limits = call.services.settings.limits
    incoming = chunks(call.scope, call.receive, limits.import_bytes)
    try:
        while True:
            # A large body takes long; only one that does not come on is given up.
            async with asyncio.timeout(limits.body_seconds):
                chunk = await anext(incoming, None)
            if chunk is None:
                return
            spool.write(chunk)
    except TimeoutError:
        raise late(limits) from None
    except OSError as error:
        if error.errno not in {ENOSPC, EDQUOT}:
            raise
        raise StoreFull(
            "there is no room for the import in the server's temporary folder; nothing was changed",
            hint="Send smaller files, or let the operator make room there (TMPDIR).",
        ) from None


ROUTES = (take,)
