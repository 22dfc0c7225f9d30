"""Which proxy leads to a host, by the environment or, on macOS and Windows, the system's settings."""

import os
import sys

from supportaccess.http.endpoints import is_loopback

_HAS_SETTINGS = sys.platform in {"darwin", "win32"}


def proxy_for(host: str) -> str | None:
    """Return the URL of the proxy for https to a host, or None. This machine is asked directly."""
    if not _HAS_SETTINGS and not any(name.lower().endswith("_proxy") for name in os.environ):
        return None  # without the imports that the rest needs
    if is_loopback(host):
        return None
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    proxy = proxies.get("https") or proxies.get("all")
    if not proxy or proxy_bypass(host) or _is_in(host, proxies.get("no", "")):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _is_in(host: str, no_proxy: str) -> bool:
    """Tell whether a host is an address in one of the ranges of NO_PROXY, which the standard library passes over."""
    from ipaddress import ip_address, ip_network

    try:
        address = ip_address(host)
    except ValueError:
        return False
    for entry in no_proxy.replace("[", "").replace("]", "").split(","):
        try:
            if address in ip_network(entry.strip(), strict=False):
                return True
        except ValueError:  # the name of a host
            continue
    return False
