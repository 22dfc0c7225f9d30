"""Attempts that brought no answer: why, whether another may, and whether the server may have acted on it."""

import errno
import os
import re
import ssl
from datetime import UTC, datetime
from enum import StrEnum
from math import ceil
from socket import gaierror

from urllib3 import exceptions

from supportaccess.errors import StoreUnavailable, SupportAccessError

_MISMATCHES = {62, 64}
"""X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH of OpenSSL."""
_NO_TLS_THERE = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE"}
_STATUS_OF_PROXY = r"Tunnel connection failed: (\d{3})"
_LONGEST_WAIT = 10**6

_REACH = "Is this machine online, and the endpoint right? supportaccess doctor"
_ENDPOINT = "The endpoint is in the tenant's profile: supportaccess tenant set TENANT --endpoint URL"
PROXY_HINT = "The proxy is set by HTTPS_PROXY or the system's settings; NO_PROXY names hosts that need none."


class Reason(StrEnum):
    """What kept an answer from coming: a closed list, for logs."""

    NO_SUCH_HOST = "noSuchHost"
    LOOK_UP_TOO_SLOW = "lookUpTooSlow"
    UNREACHABLE = "unreachable"
    PROXY = "proxy"
    TLS = "tls"
    CONNECTION = "connection"
    TOO_SLOW = "tooSlow"
    TOO_LARGE = "tooLarge"
    REFUSED = "refused"


class Failure(Exception):
    """An attempt that failed: with the error to tell if it was the last one.

    `again`: another attempt may fare better. `in_doubt`: what was asked may have been done. `wait`: seconds that the
    server wants to be left alone. `reason` is REFUSED where there was an answer.
    """

    def __init__(
        self,
        error: SupportAccessError,
        *,
        again: bool,
        in_doubt: bool,
        wait: float = 0,
        reason: Reason = Reason.REFUSED,
    ) -> None:
        super().__init__(error.message)
        self.error = error
        self.again = again
        self.in_doubt = in_doubt
        self.wait = wait
        self.reason = reason


def failure_of(error: Exception, endpoint: str) -> Failure:
    """Return what an exception of urllib3, or of a look-up, means to whoever asked the endpoint."""
    match error:
        case exceptions.SSLError():
            return _tls_failed(error, endpoint)
        case exceptions.ProxyError():
            return _proxy_failed(error, endpoint)
        case exceptions.NameResolutionError() | gaierror() | UnicodeError():
            message = f"{endpoint}: there is no such host"
            return _unsent(Reason.NO_SUCH_HOST, message, hint=_ENDPOINT, again=False)
        case TimeoutError():
            return _unsent(Reason.LOOK_UP_TOO_SLOW, f"{endpoint} was not looked up in time", hint=_REACH)
        case exceptions.NewConnectionError():  # before the next one, which it is a kind of
            return _unsent(Reason.UNREACHABLE, f"{endpoint} cannot be reached: {_why(error)}", hint=_REACH)
        case exceptions.ConnectTimeoutError():
            return _unsent(Reason.UNREACHABLE, f"{endpoint} cannot be reached: no connection in time", hint=_REACH)
        case exceptions.ReadTimeoutError():
            return _lost(Reason.TOO_SLOW, f"{endpoint} did not answer in time")
        case exceptions.ProtocolError(args=(_, TimeoutError())):
            return _lost(Reason.TOO_SLOW, f"{endpoint} did not take the request in time")
        case exceptions.ProtocolError():
            why = ", as one that takes https alone does" if endpoint.startswith("http:") else ""
            return _lost(Reason.CONNECTION, f"{endpoint} broke off the connection{why}")
        case _:
            message = f"{endpoint} cannot be asked: {error}"
            return _unsent(Reason.CONNECTION, message, hint=_ENDPOINT, again=False)


def retry_after(text: str) -> int:
    """Return the seconds that a Retry-After header asks for, as a number or until a date; 0 for what is neither.

    At most 11 days. Source: RFC 9110, section 10.2.3.
    """
    if text.isascii() and text.isdigit() and len(text) < 10:
        return min(int(text), _LONGEST_WAIT)
    from email.utils import parsedate_to_datetime

    try:
        seconds = (parsedate_to_datetime(text).astimezone(UTC) - datetime.now(UTC)).total_seconds()
    except (ValueError, OverflowError):
        return 0
    return min(max(0, ceil(seconds)), _LONGEST_WAIT)


def _lost(reason: Reason, message: str, *, again: bool = True) -> Failure:
    """Return the failure of a request that was sent and not, or not wholly, answered."""
    error = StoreUnavailable(message, hint="Try again; supportaccess doctor")
    return Failure(error, again=again, in_doubt=True, reason=reason)


def _unsent(reason: Reason, message: str, *, hint: str, again: bool = True) -> Failure:
    return Failure(StoreUnavailable(message, hint=hint), again=again, in_doubt=False, reason=reason)


def _tls_failed(error: exceptions.SSLError, endpoint: str) -> Failure:
    cause = error.args[0] if error.args else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        wrong_name = cause.verify_code in _MISMATCHES
        why = "it is for another name" if wrong_name else cause.verify_message
        hint = _ENDPOINT if wrong_name else (
            "Check this machine's clock. For a certificate of your organisation's own authority, add that to the "
            "system's store, or name its PEM file in SSL_CERT_FILE."
        )  # fmt: skip
        return _unsent(Reason.TLS, f"{endpoint} has a certificate that is not trusted: {why}", hint=hint, again=False)
    reason = getattr(cause, "reason", None)
    if reason in _NO_TLS_THERE:
        return _unsent(Reason.TLS, f"{endpoint} does not speak TLS at that port", hint=_ENDPOINT, again=False)
    if isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return _lost(Reason.TLS, f"{endpoint} broke off the connection")
    return _lost(Reason.TLS, f"TLS with {endpoint} failed: {reason or cause}", again=False)


def _proxy_failed(error: exceptions.ProxyError, endpoint: str) -> Failure:
    told = re.search(_STATUS_OF_PROXY, str(error.original_error))
    hint, again = PROXY_HINT, False
    if told is None:
        message = f"the proxy for {endpoint} cannot be used: {_why(error.original_error)}"
    elif told[1] == "407":
        message = f"the proxy for {endpoint} wants a name and a password (407)"
        hint = "Set HTTPS_PROXY=http://NAME:PASSWORD@HOST:PORT."
    else:
        message, again = f"the proxy did not let through to {endpoint} ({told[1]})", told[1] >= "500"
    return _unsent(Reason.PROXY, message, hint=hint, again=again)


def _why(error: BaseException) -> str:
    """Return the system's words for why a connection failed."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno is not None and cause.errno in errno.errorcode:
            return os.strerror(cause.errno)
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__
