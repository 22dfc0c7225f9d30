"""The HTTP that MSAL speaks: our trust and proxies, time and size limits, no redirect, cookie or .netrc.

MSAL's own session waits for ever.
"""

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

import urllib3

from supportaccess import __version__
from supportaccess.errors import StoreUnavailable
from supportaccess.http.connections import connections_to
from supportaccess.http.deadlines import within
from supportaccess.http.endpoints import is_loopback
from supportaccess.http.failures import Failure, failure_of

SECONDS = 30.0
"""For one answer, with its body."""
_CONNECT_SECONDS = 10.0
_LARGEST_ANSWER = 1024 * 1024
_PIECE = 64 * 1024
_HEADERS = {"Accept-Encoding": "identity", "User-Agent": f"supportaccess/{__version__}"}
_HINT = "Is this machine online, and the authority right? supportaccess doctor"


class Response(NamedTuple):
    """An answer, with the names that MSAL reads."""

    status_code: int
    text: str
    headers: Mapping[str, str]


class HttpClient:
    """What MSAL calls its http_client. Raises StoreUnavailable without an answer, which MSAL lets through."""

    def __init__(self) -> None:
        self._connections: dict[str, urllib3.PoolManager] = {}

    def get(
        self, url: str, params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None, **_: object
    ) -> Response:
        """Fetch something."""
        return self._send("GET", url, params, headers, None)

    def post(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, str] | str | None = None,
        headers: Mapping[str, str] | None = None,
        **_: object,
    ) -> Response:
        """Send a form."""
        body = data if isinstance(data, str) else urlencode(data or {})
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._send("POST", url, params, {**form, **(headers or {})}, body)

    def close(self) -> None:
        """Close the connections."""
        for connections in self._connections.values():
            connections.clear()

    def _send(
        self,
        method: str,
        url: str,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        body: str | None,
    ) -> Response:
        where = _origin(url)
        if where not in self._connections:
            self._connections[where] = connections_to(url)
        whole = f"{url}{'&' if '?' in url else '?'}{urlencode(params)}" if params else url
        try:
            return self._attempt(method, whole, {**_HEADERS, **(headers or {})}, body)
        except Failure as failure:
            if not failure.again or failure.in_doubt:
                raise _unreachable(failure) from failure
        try:
            return self._attempt(method, whole, {**_HEADERS, **(headers or {})}, body)
        except Failure as failure:
            raise _unreachable(failure) from failure

    def _attempt(self, method: str, url: str, headers: Mapping[str, str], body: str | None) -> Response:
        where = _origin(url)
        try:
            with within(SECONDS):
                response = self._connections[where].request(
                    method,
                    url,
                    body=body,
                    headers=headers,
                    timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=SECONDS),
                    retries=False,
                    redirect=False,
                    preload_content=False,
                )
                return Response(response.status, _read(response, where), dict(response.headers))
        except urllib3.exceptions.HTTPError as error:
            raise failure_of(error, where) from error


def _read(response: urllib3.BaseHTTPResponse, where: str) -> str:
    body = bytearray()
    while piece := response.read1(_PIECE, decode_content=False):
        body += piece
        if len(body) > _LARGEST_ANSWER:
            response.close()
            raise Failure(StoreUnavailable(f"{where} answered with too much", hint=_HINT), again=False, in_doubt=True)
    response.release_conn()
    return body.decode("utf-8", "replace")


def _origin(url: str) -> str:
    """Return whom a URL asks. Raises StoreUnavailable for one that secrets must not be sent to."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        raise StoreUnavailable(f"the authority names {parts.scheme}://{parts.netloc}, which is not https")
    return f"{parts.scheme}://{parts.netloc}"


def _unreachable(failure: Failure) -> StoreUnavailable:
    """Return the failure as the error to tell. What is right for a store's endpoint is not for an authority."""
    hint = failure.error.hint
    if hint is None or "tenant set" in hint or "Try again" in hint:
        hint = _HINT
    return StoreUnavailable(failure.error.message, hint=hint)
