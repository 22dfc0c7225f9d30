"""Step-up: a person decides only with a token whose sign-in met the authentication context that the operator set.

Whoever lacks it is asked for it with a claims challenge, before the record is looked at and before anything is stored.

https://learn.microsoft.com/entra/identity-platform/claims-challenge
https://learn.microsoft.com/entra/identity-platform/developer-guide-conditional-access-authentication-context
"""

import base64
import json

from supportaccess.domain.permissions import Permission
from supportaccess.server.identity.authentication import Identity
from supportaccess.server.identity.refusals import Reason
from supportaccess.server.services import Services
from supportaccess.server.web.callers import Who
from supportaccess.server.web.errors import LacksClaims, SignInAgain

_SIGN_IN = "Sign in to that tenant again, asking for the claims of WWW-Authenticate, and meet what Entra then asks for."
_CANNOT_BE_ASKED = (
    "Sign in with a client that takes a claims challenge, as supportaccess does: the token was issued to one that did "
    "not say so (xms_cc has no cp1)."
)


def require_context(services: Services, who: Who) -> None:
    """Raise SignInAgain or LacksClaims unless every person who decides met the authentication context that is set.

    Each tenant has policies of its own for it, so the proof of another tenant needs it as well as the caller's token.
    A token that does not allow to decide proves nothing here, and an application cannot meet a context.
    """
    context = services.settings.identity.decision_auth_context
    if context is None:
        return
    for identity in (who.identity, *who.also):
        decides = Permission.DECIDE in identity.caller.permissions and not identity.app_only
        if decides and context not in identity.auth_contexts:
            services.metrics.token_refused(Reason.AUTH_CONTEXT)
            raise _refusal(services, identity, context, is_others=identity is not who.identity)


def challenge(authority: str, tenant_id: str, context: str) -> str:
    """Return the WWW-Authenticate header that asks for an authentication context in a tenant."""
    claims = {"access_token": {"acrs": {"essential": True, "value": context}}}
    encoded = base64.b64encode(json.dumps(claims, separators=(",", ":")).encode()).decode()
    return (
        f'Bearer realm="{tenant_id}", authorization_uri="{authority}/{tenant_id}/oauth2/v2.0/authorize", '
        f'error="insufficient_claims", claims="{encoded}"'
    )


def _refusal(services: Services, identity: Identity, context: str, *, is_others: bool) -> SignInAgain | LacksClaims:
    tenant_id = identity.caller.tenant_id
    message = f"a decision takes the authentication context {context}, which the token of tenant {tenant_id} lacks"
    resource_tenant_id = tenant_id if is_others else None
    if not identity.takes_challenges:
        return LacksClaims(message, resource_tenant_id=resource_tenant_id, hint=_CANNOT_BE_ASKED)
    asked = challenge(services.settings.identity.authority, tenant_id, context)
    return SignInAgain(message, challenge=asked, resource_tenant_id=resource_tenant_id, hint=_SIGN_IN)
