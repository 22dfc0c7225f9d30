"""From what was refused to the answer that says so.

Beside the domain's errors there are the protocol's own, which are about the HTTP request alone. Every one has a code,
which is a contract, and a status. What went wrong inside the server is logged, and its answer says nothing of it.
"""

import math
from collections.abc import Sequence
from http import HTTPStatus

import msgspec

from supportaccess.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    NotSignedIn,
    OutcomeUnknown,
    ProofRequired,
    StoreFull,
    StoreUnavailable,
    SupportAccessError,
)
from supportaccess.server.identity.refusals import Reason, TokenRefused
from supportaccess.server.web.replies import Headers, Reply
from supportaccess.store.wire import (
    ERROR_CODE_HEADER,
    INSUFFICIENT_CLAIMS,
    RESOURCE_TENANT_TOKEN_REQUIRED,
    Error,
    ErrorBody,
    InnerError,
)

RETRY_SECONDS = 2
"""When to try again after a 503: most of what makes a store unavailable passes sooner or takes much longer."""


class BadInput(InvalidInput):
    """A part of the request is not one that can be taken. `target` names the parameter, header or member."""

    def __init__(self, message: str, *, target: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.target = target


class NoToken(NotSignedIn):
    """There is no token at all, or nothing that looks like one."""


class SignInAgain(NotSignedIn):
    """A new sign-in would put into the token what it lacks. `challenge` is the header that asks for it.

    `resource_tenant_id` is there when it is about the token of another tenant.
    """

    reason = Reason.AUTH_CONTEXT

    def __init__(self, message: str, *, challenge: str, resource_tenant_id: str | None, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.challenge = challenge
        self.resource_tenant_id = resource_tenant_id


class LacksClaims(Forbidden):
    """The same, of a token whose client did not declare that it can be asked."""

    reason = Reason.AUTH_CONTEXT

    def __init__(self, message: str, *, resource_tenant_id: str | None, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.resource_tenant_id = resource_tenant_id


class PreconditionRequired(SupportAccessError):
    """A decision came without saying what it is about (RFC 6585, section 3)."""

    code = "PreconditionRequired"


class TooManyRequests(SupportAccessError):
    """A limit is used up, for so many seconds."""

    code = "TooManyRequests"

    def __init__(self, message: str, *, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class MethodNotAllowed(SupportAccessError):
    """The path is there, the method is not. `allowed` are those that are."""

    code = "MethodNotAllowed"

    def __init__(self, message: str, *, allowed: str) -> None:
        super().__init__(message)
        self.allowed = allowed


class PayloadTooLarge(SupportAccessError):
    """The body is larger than is taken."""

    code = "PayloadTooLarge"


class RequestTimeout(SupportAccessError):
    """The body did not arrive in time."""

    code = "RequestTimeout"


class UriTooLong(SupportAccessError):
    """The path and query are longer than is taken."""

    code = "UriTooLong"


class UnsupportedMediaType(SupportAccessError):
    """The body is of a kind, or packed in a way, that is not taken."""

    code = "UnsupportedMediaType"


class NotReady(SupportAccessError):
    """Requests cannot be served now: parts of what they need are missing."""

    code = "NotReady"

    def __init__(self, parts: Sequence[str]) -> None:
        super().__init__(f"not ready: {', '.join(parts)}; the server's log says why")
        self.parts = parts


STATUSES = {
    "InvalidInput": HTTPStatus.BAD_REQUEST,
    "NotSignedIn": HTTPStatus.UNAUTHORIZED,
    "Forbidden": HTTPStatus.FORBIDDEN,
    "NotFound": HTTPStatus.NOT_FOUND,
    "MethodNotAllowed": HTTPStatus.METHOD_NOT_ALLOWED,
    "RequestTimeout": HTTPStatus.REQUEST_TIMEOUT,
    "Conflict": HTTPStatus.CONFLICT,
    "DecidedElsewhere": HTTPStatus.CONFLICT,
    "Stale": HTTPStatus.PRECONDITION_FAILED,
    "PayloadTooLarge": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "UriTooLong": HTTPStatus.REQUEST_URI_TOO_LONG,
    "UnsupportedMediaType": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "IdempotencyKeyReused": HTTPStatus.UNPROCESSABLE_ENTITY,
    "PreconditionRequired": HTTPStatus.PRECONDITION_REQUIRED,
    "TooManyRequests": HTTPStatus.TOO_MANY_REQUESTS,
    "StoreRefused": HTTPStatus.INTERNAL_SERVER_ERROR,
    "Failed": HTTPStatus.INTERNAL_SERVER_ERROR,
    "NotReady": HTTPStatus.SERVICE_UNAVAILABLE,
    "StoreUnavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "OutcomeUnknown": HTTPStatus.SERVICE_UNAVAILABLE,
    "StoreFull": HTTPStatus.INSUFFICIENT_STORAGE,  # not 503, after which a client would ask and ask
}
"""The status of every code that the API answers with."""

_FAILED = "the server failed; its log says why, under this request ID"
_UNAVAILABLE = "the store did not answer; nothing was changed"
_FULL = "the store cannot take changes: its disk is full; nothing was changed"
_MAKE_ROOM = "Tell the store's operator, who has to make room; then do the same again. Reading goes on."
_OUTCOME_UNKNOWN = "the store may or may not have done it"
_ASK_AGAIN = "Send the same request with the same Idempotency-Key: it tells what happened."


def reply_to(error: Exception, request_id: str) -> Reply:
    """Return the answer to a request that was refused, or at which the server failed."""
    told = _told(error)
    status = STATUSES[told.code]
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        told = Error(code=told.code, message=f"{_FAILED}: {request_id}")
    body = msgspec.json.encode(ErrorBody(error=told))
    return Reply(body, status=status, headers=[(ERROR_CODE_HEADER, told.code), *_headers(error)])


def nothing_at(path: str) -> NotFound:
    """Return what is said where there is no route."""
    return NotFound(
        f"there is nothing at {path}",
        hint="docs/rest.md has what there is. A store's endpoint is its URL, without a path.",
    )


def is_failure(error: Exception) -> bool:
    """Tell whether the server itself is what went wrong, so that somebody should look into its log."""
    return STATUSES[code_of(error)] >= HTTPStatus.INTERNAL_SERVER_ERROR and not isinstance(error, NotReady)


def code_of(error: Exception) -> str:
    """Return the code that an error is answered with."""
    code = error.code if isinstance(error, SupportAccessError) else SupportAccessError.code
    return code if code in STATUSES else SupportAccessError.code


def reason_of(error: Exception) -> str | None:
    """Return why a token was refused, from the closed list of reasons; None for any other refusal."""
    return error.reason if isinstance(error, TokenRefused | SignInAgain | LacksClaims) else None


def _told(error: Exception) -> Error:
    code = code_of(error)
    match error:
        case OutcomeUnknown():
            return Error(code=code, message=_OUTCOME_UNKNOWN, hint=_ASK_AGAIN)
        case StoreUnavailable():
            return Error(code=code, message=_UNAVAILABLE)
        case StoreFull():
            return Error(code=code, message=_FULL, hint=_MAKE_ROOM)
        case ProofRequired() | SignInAgain() | LacksClaims():
            closer = RESOURCE_TENANT_TOKEN_REQUIRED if isinstance(error, ProofRequired) else INSUFFICIENT_CLAIMS
            return Error(
                code=code,
                message=error.message,
                hint=error.hint,
                innererror=InnerError(code=closer),
                resource_tenant_id=error.resource_tenant_id,
            )
        case Conflict():
            return Error(code=code, message=error.message, hint=error.hint, current_status=error.current_status)
        case BadInput():
            return Error(code=code, message=error.message, hint=error.hint, target=error.target)
        case SupportAccessError():
            return Error(code=code, message=error.message, hint=error.hint)
        case _:
            return Error(code=code, message=_FAILED)


def _headers(error: Exception) -> Headers:
    match error:
        case NoToken():
            return [("www-authenticate", "Bearer")]
        case SignInAgain():
            return [("www-authenticate", error.challenge)]
        case NotSignedIn():
            return [("www-authenticate", 'Bearer error="invalid_token"')]
        case MethodNotAllowed():
            return [("allow", error.allowed)]
        case TooManyRequests():
            return [("retry-after", str(max(1, math.ceil(error.seconds))))]
        case StoreUnavailable() | NotReady():
            return [("retry-after", str(RETRY_SECONDS))]
        case RequestTimeout():
            return [("connection", "close")]
        case _:
            return []
