"""The HTTP that MSAL speaks, whose own session waits for ever: secrets go nowhere but to https or to this machine."""

from typing import Any
from urllib.parse import urlsplit

import requests

from supportaccess.errors import StoreUnavailable
from supportaccess.http.endpoints import is_loopback, server_of
from supportaccess.http.failures import Failure
from supportaccess.http.session import Session

_HINT = "Is this machine online, and the authority right? supportaccess doctor"


class HttpClient(Session):
    """What MSAL calls its http_client. Raises StoreUnavailable without an answer, which MSAL lets through."""

    def request(self, *arguments: Any, **options: Any) -> requests.Response:
        """Ask, and once more if nothing was sent."""
        try:
            return super().request(*arguments, **options)
        except Failure as failure:
            if not failure.again or failure.in_doubt:
                raise _unreachable(failure) from failure
        try:
            return super().request(*arguments, **options)
        except Failure as failure:
            raise _unreachable(failure) from failure

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Send a request that was prepared."""
        _check(request.url or "")
        return super().send(request, **options)


def _check(url: str) -> None:
    """Raise StoreUnavailable for a URL that secrets must not be sent to."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        raise StoreUnavailable(f"the authority names {server_of(url)}, which is not https")


def _unreachable(failure: Failure) -> StoreUnavailable:
    """Return the failure as the error to tell. What is right for a store's endpoint is not for an authority."""
    hint = failure.error.hint
    if hint is None or "tenant set" in hint or "Try again" in hint:
        hint = _HINT
    return StoreUnavailable(failure.error.message, hint=hint)
