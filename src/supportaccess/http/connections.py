"""Connections with our trust, direct or through a proxy, and how their answers are read."""

from ssl import SSLContext
from urllib.parse import unquote, urlsplit

import urllib3

from supportaccess import __version__
from supportaccess.errors import InvalidInput
from supportaccess.http.deadlines import BoundedHTTPConnection, BoundedHTTPSConnection
from supportaccess.http.failures import PROXY_HINT
from supportaccess.http.proxies import proxy_for
from supportaccess.http.trust import tls_context

HEADERS = {"Accept-Encoding": "identity", "User-Agent": f"supportaccess/{__version__}"}
"""What every request has."""
_PIECE = 256 * 1024


class TooLarge(Exception):
    """An answer is larger than whoever asked can use."""


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = BoundedHTTPConnection


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = BoundedHTTPSConnection


def connections_to(url: str, *, at_once: int = 1) -> urllib3.PoolManager:
    """Return what connects to the host of a URL and keeps so many connections open; ask it `within` a time.

    Raises InvalidInput for a setting of the environment that cannot be used.
    """
    context = tls_context() if url.startswith("https:") else None
    proxy = proxy_for(urlsplit(url).hostname or "")
    return direct(context, at_once) if proxy is None else through(proxy, context, at_once)


def direct(tls: SSLContext | None, at_once: int) -> urllib3.PoolManager:
    """Return what connects to any host."""
    return _bounded(urllib3.PoolManager(maxsize=at_once, ssl_context=tls))


def through(proxy: str, tls: SSLContext | None, at_once: int) -> urllib3.PoolManager:
    """Return what connects to any host through a proxy. Raises InvalidInput for the URL of none."""
    try:
        credentials = urllib3.util.parse_url(proxy).auth
        headers = urllib3.util.make_headers(proxy_basic_auth=unquote(credentials)) if credentials else None
        return _bounded(
            urllib3.ProxyManager(proxy, maxsize=at_once, proxy_headers=headers, ssl_context=tls, proxy_ssl_context=tls)
        )
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        # Its text is not told: it may hold a password.
        raise InvalidInput("the proxy that the environment names is no http or https URL", hint=PROXY_HINT) from error


def read_body(response: urllib3.BaseHTTPResponse, largest: int) -> bytes:
    """Return the whole body as it was sent. Raises TooLarge beyond so many bytes, and what urllib3 raises."""
    body = bytearray()
    while piece := response.read1(_PIECE, decode_content=False):
        body += piece
        if len(body) > largest:
            response.close()
            raise TooLarge
    response.release_conn()
    return bytes(body)


def _bounded(manager: urllib3.PoolManager) -> urllib3.PoolManager:
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
    return manager
