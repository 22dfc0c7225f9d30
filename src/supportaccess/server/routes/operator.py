"""What those ask who keep the server running, and those who write a client for it."""

import asyncio
import logging

from supportaccess.server import logs
from supportaccess.server.metrics import CONTENT_TYPE
from supportaccess.server.services import Services
from supportaccess.server.web.errors import NotReady
from supportaccess.server.web.replies import Reply
from supportaccess.server.web.routing import Visit, route
from supportaccess.structs import Struct


class Health(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """The process, or the whole server, is fine. What is not fine is an error."""

    status: str = "ok"


class Readiness(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Requests can be served. `signing` is `failing` while entries are written that nobody signs."""

    status: str = "ok"
    signing: str = "ok"


@route("GET", "/healthz", "Tell whether the process lives", signed_in=False, limited=False)
async def healthz(visit: Visit) -> Health:  # noqa: ARG001 - there is nothing to look at
    """Answer, which is all there is to it."""
    return Health()


@route("GET", "/readyz", "Tell whether requests can be served", signed_in=False, refusals=("NotReady",))
async def readyz(visit: Visit) -> Readiness:
    """Tell whether the database answers, its schema fits, and the keys of tokens are there.

    One tenant whose keys are missing is told in the log: the others are still served. So is everybody while the audit
    logs cannot be signed, which is told here.
    """
    database, keys = await asyncio.gather(visit.services.database.ready(), _problems_of_keys(visit.services))
    tenants = sorted(tenant for tenant, problem in keys.items() if problem)
    if database is not None or tenants:
        logs.event("notReady", level=logging.WARNING, database=database, tenantsWithoutKeys=",".join(tenants) or None)
    wrong = {"database": database is not None, "keys": len(tenants) == len(keys)}
    if any(wrong.values()):
        raise NotReady([part for part, is_wrong in wrong.items() if is_wrong])
    signing = visit.services.signing
    return Readiness(signing="failing" if signing is not None and signing.fails else "ok")


@route("GET", "/metrics", "Get the counters, for Prometheus", signed_in=False, media_type=CONTENT_TYPE)
async def metrics(visit: Visit) -> Reply:
    """Return what all worker processes counted."""
    return Reply(visit.services.metrics.exposition(), media_type=CONTENT_TYPE)


async def _problems_of_keys(services: Services) -> dict[str, str]:
    return await asyncio.to_thread(services.authenticator.ready)


ROUTES = (healthz, readyz, metrics)
