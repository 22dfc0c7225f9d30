"""What the server says of itself: to callers, to those who keep it running, and to those who write a client for it."""

import asyncio
import logging
from collections.abc import Sequence

import msgspec

from supportaccess.domain.permissions import Permission
from supportaccess.server import logs
from supportaccess.server.metrics import CONTENT_TYPE
from supportaccess.server.services import Services
from supportaccess.server.web import openapi
from supportaccess.server.web.errors import NotReady
from supportaccess.server.web.page import page as page_of
from supportaccess.server.web.replies import Reply
from supportaccess.server.web.routing import Call, Operation, Visit, route
from supportaccess.store.wire import API_VERSION, DISCOVERY_PATH, Discovery, Lack, Me
from supportaccess.structs import Struct

_HTML = "text/html; charset=utf-8"
_NOTHING_FROM_ELSEWHERE = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


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


def routes(operations: Sequence[Operation]) -> tuple[Operation, ...]:
    """Return the routes that describe the others."""
    described = openapi.document(operations)
    document, page = msgspec.json.encode(described), page_of(described)

    @route("GET", "/openapi.json", "Get the description of the API (OpenAPI 3.1)", signed_in=False)
    async def as_json(visit: Visit) -> Reply:  # noqa: ARG001 - everybody gets the same
        return Reply(document)

    @route("GET", "/docs", "Read the description of the API", signed_in=False, media_type=_HTML)
    async def as_page(visit: Visit) -> Reply:  # noqa: ARG001 - everybody gets the same
        return Reply(page, media_type=_HTML, headers=[("content-security-policy", _NOTHING_FROM_ELSEWHERE)])

    return as_json, as_page


@route("GET", "/v1/me", "Say who the caller is")
async def me(call: Call) -> Me:
    """Return who the token says the caller is, which role allows them what, and which role would allow the rest."""
    identity = call.who.identity
    lacking = [each for each in Permission if each not in identity.caller.permissions]
    return Me(
        tenant_id=identity.caller.tenant_id,
        actor=identity.caller.actor,
        client_id=identity.client_id,
        permissions=identity.grants,
        lacking=tuple(Lack(permission=each, message=identity.explain(each)) for each in lacking),
    )


@route("GET", DISCOVERY_PATH, "Say how to sign in", signed_in=False)
async def discovery(visit: Visit) -> Discovery:
    """Return what a client needs to sign in and ask for a token."""
    identity = visit.services.settings.identity
    return Discovery(
        api_version=API_VERSION,
        endpoint=visit.base_url,
        authority=identity.authority,
        client_id=identity.public_client_id or identity.client_id,
        scopes=(f"api://{identity.client_id}/{identity.scope}",),
        tenant_id=identity.default_tenant,
        refresh_seconds=identity.discovery_seconds,
    )


ROUTES = (me, discovery, healthz, readyz, metrics)
