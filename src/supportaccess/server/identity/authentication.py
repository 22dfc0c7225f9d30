"""From a bearer token to a caller: the checks in their order, and the memory of tokens that passed them.

The order and the rules: Microsoft's claims-validation and access-token references, RFC 8725 and RFC 9068.
"""

import hashlib
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar

import msgspec

from supportaccess.domain.permissions import Caller, Permission
from supportaccess.domain.records import Actor, ActorKind
from supportaccess.domain.tenants import parse_tenant_id
from supportaccess.errors import InvalidInput
from supportaccess.server.identity import claims as check
from supportaccess.server.identity.authority import Authority
from supportaccess.server.identity.keys import Key, TenantKeys
from supportaccess.server.identity.refusals import Reason, TokenRefused
from supportaccess.server.identity.roles import RoleRules, Standing, load_role_table
from supportaccess.server.identity.tokens import LONGEST_TOKEN, check_signature, read
from supportaccess.server.settings import IdentitySettings
from supportaccess.store.wire import Grant
from supportaccess.structs import Struct

__all__ = ["Authenticator", "Identity", "Reason", "TokenRefused"]

PERSONAL_ACCOUNTS = "9188040d-6c67-4c5b-b112-36a304b66dad"
"""The tenant of all personal Microsoft accounts, which is nobody's organisation."""

MOST_REMEMBERED = 10_000
Value = TypeVar("Value")


class Identity(Struct, frozen=True, kw_only=True):
    """A caller and where each permission comes from. `token_id` is Entra's (uti), for the log.

    `auth_contexts` are the authentication contexts that the sign-in met; `takes_challenges`: its client can be asked
    for another.
    """

    caller: Caller
    grants: tuple[Grant, ...]
    standing: Standing
    client_id: str | None = None
    token_id: str | None = None
    app_only: bool = False
    auth_contexts: frozenset[str] = frozenset()
    takes_challenges: bool = False

    def explain(self, permission: Permission) -> str:
        """Return the hint of a refusal: which roles would give the permission and which are held."""
        return self.standing.explain(permission)


class _Verified(msgspec.Struct, frozen=True):
    """What a token proved, for as long as its key stands."""

    identity: Identity
    keys: TenantKeys
    key: Key


class Authenticator:
    """Proves who sent a token. Any thread may ask.

    `now` is the time in seconds since 1970. Raises InvalidInput for settings that cannot be used.
    """

    def __init__(self, settings: IdentitySettings, *, now: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._now = now
        self._rules = _rules(settings)
        self._audiences = _audiences(settings)
        self._clients = frozenset(map(check.lower_if_guid, settings.allowed_clients))
        self._deciders = frozenset(map(check.lower_if_guid, settings.app_only_may_decide))
        self._tenants = _tenants(settings)
        self._authority = Authority(settings.authority, settings.ca_file)
        self._keys = {
            (tenant, version): TenantKeys(tenant, partial(self._authority.published, tenant, version), now)
            for tenant in self._tenants
            for version in check.VERSIONS
        }
        self._remembered: Remembered[_Verified] = Remembered()

    def recall(self, token: str) -> Identity | None:
        """Return who a token proved to be, if it was verified before and still holds. Costs microseconds."""
        verified = self._remembered.find(token, self._now())
        return verified.identity if verified is not None and verified.keys.vouches_for(verified.key) else None

    def verify(self, token: str) -> Identity:
        """Return whom the token proves. May fetch keys: not for an event loop.

        Raises TokenRefused, and StoreUnavailable when the keys of its tenant cannot be had.
        """
        unverified = read(token)
        claims = unverified.claims
        tenant, version = check.addressed_to(claims, self._tenants)
        keys = self._keys[tenant, version]
        key, issuer = keys.find(unverified.key_id)
        check_signature(unverified, key.public)
        expires = check.check_times(claims, self._now(), self._settings.longest_token_seconds)
        check.check_issuer(claims, issuer)
        self._check_key_issuer(key, tenant, issuer)
        check.check_audience(claims, self._audiences)
        identity = self._identity(claims, tenant, version)
        self._remembered.keep(token, _Verified(identity, keys, key), expires)
        return identity

    def ready(self) -> dict[str, str]:
        """Return for each tenant what is wrong with its signing keys; empty: nothing.

        Fetches what is not there yet, and waits for it: not for an event loop.
        """
        missing = [self._keys[tenant, "2.0"] for tenant in self._tenants if not self._has_keys(tenant)]
        for flight in [keys.refresh() for keys in missing]:
            if flight is not None:
                flight.wait()
        return {tenant: "" if self._has_keys(tenant) else self._problem(tenant) for tenant in sorted(self._tenants)}

    def _has_keys(self, tenant: str) -> bool:
        return any(self._keys[tenant, version].usable() is not None for version in check.VERSIONS)

    def _problem(self, tenant: str) -> str:
        return self._keys[tenant, "2.0"].problem() or "the authority does not answer"

    def _check_key_issuer(self, key: Key, tenant: str, issuer: str) -> None:
        """Raise TokenRefused when the key is published for another tenant.

        Entra writes the issuer of version 2.0 beside its keys, also where they sign tokens of version 1.0.
        """
        if key.issuer is None:
            return
        if check.for_tenant(key.issuer, tenant) not in (issuer, f"{self._authority.base}/{tenant}/v2.0"):
            raise TokenRefused(Reason.KEY_ISSUER, "its key is another issuer's")

    def _identity(self, claims: check.Claims, tenant: str, version: str) -> Identity:
        client = check.client_of(claims, version)
        app_only = check.is_app_only(claims, client)
        standing = Standing(
            rules=self._rules,
            wids=_guids(check.texts_of(claims, "wids")),
            app_roles=check.texts_of(claims, "roles"),
            nothing_because=self._nothing_because(claims, client, app_only),
            no_decision_because=self._no_decision_because(client, app_only),
        )
        grants = standing.grants()
        actor = Actor(
            kind=ActorKind.APPLICATION if app_only else ActorKind.USER,
            tenant_id=tenant,
            object_id=check.object_id_of(claims),
            display_name=check.display_name_of(claims),
        )
        return Identity(
            caller=Caller(tenant_id=tenant, actor=actor, permissions=frozenset(grant.permission for grant in grants)),
            grants=grants,
            standing=standing,
            client_id=client,
            token_id=check.token_id_of(claims),
            app_only=app_only,
            auth_contexts=frozenset(check.texts_of(claims, "acrs") or ()),
            takes_challenges=check.takes_challenges(claims),
        )

    def _nothing_because(self, claims: check.Claims, client: str | None, app_only: bool) -> str:
        settings = self._settings
        if not app_only and settings.scope not in check.scopes_of(claims):
            return f"The token does not have the scope {settings.scope}: sign in again and consent to it."
        if self._clients and client not in self._clients:
            return "The token was issued to an application that is not in identity.allowed_clients of this server."
        if check.has_overage(claims):
            return (
                "The token leaves groups or roles out because there are too many (overage), so no role counts: set "
                f"groupMembershipClaims of app registration {settings.client_id} to DirectoryRole, or to None for "
                "app roles."
            )
        return ""

    def _no_decision_because(self, client: str | None, app_only: bool) -> str:
        if not app_only or client in self._deciders:
            return ""
        return (
            "Decisions are made by people: an application decides only if identity.app_only_may_decide "
            "of this server names its client ID. Sign in as a person."
        )


def _rules(settings: IdentitySettings) -> RoleRules:
    table = load_role_table(settings.role_table)
    return RoleRules(settings.permissions_from, table, settings.client_id)


def _tenants(settings: IdentitySettings) -> frozenset[str]:
    tenants = frozenset(map(parse_tenant_id, settings.tenants))
    if not tenants:
        raise InvalidInput("identity.tenants is empty: nobody could sign in", hint="List the tenant IDs to serve.")
    if PERSONAL_ACCOUNTS in tenants:
        raise InvalidInput(f"identity.tenants has {PERSONAL_ACCOUNTS}: personal accounts are nobody's organisation")
    return tenants


def _audiences(settings: IdentitySettings) -> frozenset[str]:
    """Return what `aud` may be. Version 1.0 tokens have it as the client asked: an App ID URI may end in a slash."""
    client = check.lower_if_guid(settings.client_id)
    if not client:
        raise InvalidInput("identity.client_id is empty: any token would be for this server")
    uris = (f"api://{client}", *settings.audiences)
    return frozenset({client, *uris, *(f"{uri.rstrip('/')}/" for uri in uris)})


def _guids(values: tuple[str, ...] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(guid for value in values if (guid := check.lower_guid(value)))


class Remembered(Generic[Value]):
    """Up to MOST_REMEMBERED values, each until its token expires; the oldest make room. Any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[bytes, tuple[float, Value]] = {}

    def find(self, token: str, now: float) -> Value | None:
        """Return what was kept for the token, if it has not expired."""
        if len(token) > LONGEST_TOKEN or not token.isascii():
            return None
        found = self._values.get(_hash(token))
        return found[1] if found is not None and now < found[0] else None

    def keep(self, token: str, value: Value, expires: float) -> None:
        """Keep a value until the token expires (seconds since 1970)."""
        with self._lock:
            self._values[_hash(token)] = (expires, value)
            if len(self._values) > MOST_REMEMBERED:
                del self._values[next(iter(self._values))]


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("ascii")).digest()
