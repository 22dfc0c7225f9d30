"""URLs of shared stores and other servers."""

from urllib.parse import SplitResult, urlsplit

from supportaccess.errors import InvalidInput

_PORTS = {"https": 443, "http": 80}


def check_endpoint(text: str) -> str:
    """Return an endpoint as it is kept: without a slash at its end, the host in lower case.

    Raises InvalidInput for what is no https URL (http serves for this machine alone), or has credentials, a query or
    a fragment in it.
    """
    url = split_url(text.strip())
    if url is None or not url.hostname or url.scheme not in _PORTS:
        raise InvalidInput(f"{text!r} is not the URL of a store", hint="Such as https://store.example.com")
    if url.username is not None or url.query or url.fragment or text.rstrip().endswith(("?", "#")):
        raise InvalidInput(f"an endpoint has no credentials, query or fragment in it, and {url.hostname!r} has")
    if url.scheme == "http" and not is_loopback(url.hostname):
        raise InvalidInput(
            f"{text!r} is not https: what is sent there could be read and changed on its way",
            hint=f"https://{url.netloc}{url.path}",
        )
    return f"{url.scheme}://{url.netloc.lower()}{url.path.rstrip('/')}"


def split_url(text: str) -> SplitResult | None:
    """Return the parts of a URL; None for what is none, or holds what a URL must escape."""
    if not (text.isascii() and text.isprintable()) or any(character in text for character in ' \\"<>'):
        return None
    try:
        url = urlsplit(text)
        usable = url.port is None or url.port > 0
    except ValueError:
        return None
    return url if usable else None


def server_of(url: str) -> str:
    """Return scheme, host and port of a URL, for messages: the rest of it may be secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def origin(url: SplitResult) -> tuple[str, str | None, int | None]:
    """Return scheme, host and port: what a token is for (RFC 6454)."""
    return url.scheme, url.hostname, url.port or _PORTS.get(url.scheme)


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine, whoever may answer for its name."""
    from ipaddress import ip_address

    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
