"""The checks of a token's claims, as pure functions (Microsoft: claims-validation, access-token-claims-reference)."""

from collections.abc import Collection, Mapping

from supportaccess.domain.tenants import is_guid
from supportaccess.domain.text import LONGEST_NAME
from supportaccess.server.identity.refusals import Reason, TokenRefused

LEEWAY = 60
"""Seconds by which the clocks of issuer and server may differ."""
VERSIONS = ("1.0", "2.0")

_CLIENT_CLAIM = {"1.0": "appid", "2.0": "azp"}
_TENANT_PLACEHOLDER = "{tenantid}"

Claims = Mapping[str, object]


def lower_guid(value: object) -> str | None:
    """Return a GUID in lower case, and None for anything else: a look-alike of another alphabet is no GUID."""
    return value.lower() if isinstance(value, str) and is_guid(value) else None


def lower_if_guid(text: str) -> str:
    """Return a client ID as it is compared: a GUID in lower case, anything else as it is."""
    return lower_guid(text) or text


def addressed_to(claims: Claims, tenants: Collection[str]) -> tuple[str, str]:
    """Return the tenant and the token version, which choose the keys. Raises TokenRefused for those not served."""
    tenant = lower_guid(claims.get("tid"))
    if tenant is None or tenant not in tenants:
        raise TokenRefused(Reason.TENANT, "its tenant (tid) is not one that this server serves")
    version = claims.get("ver")
    if not isinstance(version, str) or version not in VERSIONS:
        raise TokenRefused(Reason.VERSION, "its version (ver) is neither 1.0 nor 2.0")
    return tenant, version


def check_times(claims: Claims, now: float, longest: int) -> float:
    """Return when the token expires, in seconds since 1970. Raises TokenRefused outside its time, or past `longest`."""
    expires, begins, issued = (_moment(claims, name) for name in ("exp", "nbf", "iat"))
    if expires <= now - LEEWAY:
        raise TokenRefused(Reason.EXPIRED, "it has expired")
    if begins > now + LEEWAY or issued > now + LEEWAY:
        raise TokenRefused(Reason.NOT_YET_VALID, "it is not valid yet: compare the clocks")
    if not 0 < expires - issued <= longest:
        raise TokenRefused(Reason.LIFETIME, f"it lives longer than {longest:,} seconds, or ends before it begins")
    return expires


def for_tenant(issuer: str, tenant: str) -> str:
    """Return an issuer with its `{tenantid}` filled in."""
    return issuer.replace(_TENANT_PLACEHOLDER, tenant)


def check_issuer(claims: Claims, issuer: str) -> None:
    """Raise TokenRefused unless the token is from this issuer, which is that of its own tenant and version."""
    if claims.get("iss") != issuer:
        raise TokenRefused(Reason.ISSUER, "its issuer (iss) is not that of its tenant and version")


def check_audience(claims: Claims, audiences: Collection[str]) -> None:
    """Raise TokenRefused unless the token was issued for this server."""
    audience = claims.get("aud")
    if not isinstance(audience, str) or audience not in audiences:
        raise TokenRefused(Reason.AUDIENCE, "its audience (aud) is not this server")


def client_of(claims: Claims, version: str) -> str | None:
    """Return the application that the token was issued to."""
    client = claims.get(_CLIENT_CLAIM[version])
    return lower_if_guid(client) if isinstance(client, str) and client and len(client) <= LONGEST_NAME else None


def is_app_only(claims: Claims, client: str | None) -> bool:
    """Tell an application's own token from a person's. Raises TokenRefused for what is neither or both.

    `idtyp` decides where Entra was asked for it. ID tokens have neither scopes nor a client.
    """
    kind, scoped = claims.get("idtyp"), isinstance(claims.get("scp"), str)
    if scoped and kind in (None, "user"):
        return False
    if "scp" not in claims and client is not None and (kind == "app" or (kind is None and _is_unmarked_app(claims))):
        return True
    raise TokenRefused(
        Reason.KIND, "it is neither a person's access token (scp) nor an application's own (idtyp, roles)"
    )


def _is_unmarked_app(claims: Claims) -> bool:
    """Without `idtyp`, an application has app roles, proved itself with a credential, and is its own subject."""
    proved = claims.get("azpacr", claims.get("appidacr")) in ("1", "2")
    return proved and isinstance(claims.get("roles"), list) and claims.get("sub") == claims.get("oid")


def object_id_of(claims: Claims) -> str:
    """Return who it is, as one GUID within their tenant."""
    object_id = lower_guid(claims.get("oid"))
    if object_id is None:
        raise TokenRefused(Reason.SUBJECT, "it does not say whose it is (oid)")
    return object_id


def display_name_of(claims: Claims) -> str | None:
    """Return a name for people to read: anybody may have chosen it. Invisible characters are left out."""
    name = claims.get("name", claims.get("app_displayname"))
    if not isinstance(name, str):
        return None
    return "".join(character for character in name if character.isprintable()).strip()[:LONGEST_NAME] or None


def token_id_of(claims: Claims) -> str | None:
    """Return the ID that Entra gave the token, if it is one word that a log can hold."""
    token_id = claims.get("uti")
    short = isinstance(token_id, str) and token_id.isascii() and token_id.isprintable() and len(token_id) <= 64
    return token_id if short and isinstance(token_id, str) else None


def takes_challenges(claims: Claims) -> bool:
    """Tell whether the client declared that it can take a claims challenge (`cp1`, in any case)."""
    return any(capability.lower() == "cp1" for capability in texts_of(claims, "xms_cc") or ())


def scopes_of(claims: Claims) -> Collection[str]:
    """Return what a person let the application do for them."""
    scopes = claims.get("scp")
    return scopes.split(" ") if isinstance(scopes, str) else ()


def texts_of(claims: Claims, name: str) -> tuple[str, ...] | None:
    """Return the texts of a list, and None if the token has no such list."""
    values = claims.get(name)
    return tuple(value for value in values if isinstance(value, str)) if isinstance(values, list) else None


def has_overage(claims: Claims) -> bool:
    """Tell whether Entra left groups or roles out of the token because there are too many of them."""
    return bool(claims.get("_claim_names")) or "hasgroups" in claims


def _moment(claims: Claims, name: str) -> int:
    value = claims.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TokenRefused(Reason.MALFORMED, f"it has no time {name}")
    return value
