"""The token that is read out of MSAL's cache without MSAL, against MSAL's own reading of the same cache."""

import json
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import msal
from hypothesis import event, given
from hypothesis import strategies as st
from tests.support.issuer import API, CLIENT
from tests.support.people import HOME, RESOURCE

from supportaccess.signin.cache_reader import held
from supportaccess.signin.registration import Registration

AUTHORITY = "https://login.microsoftonline.com"
SCOPE = f"api://{API}/AccessRequests.Use"
OURS = Registration(HOME, CLIENT, AUTHORITY, (SCOPE,))
ACCOUNT = "o.t"


class Response(NamedTuple):
    """An answer, with the names that MSAL reads."""

    status_code: int
    text: str
    headers: Mapping[str, str]


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


FITS = {
    "credential_type": "AccessToken",
    "client_id": CLIENT,
    "environment": "login.microsoftonline.com",
    "realm": HOME,
    "home_account_id": ACCOUNT,
    "target": SCOPE,
    "token_type": "Bearer",
}
OTHERWISE = [
    *(("client_id", value) for value in (API, None)),
    *(("environment", value) for value in ("login.windows.net", "login.evil.example")),
    ("realm", RESOURCE),
    *(("home_account_id", value) for value in ("x.t", None)),
    *(("target", value) for value in (f"openid {SCOPE}", "openid", "", SCOPE.lower(), f"{SCOPE}.More")),
    *(("ends", value) for value in (320, 280, 0, -3600)),  # away from the margin: the clock goes on meanwhile
    *(("token_type", value) for value in ("bearer", "pop")),
    *(("ext_cache_key", value) for value in ("", "of another")),
]


def entries() -> st.SearchStrategy[dict[str, Any]]:
    """Return entries of a cache that fit, but for one thing or two."""
    changes = st.lists(st.sampled_from(OTHERWISE), max_size=2)
    return st.builds(
        lambda secret, changed: {**FITS, "ends": 3600, **dict(changed), "secret": str(secret)}, st.uuids(), changes
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
    entry = {**FITS, "secret": "the token", "target": target, "expires_on": str(int(now) + ends)}
    text = json.dumps({"AccessToken": {"one": entry}})

    assert mine(text, now) == msals(text) == "the token"
