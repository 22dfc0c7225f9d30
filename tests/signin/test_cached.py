"""The token that is read out of MSAL's cache without MSAL, against MSAL's own reading of the same cache."""

import json
import time
from typing import Any

import msal
from hypothesis import event, given
from hypothesis import strategies as st
from tests.support.issuer import API, CLIENT
from tests.support.people import HOME, RESOURCE

from supportaccess.signin.cached import held
from supportaccess.signin.http import Response
from supportaccess.signin.registration import Registration

AUTHORITY = "https://login.microsoftonline.com"
SCOPE = f"api://{API}/AccessRequests.Use"
OURS = Registration(HOME, CLIENT, AUTHORITY, (SCOPE,))
ACCOUNT = "o.t"


class _NoNetwork:
    """What MSAL asks for the addresses of an authority, and nothing more."""

    def get(self, url: str, **_: object) -> Response:
        assert url.endswith("openid-configuration") or "openid-configuration" in url
        where = f"{AUTHORITY}/{HOME}"
        told = {
            "authorization_endpoint": f"{where}/authorize",
            "token_endpoint": f"{where}/token",
            "issuer": f"{where}/v2.0",
        }
        return Response(200, json.dumps(told), {})

    def post(self, url: str, **_: object) -> Response:
        raise AssertionError(url)

    def close(self) -> None:
        pass


def mostly(usual: object, *others: object) -> st.SearchStrategy[Any]:
    """Return what is the usual three times of four."""
    return st.sampled_from([usual] * 3 * max(len(others), 1) + list(others))


def entries() -> st.SearchStrategy[dict[str, Any]]:
    """Return entries of a cache, many of which fit."""
    return st.fixed_dictionaries(
        {
            "credential_type": st.just("AccessToken"),
            "secret": st.uuids().map(str),
            "client_id": mostly(CLIENT, API),
            "environment": mostly("login.microsoftonline.com", "login.windows.net", "login.evil.example"),
            "realm": mostly(HOME, RESOURCE),
            "home_account_id": mostly(ACCOUNT, "x.t", None),
            "target": mostly(SCOPE, f"openid {SCOPE}", "openid", "", SCOPE.lower(), f"{SCOPE}.More"),
            "ends": mostly(3600, 320, 280, 0, -3600),  # away from the margin, so that the clock can go on meanwhile
        },
        optional={
            "token_type": mostly("Bearer", "bearer", "pop"),
            "ext_cache_key": mostly("", "of another"),
            "cached_at": st.just("0"),
        },
    )


def mine(text: str, now: float) -> str | None:
    """Return the token that is read without MSAL."""
    found = held(text, OURS, ACCOUNT, now)
    return found.token if found else None


def msals(text: str) -> str | None:
    """Return the token that MSAL takes from the cache."""
    cache = msal.SerializableTokenCache()
    cache.deserialize(text)
    application = msal.PublicClientApplication(
        CLIENT,
        authority=f"{AUTHORITY}/{HOME}",
        token_cache=cache,
        http_client=_NoNetwork(),
        instance_discovery=False,
    )
    account = {"home_account_id": ACCOUNT, "environment": "login.microsoftonline.com", "username": "ada"}
    result = application.acquire_token_silent([SCOPE], account)
    return result["access_token"] if result else None


@given(st.lists(entries(), max_size=4))
def test_only_what_msal_would_return(drawn: list[dict[str, Any]]) -> None:
    """A token is read only when MSAL would return one from there, and it is one that MSAL may return."""
    now = time.time()
    tokens = {
        str(number): {**each, "expires_on": str(int(now) + each.pop("ends"))} for number, each in enumerate(drawn)
    }
    text = json.dumps({"AccessToken": tokens})
    read = mine(text, now)

    event(f"read: {read is not None}")
    if read is not None:
        assert msals(text) is not None
        alone = {"AccessToken": {key: each for key, each in tokens.items() if each["secret"] == read}}
        assert msals(json.dumps(alone)) == read


@given(st.sampled_from([SCOPE, f"openid {SCOPE}"]), st.integers(320, 10**6))
def test_what_msal_would_return_is_read(target: str, ends: int) -> None:
    """An ordinary token is read, as MSAL reads it: commands would be slow otherwise."""
    now = time.time()
    entry = {
        "credential_type": "AccessToken",
        "secret": "the token",
        "client_id": CLIENT,
        "environment": "login.microsoftonline.com",
        "realm": HOME,
        "home_account_id": ACCOUNT,
        "target": target,
        "token_type": "Bearer",
        "expires_on": str(int(now) + ends),
    }
    text = json.dumps({"AccessToken": {"one": entry}})

    assert mine(text, now) == msals(text) == "the token"
