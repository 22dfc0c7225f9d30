"""Assertions of where an application runs, which Entra takes in place of a secret (workload identity federation)."""

from collections.abc import Mapping
from typing import TypeVar

import msgspec

from supportaccess.errors import NotSignedIn
from supportaccess.settings.authorities import CHINA, US_GOVERNMENT, host_of

T = TypeVar("T")


def audience_of(authority: str) -> str:
    """Return for whom an assertion has to be, in the cloud of an authority."""
    host = host_of(authority)
    if host in US_GOVERNMENT:
        return "api://AzureADTokenExchangeUSGov"
    return "api://AzureADTokenExchangeChina" if host in CHINA else "api://AzureADTokenExchange"


def ask(method: str, url: str, headers: Mapping[str, str], kind: type[T], who: str) -> T:
    """Return what somebody answers who gives assertions. Raises NotSignedIn, StoreUnavailable."""
    from supportaccess.signin.http import HttpClient

    with HttpClient() as client:
        answer = client.request(method, url, headers=headers)
    if answer.status_code != 200:
        raise NotSignedIn(f"{who} gave no assertion: status {answer.status_code}", hint="docs/sign-in.md")
    try:
        return msgspec.json.decode(answer.content, type=kind)
    except (msgspec.MsgspecError, RecursionError):
        # What it says instead is not told: it may be the assertion.
        raise NotSignedIn(f"{who} gave no assertion that this version knows", hint="docs/sign-in.md") from None
