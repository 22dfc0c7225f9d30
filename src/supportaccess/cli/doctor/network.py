"""Checks of the way to a shared store: which proxy, the host's name, and its certificate. Nothing secret is sent."""

import ssl
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.client import HTTPException, HTTPSConnection
from socket import gaierror, getaddrinfo
from urllib.parse import SplitResult, unquote, urlsplit

import urllib3

from supportaccess.cli.app.context import Context
from supportaccess.cli.doctor.checks import Check, failed, passed, refused, skipped
from supportaccess.cli.output.times import local_time
from supportaccess.errors import SupportAccessError
from supportaccess.http.endpoints import is_loopback
from supportaccess.http.failures import PROXY_HINT, failure_of
from supportaccess.http.proxies import proxy_for
from supportaccess.http.trust import VARIABLES, tls_context

_SECONDS = 5.0
_SOON = timedelta(days=7)
_ENDPOINT = "The endpoint is in the tenant's profile: supportaccess tenant set TENANT --endpoint URL"


class Way:
    """The way to an endpoint, as a command would take it."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.url = urlsplit(endpoint)
        self.host = self.url.hostname or ""
        self.is_local = is_loopback(self.host)
        proxy = proxy_for(self.host)
        self.proxy: SplitResult | None = None if proxy is None else urlsplit(proxy)


def proxy_check(way: Way) -> Check:
    """Tell which proxy is used, never with its password."""
    if way.proxy is None:
        why = "the store is on this machine" if way.is_local else "none is set for it"
        return passed("proxy", f"{way.host} is asked directly: {why}")
    try:
        where, port = way.proxy.hostname, way.proxy.port
    except ValueError:
        where, port = None, None
    if where is None or way.proxy.scheme not in {"http", "https"}:
        return failed("proxy", "what the environment names as the proxy is no http or https URL", PROXY_HINT)
    named = f"{way.proxy.scheme}://{where}" + (f":{port}" if port else "")
    signed_in = ", with a name and a password" if way.proxy.username is not None else ""
    return passed("proxy", f"{way.host} is asked through {named}{signed_in}")


def name_check(way: Way) -> Check:
    """Look the host's name up."""
    if way.proxy is not None:
        return skipped("name", f"{way.host} is looked up by the proxy")
    try:
        found = getaddrinfo(way.host, way.url.port or 443)
    except (gaierror, UnicodeError) as error:
        why = error.strerror if isinstance(error, gaierror) else "it is no name of a host"
        return failed("name", f"{way.host} cannot be looked up: {why}", _ENDPOINT)
    addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
    return passed("name", f"{way.host} is {', '.join(addresses[:3])}")


def tls_checks(way: Way, context: Context) -> list[Check]:
    """Look at the certificate: whether it is trusted, by what, and until when it is good."""
    if way.url.scheme != "https":
        return [skipped("TLS", "http, which is taken for this machine alone")]
    if way.proxy is not None and way.proxy.scheme != "http":
        return [skipped("TLS", "it cannot be looked at through a proxy that is itself asked over TLS")]
    try:
        certificate = _certificate(way)
    except SupportAccessError as error:
        return [refused("TLS", error)]
    except ssl.SSLError as error:
        return [refused("TLS", failure_of(urllib3.exceptions.SSLError(error), way.endpoint).error)]
    except (OSError, HTTPException) as error:
        return [_unreached(way, error)]
    trusted = passed("TLS", f"the certificate is trusted by {trusted_by(context.environment)}")
    return [trusted, _end_of(certificate, context.clock())]


def trusted_by(environment: Mapping[str, str]) -> str:
    """Return what says which certificates are trusted."""
    named = (f"{variable} ({environment[variable]})" for variable in VARIABLES if environment.get(variable))
    return next(named, "the system's store")


def _unreached(way: Way, error: OSError | HTTPException) -> Check:
    why = error.strerror if isinstance(error, OSError) and error.strerror else "no connection"
    if way.proxy is None:
        return failed("TLS", f"{way.host} cannot be reached: {why}", "Is this machine online? Does the store run?")
    why = _status_of(error) or why
    return failed("TLS", f"the proxy does not let through to {way.host}: {why}", PROXY_HINT)


def _end_of(certificate: Mapping[str, object], now: datetime) -> Check:
    """Tell until when it is good: those that are renewed by themselves are, long before a tenth is left of them."""
    begin, end = (_moment(certificate.get(name)) for name in ("notBefore", "notAfter"))
    if begin is None or end is None:
        return skipped("certificate", "this system does not say until when it is good")
    message = f"good until {local_time(end)}"
    if end - now < min(_SOON, (end - begin) / 10):
        return failed("certificate", f"{message}, and not renewed yet", "Ask who runs the store to renew it.")
    return passed("certificate", message)


def _moment(text: object) -> datetime | None:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC) if isinstance(text, str) else None


def _certificate(way: Way) -> Mapping[str, object]:
    """Shake hands with the endpoint and return its certificate. Raises OSError, ssl.SSLError, HTTPException."""
    host, port = way.host, way.url.port or 443
    if way.proxy is None:
        connection = HTTPSConnection(host, port, timeout=_SECONDS, context=tls_context())
    else:
        connection = HTTPSConnection(
            way.proxy.hostname or "", way.proxy.port or 80, timeout=_SECONDS, context=tls_context()
        )
        connection.set_tunnel(host, port, _credentials(way.proxy))
    with closing(connection):
        connection.connect()
        return connection.sock.getpeercert() or {}


def _credentials(proxy: SplitResult) -> Mapping[str, str]:
    if proxy.username is None:
        return {}
    both = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {name.title(): value for name, value in urllib3.util.make_headers(proxy_basic_auth=both).items()}


def _status_of(error: Exception) -> str | None:
    """Return the status with which a proxy refused, from http.client's words: nothing of the proxy's own."""
    words = str(error).split()
    return next((f"status {word}" for word in words if word.isdigit() and len(word) == 3), None)
