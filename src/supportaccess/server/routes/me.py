"""Who the caller is, and how one becomes a caller."""

from supportaccess.domain.permissions import Permission
from supportaccess.server.web.routing import Call, Visit, route
from supportaccess.store.wire import API_VERSION, DISCOVERY_PATH, Discovery, Lack, Me


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


ROUTES = (me, discovery)
