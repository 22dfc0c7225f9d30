"""Which proxy leads to a host, by the environment or, on macOS and Windows, the system's settings."""

import os
import sys

_HAS_SETTINGS = sys.platform in {"darwin", "win32"}


def proxy_for(host: str) -> str | None:
    """Return the URL of the proxy for https to a host, or None."""
    if not _HAS_SETTINGS and not any(name.lower().endswith("_proxy") for name in os.environ):
        return None  # without the import that the rest needs
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    proxy = proxies.get("https") or proxies.get("all")
    if not proxy or proxy_bypass(host):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"
