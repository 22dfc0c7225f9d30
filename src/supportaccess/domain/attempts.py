"""What was tried and not done, and who read the audit log: entries of the log too, as long as they are not too many.

Each tenant's log has what its own callers tried in its view. Nothing here looks at what the store holds: an ID that is
another tenant's and one that is nobody's are told alike.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from supportaccess.domain.audit import Activity, Step
from supportaccess.domain.permissions import Caller
from supportaccess.domain.records import Actor
from supportaccess.domain.tenants import is_guid
from supportaccess.domain.text import LONGEST_REASON, check_support_request_id, check_text
from supportaccess.domain.times import format_rfc3339
from supportaccess.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    NotSignedIn,
    ProofRequired,
    StoreRefused,
    StoreUnavailable,
    SupportAccessError,
    UnreadableExport,
    VerificationFailed,
)

WINDOW = timedelta(hours=1)
"""For how long a caller's entries of one activity are counted together, from the first of them on."""

MOST = {Activity.ACCESS_DENIED: 20, Activity.ATTEMPT_FAILED: 20, Activity.LOG_READ: 1}
"""How many entries of one activity one caller gets in one tenant's log within a window; further ones are counted."""


class Act(StrEnum):
    """What can be tried at a store, as `details.operation` has it."""

    LIST = "list"
    COUNT = "count"
    FIND = "find"
    GET = "get"
    HISTORY = "history"
    SOURCE_EVENTS = "sourceEvents"
    EVENTS = "events"
    RAISE = "raise"
    APPROVE = "approve"
    REJECT = "reject"
    REVOKE = "revoke"
    WITHDRAW = "withdraw"
    CLOSE = "close"
    IMPORT = "import"
    READ_LOG = "auditLog"
    COUNT_LOG = "auditCount"
    HEAD = "checkpoint"
    RECEIPT = "receipt"
    TILE = "tile"
    BUNDLE = "bundle"
    VERIFY = "verify"


CHANGES = frozenset({Act.RAISE, Act.APPROVE, Act.REJECT, Act.REVOKE, Act.WITHDRAW, Act.CLOSE, Act.IMPORT})
"""What would change something. Of all else it is told only when somebody may not."""

_NO_REFUSAL = (NotSignedIn, UnreadableExport, StoreUnavailable, StoreRefused, VerificationFailed)
"""Nobody known, nothing tried yet, or the store's own troubles."""


def refused(
    caller: Caller,
    act: Act,
    error: Exception,
    at: datetime,
    *,
    access_request_id: str | None = None,
    support_request_id: str | None = None,
    reason: str | None = None,
) -> Step | None:
    """Return the entry of an act that was refused, at a moment (UTC); None for what is no refusal of the caller.

    What was named and given as a reason is kept where it is what a record could hold. That a proof for another tenant
    is asked for is no refusal: a client sends it when asked.
    """
    if not isinstance(error, SupportAccessError) or isinstance(error, (*_NO_REFUSAL, ProofRequired)):
        return None
    denied = isinstance(error, Forbidden)
    if not denied and act not in CHANGES:
        return None
    details: dict[str, str | int] = {"operation": act.value, "error": error.code}
    if isinstance(error, Conflict) and error.current_status is not None:
        details["currentStatus"] = str(error.current_status)
    return Step(
        tenant_id=caller.tenant_id,
        activity=Activity.ACCESS_DENIED if denied else Activity.ATTEMPT_FAILED,
        actor=caller.actor,
        at=at,
        access_request_id=access_request_id.lower() if access_request_id and is_guid(access_request_id) else None,
        support_request_id=_support_request_id(support_request_id),
        reason=_reason(reason),
        details=details,
    )


def reading(caller: Caller, at: datetime) -> Step:
    """Return the entry of a caller who reads the log of their tenant."""
    return Step(tenant_id=caller.tenant_id, activity=Activity.LOG_READ, actor=caller.actor, at=at)


def only_counted(tenant_id: str, activity: Activity, actor: Actor, at: datetime, since: datetime, count: int) -> Step:
    """Return the entry of what was only counted in a window that began at a moment and is over."""
    told = counted({}, since, count)
    return Step(tenant_id=tenant_id, activity=activity, actor=actor, at=at, details=told)


def counted(details: Mapping[str, str | int] | None, since: datetime, count: int) -> Mapping[str, str | int] | None:
    """Return an entry's details with how many others there were in an earlier window, where there were any."""
    if not count:
        return details
    return {**(details or {}), "notLogged": count, "notLoggedSince": format_rfc3339(since)}


def _support_request_id(text: str | None) -> str | None:
    try:
        return None if text is None else check_support_request_id(text)
    except InvalidInput:
        return None


def _reason(text: str | None) -> str | None:
    try:
        return None if text is None else check_text("the reason", text, LONGEST_REASON)
    except InvalidInput:
        return None
