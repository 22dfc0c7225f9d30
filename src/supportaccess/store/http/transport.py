"""One request to one endpoint, and its answer: TLS, proxies, time and size limits. No redirect, cookie or .netrc."""

from collections.abc import Mapping
from typing import IO, NamedTuple
from urllib.parse import urlsplit

import urllib3

from supportaccess import __version__
from supportaccess.errors import StoreRefused
from supportaccess.http.connections import connections_to
from supportaccess.http.deadlines import within
from supportaccess.http.endpoints import check_endpoint
from supportaccess.http.failures import Failure, failure_of
from supportaccess.store.background import MOST_AT_ONCE

LARGEST_ANSWER = 64 * 1024 * 1024
_CONNECT_SECONDS = 10.0
_PIECE = 256 * 1024
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": f"supportaccess/{__version__}"}


class Answer(NamedTuple):
    """What came back. Names of headers are found in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """Connections to one endpoint, kept open from one request to the next; for any thread.

    Not `requests`: it costs a third more at start-up, replaces our Authorization header by one of .netrc, and keeps
    cookies.
    """

    def __init__(self, endpoint: str) -> None:
        """Take the URL of a store. Raises InvalidInput for one that is not to be used."""
        self.endpoint = check_endpoint(endpoint)
        self._base = urlsplit(self.endpoint)
        self._pool = connections_to(self.endpoint, at_once=MOST_AT_ONCE).connection_from_url(self.endpoint)

    def send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | IO[bytes] | None = None,
        *,
        patience: float,
    ) -> Answer:
        """Send one request and return its answer, whatever its status; all within so many seconds.

        `path` begins below the endpoint, and has the query. Raises Failure without an answer.
        """
        try:
            with within(patience):
                response = self._pool.urlopen(
                    method,
                    self._base.path + path,
                    body=body,
                    headers={**_HEADERS, **headers},
                    timeout=urllib3.Timeout(connect=min(_CONNECT_SECONDS, patience), total=patience),
                    retries=False,
                    redirect=False,
                    assert_same_host=False,
                    preload_content=False,
                )
                return Answer(response.status, response.headers, self._read(response))
        except urllib3.exceptions.HTTPError as error:
            raise failure_of(error, self.endpoint) from error

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()

    def _read(self, response: urllib3.BaseHTTPResponse) -> bytes:
        """Return the body, unless it is too large."""
        body = bytearray()
        while piece := response.read1(_PIECE, decode_content=False):
            body += piece
            if len(body) > LARGEST_ANSWER:
                response.close()
                error = StoreRefused(f"{self.endpoint} answered with more than {LARGEST_ANSWER >> 20} MiB")
                raise Failure(error, again=False, in_doubt=True)
        return bytes(body)
