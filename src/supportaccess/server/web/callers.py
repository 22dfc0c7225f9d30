"""Who calls: the tokens of a request, and the limits that hold before and after they are read.

And step-up: a person decides only with a token whose sign-in met the authentication context that the operator set.
Whoever lacks it is asked for it with a claims challenge, before the record is looked at and before anything is stored.

https://learn.microsoft.com/entra/identity-platform/claims-challenge
https://learn.microsoft.com/entra/identity-platform/developer-guide-conditional-access-authentication-context
"""

import asyncio
import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from litestar.types import HTTPScope

from supportaccess.domain.permissions import Caller, Permission
from supportaccess.errors import Forbidden, NotSignedIn
from supportaccess.server.identity.authentication import Identity, TokenRefused
from supportaccess.server.identity.refusals import Reason
from supportaccess.server.limits import Kind
from supportaccess.server.services import Services
from supportaccess.server.web.errors import BadInput, LacksClaims, NoToken, SignInAgain, TooManyRequests
from supportaccess.server.web.headers import all_of
from supportaccess.store.wire import AUXILIARY_HEADER, MOST_AUXILIARY_TOKENS

_BEARER = "bearer "
_SIGN_IN = "Sign in to that tenant again, asking for the claims of WWW-Authenticate, and meet what Entra then asks for."
_CANNOT_BE_ASKED = (
    "Sign in with a client that takes a claims challenge, as supportaccess does: the token was issued to one that did "
    "not say so (xms_cc has no cp1)."
)


@dataclass(frozen=True, slots=True)
class Who:
    """The caller, and their proofs for other tenants."""

    identity: Identity
    also: tuple[Identity, ...] = ()

    @property
    def caller(self) -> Caller:
        """The caller in the tenant that the request is about."""
        return self.identity.caller

    @property
    def callers_elsewhere(self) -> tuple[Caller, ...]:
        """The same person or application in other tenants."""
        return tuple(other.caller for other in self.also)

    def require(self, permission: Permission) -> None:
        """Raise Forbidden, with what would do as its hint, unless the caller holds the permission."""
        _require(self.identity, permission)

    def explain(self, error: Forbidden, permission: Permission) -> None:
        """Give the error a hint, where it is that a proof for another tenant lacks the permission."""
        lacking = [other for other in self.also if permission not in other.caller.permissions]
        if error.hint is None and lacking:
            error.hint = lacking[0].explain(permission)


def _require(identity: Identity, permission: Permission) -> None:
    try:
        identity.caller.require(permission)
    except Forbidden as error:
        error.hint = identity.explain(permission)
        raise


def address_of(scope: HTTPScope) -> str:
    """Return where the request comes from; behind a proxy, `serve` has put the client there."""
    client = scope["client"]
    return client[0] if client else "unknown"


def admit(services: Services, scope: HTTPScope) -> None:
    """Count the request of an address. Raises TooManyRequests."""
    _take(services, Kind.ADDRESS, address_of(scope))


async def identify(services: Services, scope: HTTPScope, met: Callable[[Who], object]) -> Who:
    """Return who calls; `met` is told as soon as that is known, also of who is refused then.

    Raises NotSignedIn, BadInput, TooManyRequests, and StoreUnavailable without any keys.
    """
    token, others = _token(scope), _auxiliary_tokens(scope)
    identity = services.authenticator.recall(token) or await _verify(services, scope, token)
    caller = identity.caller
    met(Who(identity))
    _take(services, Kind.CALLER, f"{caller.tenant_id}/{caller.actor.object_id}")
    if not others:
        return Who(identity)
    also = tuple([services.authenticator.recall(each) or await _verify(services, scope, each) for each in others])
    tenants = {caller.tenant_id, *(other.caller.tenant_id for other in also)}
    if len(tenants) <= len(also):
        raise BadInput("each token must be of another tenant", target=AUXILIARY_HEADER)
    return Who(identity, also)


async def _verify(services: Services, scope: HTTPScope, token: str) -> Identity:
    """Check a token in a thread, since it may take fetching keys. Refused ones count against their address."""
    address = address_of(scope)
    if seconds := services.limits.look(Kind.REFUSED_TOKENS, address):
        raise _limited(services, Kind.REFUSED_TOKENS, seconds)
    try:
        verify = partial(services.authenticator.verify, token)
        return await asyncio.get_running_loop().run_in_executor(None, verify)
    except TokenRefused as error:
        services.metrics.token_refused(error.reason)
        services.limits.take(Kind.REFUSED_TOKENS, address)
        raise


def _take(services: Services, kind: Kind, key: str) -> None:
    if seconds := services.limits.take(kind, key):
        raise _limited(services, kind, seconds)


def _limited(services: Services, kind: Kind, seconds: int) -> TooManyRequests:
    services.metrics.limited(kind)
    return TooManyRequests("too many requests", seconds=seconds)


def _token(scope: HTTPScope) -> str:
    found = all_of(scope, b"authorization")
    if not found:
        raise NoToken("a bearer token is needed", hint="Send it as `Authorization: Bearer TOKEN`.")
    if len(found) > 1:
        raise NotSignedIn("there is more than one Authorization header")
    return _bearer(found[0], "Authorization")


def _auxiliary_tokens(scope: HTTPScope) -> list[str]:
    """Return the tokens of other tenants, as Azure Resource Manager takes them: comma-separated, three at most.

    https://learn.microsoft.com/azure/azure-resource-manager/management/authenticate-multi-tenant
    """
    found = all_of(scope, AUXILIARY_HEADER.encode())
    if not found:
        return []
    tokens = [_bearer(each.strip(), AUXILIARY_HEADER) for each in ",".join(found).split(",")]
    if len(tokens) > MOST_AUXILIARY_TOKENS:
        raise BadInput(f"there are more than {MOST_AUXILIARY_TOKENS} tokens", target=AUXILIARY_HEADER)
    return tokens


def _bearer(value: str, header: str) -> str:
    token = value[len(_BEARER) :].strip(" ")
    if value[: len(_BEARER)].lower() != _BEARER or not token or " " in token:
        raise NotSignedIn(f"the {header} header is not: Bearer TOKEN")
    return token


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
