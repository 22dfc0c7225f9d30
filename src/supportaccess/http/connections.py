"""Connections to one host: with our trust, and through the proxy that leads there."""

from urllib.parse import unquote, urlsplit

import urllib3

from supportaccess.errors import InvalidInput
from supportaccess.http.deadlines import BoundedHTTPConnection, BoundedHTTPSConnection
from supportaccess.http.endpoints import is_loopback
from supportaccess.http.failures import PROXY_HINT
from supportaccess.http.proxies import proxy_for
from supportaccess.http.trust import tls_context


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = BoundedHTTPConnection


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = BoundedHTTPSConnection


def connections_to(url: str, *, at_once: int = 1) -> urllib3.PoolManager:
    """Return what connects to the host of a URL, keeps so many connections open, and is asked `within` a time.

    Raises InvalidInput for a setting that cannot be used.
    """
    manager = _manager(url, at_once)
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
    return manager


def _manager(url: str, at_once: int) -> urllib3.PoolManager:
    host = urlsplit(url).hostname or ""
    context = tls_context() if url.startswith("https:") else None
    proxy = None if is_loopback(host) else proxy_for(host)
    if proxy is None:
        return urllib3.PoolManager(maxsize=at_once, ssl_context=context)
    try:
        credentials = urllib3.util.parse_url(proxy).auth
        headers = urllib3.util.make_headers(proxy_basic_auth=unquote(credentials)) if credentials else None
        return urllib3.ProxyManager(
            proxy, maxsize=at_once, proxy_headers=headers, ssl_context=context, proxy_ssl_context=context
        )
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        # Its text is not told: it may hold a password.
        raise InvalidInput("the proxy that the environment names is no http or https URL", hint=PROXY_HINT) from error
