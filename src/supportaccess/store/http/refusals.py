"""From an answer that is no success to the error that the embedded store would have raised.

What a server asks for in WWW-Authenticate (RFC 9110, section 11) is read too: above all a stronger sign-in.
"""

import json
import re
from base64 import b64decode

import msgspec

from supportaccess import errors
from supportaccess.http.failures import Failure, retry_after
from supportaccess.store.http.transport import Answer
from supportaccess.store.wire import REQUEST_ID_HEADER, Error, ErrorBody

OTHER_TENANT_NEEDED = "ResourceTenantTokenRequired"
"""The closer code of a Forbidden that a token of the resource tenant turns into a yes."""
TRY_AGAIN = frozenset({429, 502, 503, 504})
_LONGEST_TEXT = 2000
_LONGEST_ID = 128

_bodies = msgspec.json.Decoder(ErrorBody)


_BY_CODE: dict[str, type[errors.SupportAccessError]] = {
    kind.code: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.SupportAccessError) and "code" in vars(kind)
}
_BY_STATUS: dict[int, type[errors.SupportAccessError]] = {
    401: errors.NotSignedIn,
    403: errors.Forbidden,
    404: errors.NotFound,
    405: errors.StoreRefused,
    408: errors.StoreUnavailable,
    409: errors.Conflict,
    412: errors.Stale,
    415: errors.StoreRefused,
    422: errors.InvalidInput,
    428: errors.StoreRefused,
    429: errors.StoreUnavailable,
}
"""What a code means that this version does not know."""

_LONGEST = 16 * 1024
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_VALUE = r'(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s,"]+))'
_PART = re.compile(
    rf"[\s,]*(?:(?P<name>{_WORD})\s*=\s*{_VALUE}|(?P<scheme>{_WORD})(?=\s|,|$))",
    re.ASCII | re.DOTALL,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class ClaimsWanted(errors.NotSignedIn):
    """The server asks for a sign-in that meets `claims`: to its own tenant, or to `tenant_id`."""

    def __init__(self, message: str, *, claims: str, tenant_id: str | None, hint: str | None) -> None:
        super().__init__(message, hint=hint)
        self.claims = claims
        self.tenant_id = tenant_id


def told_by(answer: Answer) -> Error | None:
    """Return what the server says of its refusal; None when it was not a server of ours that answered."""
    try:
        return _bodies.decode(answer.body).error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def refusal_of(answer: Answer, endpoint: str) -> errors.SupportAccessError:
    """Return the error that an answer stands for, with the server's request ID."""
    told = told_by(answer)
    error = _not_ours(answer, endpoint) if told is None else _refusal(told, answer.status)
    if answer.status == 401 and (claims := _claims_wanted(answer)) is not None:
        tenant_id = told.resource_tenant_id if told is not None else None
        error = ClaimsWanted(error.message, claims=claims, tenant_id=tenant_id, hint=error.hint)
    error.request_id = answer.headers.get(REQUEST_ID_HEADER, "")[:_LONGEST_ID] or None
    return error


def _claims_wanted(answer: Answer) -> str | None:
    header = answer.headers.get("www-authenticate", "")
    if "insufficient_claims" not in header:
        return None
    from supportaccess.store.http.refusals import claims_wanted

    return claims_wanted(header)


def failure_by(answer: Answer, endpoint: str) -> Failure:
    """Return the failure that an answer is which may be another one soon."""
    error = refusal_of(answer, endpoint)
    # Our own server says when it does not know; whoever stands in between cannot know.
    sure = answer.status == 429 or (told_by(answer) is not None and not isinstance(error, errors.OutcomeUnknown))
    wait = retry_after(answer.headers.get("retry-after", ""))
    if wait:
        error.hint = f"It asks to be left alone for {wait} {'second' if wait == 1 else 'seconds'}; then try again."
    return Failure(error, again=answer.status in TRY_AGAIN, in_doubt=not sure, wait=wait)


def _refusal(told: Error, status: int) -> errors.SupportAccessError:
    kind = _BY_CODE.get(told.code) or _BY_STATUS.get(status)
    if kind is None:
        kind = errors.StoreUnavailable if status >= 500 else errors.InvalidInput
    message, hint = _line(told.message), told.hint and _line(told.hint)
    if told.innererror is not None and told.innererror.code == OTHER_TENANT_NEEDED:
        return errors.ProofRequired(message, resource_tenant_id=told.resource_tenant_id, hint=hint)
    if issubclass(kind, errors.Conflict):
        return kind(message, current_status=told.current_status, hint=hint)
    return kind(message, hint=hint)


def _not_ours(answer: Answer, endpoint: str) -> errors.SupportAccessError:
    if answer.status == 401:
        return errors.NotSignedIn(f"{endpoint} refused the sign-in (401)")
    hint = "The endpoint is in the tenant's profile: supportaccess tenant set TENANT --endpoint URL"
    if 300 <= answer.status < 400:
        where = _line(answer.headers.get("location", "nowhere"))
        message = f"{endpoint} redirects to {where}, and no redirect is followed with a token"
        return errors.StoreUnavailable(message, hint=hint)
    if answer.status in TRY_AGAIN:
        return errors.StoreUnavailable(f"{endpoint} is not available ({answer.status})", hint="Try again.")
    kind = _line(answer.headers.get("content-type", "nothing"))
    message = f"{endpoint} does not answer as a store does: status {answer.status}, {kind}"
    return errors.StoreUnavailable(message, hint=hint)


def _line(text: str) -> str:
    """Return the text as one line of sane length: it comes from elsewhere."""
    return " ".join(text.split())[:_LONGEST_TEXT]


def claims_wanted(header: str) -> str | None:
    """Return the claims, as JSON, that a server asks a new sign-in for; None when it does not.

    A header that is no list of challenges, or claims that are no JSON object, ask for nothing.
    """
    for scheme, parameters in _challenges(header[:_LONGEST]):
        if scheme == "bearer" and parameters.get("error") == "insufficient_claims":
            return _decoded(parameters.get("claims", ""))
    return None


def _challenges(header: str) -> list[tuple[str, dict[str, str]]]:
    found: list[tuple[str, dict[str, str]]] = []
    place = 0
    while (part := _PART.match(header, place)) is not None:
        place = part.end()
        if part["scheme"] is not None:
            found.append((part["scheme"].lower(), {}))
        elif found:
            value = part["plain"] if part["quoted"] is None else _ESCAPED.sub(r"\1", part["quoted"])
            found[-1][1].setdefault(part["name"].lower(), value)
    return found


def _decoded(text: str) -> str | None:
    """Return what is base64 in one of its two alphabets, padded or not: services differ."""
    plain = text.strip().replace("-", "+").replace("_", "/").rstrip("=")
    try:
        claims = b64decode(plain + "=" * (-len(plain) % 4), validate=True).decode()
        value = json.loads(claims)
    except (ValueError, RecursionError):
        return None
    return claims if isinstance(value, dict) else None
