"""Reads an access token out of MSAL's cache without MSAL, which would cost a command as much again as all the rest.

What counts is what MSAL counts: the application, the account, the tenant, the scopes, and five minutes to go.
"""

from datetime import UTC, datetime

import msgspec

from supportaccess.signin.registration import Registration

MARGIN = 5 * 60
"""Seconds that a token must still be good for, as MSAL has it."""


class Held(msgspec.Struct, frozen=True):
    """An access token and when it ends."""

    token: str
    ends: datetime


class _Entry(msgspec.Struct, frozen=True):
    secret: str
    expires_on: str
    client_id: str | None = None
    environment: str | None = None
    realm: str | None = None
    target: str | None = None
    home_account_id: str | None = None
    refresh_on: str | None = None
    ext_cache_key: str | None = None
    token_type: str | None = None


class _Cache(msgspec.Struct, frozen=True):
    access_tokens: dict[str, _Entry] = msgspec.field(name="AccessToken", default_factory=dict)


_decoder = msgspec.json.Decoder(_Cache)


def held(text: str | bytes, registration: Registration, account_id: str | None, now: float) -> Held | None:
    """Return the token that MSAL would return without asking anybody; None if there is none.

    `account_id` is None for an application without a person. Raises ValueError for what is no cache.
    """
    scopes = set(registration.scopes if account_id is not None else registration.application_scopes)
    for entry in _decoder.decode(text).access_tokens.values():
        if (
            entry.client_id == registration.client_id
            and entry.environment == registration.environment
            and entry.realm == registration.tenant_id
            and entry.home_account_id == account_id
            and scopes <= set((entry.target or "").split())
            and entry.ext_cache_key is None
            and (entry.token_type or "Bearer").lower() == "bearer"
            and int(entry.expires_on) - now >= MARGIN
            and (entry.refresh_on is None or int(entry.refresh_on) >= now)
        ):
            return Held(entry.secret, datetime.fromtimestamp(int(entry.expires_on), UTC))
    return None
