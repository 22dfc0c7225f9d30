"""One request to one endpoint, and its answer: TLS, proxies, time and size limits. No redirect, cookie or .netrc."""

from collections.abc import Mapping
from typing import IO, NamedTuple
from urllib.parse import urlsplit

import urllib3

from supportaccess.errors import StoreRefused
from supportaccess.http.connections import HEADERS, TooLarge, connections_to, read_body
from supportaccess.http.deadlines import within
from supportaccess.http.endpoints import check_endpoint
from supportaccess.http.failures import Failure, Reason, failure_of
from supportaccess.store.background import MOST_AT_ONCE

LARGEST_ANSWER = 64 * 1024 * 1024
_CONNECT_SECONDS = 10.0
_HEADERS = {**HEADERS, "Accept": "application/json"}


class Answer(NamedTuple):
    """What came back. Names of headers are found in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """Connections to one endpoint, kept open from one request to the next; for any thread.

    Not the sessions of `http.session`: `requests` costs a third more at start-up.
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
                return Answer(response.status, response.headers, read_body(response, LARGEST_ANSWER))
        except TooLarge as error:
            refused = StoreRefused(f"{self.endpoint} answered with more than {LARGEST_ANSWER >> 20} MiB")
            raise Failure(refused, again=False, in_doubt=True, reason=Reason.TOO_LARGE) from error
        except urllib3.exceptions.HTTPError as error:
            raise failure_of(error, self.endpoint) from error

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()
