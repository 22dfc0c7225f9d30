"""Sessions of `requests` as this program speaks HTTP: it decides what `requests` would take from its surroundings."""

from collections.abc import Callable, Sequence
from http.cookiejar import DefaultCookiePolicy
from io import BytesIO
from socket import EAI_NONAME, gaierror
from ssl import SSLContext
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, PoolManager, Timeout
from urllib3.exceptions import ConnectTimeoutError, HTTPError

from supportaccess.errors import StoreUnavailable
from supportaccess.http.connections import HEADERS, TooLarge, direct, read_body, through
from supportaccess.http.deadlines import seconds_left, within
from supportaccess.http.endpoints import server_of
from supportaccess.http.failures import Failure, Reason, failure_of
from supportaccess.http.proxies import proxy_for
from supportaccess.http.resolving import look_up
from supportaccess.http.trust import tls_context

LookUp = Callable[[str, int, float], Sequence[str]]
"""Returns the addresses of a host and port that may be connected to, within so many seconds."""

_AT_ONCE = 10
_PORTS = {"https": 443, "http": 80}


class Session(requests.Session):
    """A session that asks https URLs, and http URLs without a proxy. Every way to ask raises Failure without an answer.

    It follows no redirect, keeps no cookie, reads no .netrc, and decodes no answer but as UTF-8.

    - `seconds` is what a request may take, from the look-up of the name to the last byte; `timeout=` is that of one
      request. A `within` around it may end it sooner.
    - `connect_seconds` is for each address, and `silence_seconds` for each wait for a byte.
    - `largest` is how many bytes an answer may have.
    - `tls` is whom it trusts: the default is the system, or what the environment names.
    - `look_up` looks hosts up. Connections go to the addresses that it returns and to no others, and TLS checks the
      certificate for the host's name. Exceptions of its own are raised as they are. A proxy looks names up by itself.

    With `stream=True` a request ends with the head of its answer. Whoever reads the body then limits its time and size.
    """

    def __init__(
        self,
        *,
        seconds: float = 30.0,
        connect_seconds: float = 10.0,
        silence_seconds: float | None = None,
        largest: int = 1024 * 1024,
        tls: SSLContext | None = None,
        use_proxy: bool = True,
        look_up: LookUp = look_up,
    ) -> None:
        """Raise InvalidInput for a setting of the environment that cannot be used."""
        super().__init__()
        self.seconds = seconds
        self.trust_env = False
        self.headers = CaseInsensitiveDict(HEADERS)
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        timeout = Timeout(connect=connect_seconds, read=silence_seconds)
        adapter = _Adapter(tls or tls_context(), timeout, largest, look_up, use_proxy=use_proxy)
        self.adapters.clear()
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Say that an answer is no redirect."""

    def request(self, *arguments: Any, **options: Any) -> requests.Response:
        """Ask, as `requests` does it."""
        try:
            return super().request(*arguments, **options)
        except requests.RequestException as error:  # that is no URL or header: what was sent raises Failure
            refused = StoreUnavailable(f"what should be asked cannot be asked: {type(error).__name__}")
            raise Failure(refused, again=False, in_doubt=False, reason=Reason.CONNECTION) from error

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Send a request that was prepared, and read its answer."""
        with within(options.pop("timeout", None) or self.seconds):
            return super().send(request, **options)


class _Adapter(HTTPAdapter):
    """Sends one request once. Timeouts, trust and proxies are its own, whatever `requests` hands it."""

    def __init__(self, tls: SSLContext, timeout: Timeout, largest: int, look_up: LookUp, *, use_proxy: bool) -> None:
        self._tls = tls
        self._timeout = timeout
        self._largest = largest
        self._look_up = look_up
        self._use_proxy = use_proxy
        super().__init__()

    def init_poolmanager(self, *_: Any, **__: Any) -> None:
        """Make what connects directly."""
        self.poolmanager = direct(self._tls, _AT_ONCE)

    def proxy_manager_for(self, proxy: str, **_: Any) -> PoolManager:
        """Return what connects through a proxy. Raises InvalidInput for the URL of none."""
        manager: PoolManager = self.proxy_manager.get(proxy) or through(proxy, self._tls, _AT_ONCE)
        self.proxy_manager[proxy] = manager
        return manager

    def send(self, request: requests.PreparedRequest, stream: bool = False, *_: Any, **__: Any) -> requests.Response:
        """Send a request and read its answer. Raises Failure."""
        server = server_of(request.url or "")
        try:
            answer = self._ask(request)
            response = self.build_response(request, answer)
            response.encoding = "utf-8"
            if not stream:
                response.raw = BytesIO(read_body(answer, self._largest))
        except TooLarge as error:
            refused = StoreUnavailable(f"{server} answered with too much")
            raise Failure(refused, again=False, in_doubt=True, reason=Reason.TOO_LARGE) from error
        except (HTTPError, gaierror, UnicodeError, TimeoutError) as error:
            raise failure_of(error, server) from error
        return response

    def _ask(self, request: requests.PreparedRequest) -> BaseHTTPResponse:
        url = urlsplit(str(request.url))
        host, port = url.hostname or "", url.port or _PORTS[url.scheme]
        if self._use_proxy and url.scheme == "https" and (proxy := proxy_for(host)):
            pool = self.proxy_manager_for(proxy).connection_from_host(host, port, "https")
            return self._open(pool, request)
        # Pools are of addresses: the name goes into the request and to TLS.
        request.headers.setdefault("Host", url.netloc.rpartition("@")[2].removesuffix(f":{_PORTS[url.scheme]}"))
        failed: Exception = gaierror(EAI_NONAME, "no address")
        for address in self._look_up(host, port, seconds_left() or 0):
            pool = self.poolmanager.connection_from_host(address, port, url.scheme, {"server_hostname": host})
            try:
                return self._open(pool, request)
            except ConnectTimeoutError as error:  # also that nobody listens there
                failed = error
        raise failed

    def _open(self, pool: HTTPConnectionPool, request: requests.PreparedRequest) -> BaseHTTPResponse:
        return pool.urlopen(
            request.method or "GET",
            request.path_url,
            body=request.body,
            headers=request.headers,
            timeout=self._timeout,
            retries=False,
            redirect=False,
            assert_same_host=False,
            preload_content=False,
            decode_content=False,
            chunked=request.body is not None and "Content-Length" not in request.headers,
        )
