"""What `audit lint` finds: codes and severities are a contract."""

from datetime import datetime
from enum import StrEnum

from supportaccess.structs import Struct


class Severity(StrEnum):
    """How much a finding should worry somebody."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def rank(self) -> int:
        """Its place among the severities, the worst first."""
        return list(Severity).index(self)


class Code(StrEnum):
    """The name of a rule, for good."""

    SUPPORT_REQUEST_CLOSED = "SA001"
    NO_TIME_LIMIT = "SA002"
    OPEN_FOR_LONG = "SA003"
    NEVER_CONFIRMED = "SA004"
    APPROVER_MAY_NO_LONGER = "SA005"
    DECIDED_BY_REQUESTER = "SA006"
    DEADLINE_PASSED = "SA007"
    MIRROR_DISAGREES = "SA008"


MEANINGS = {
    Code.SUPPORT_REQUEST_CLOSED: (Severity.HIGH, "access is open although its support request is closed"),
    Code.NO_TIME_LIMIT: (Severity.MEDIUM, "access is open without a time limit"),
    Code.OPEN_FOR_LONG: (Severity.MEDIUM, "access has been open for longer than --older-than"),
    Code.NEVER_CONFIRMED: (Severity.MEDIUM, "access is open that no mirror of the provider's record confirms"),
    Code.APPROVER_MAY_NO_LONGER: (Severity.HIGH, "access is open that somebody approved who may no longer decide"),
    Code.DECIDED_BY_REQUESTER: (Severity.HIGH, "access was approved by the one who asked for it"),
    Code.DEADLINE_PASSED: (Severity.LOW, "a request passed its deadline without a decision"),
    Code.MIRROR_DISAGREES: (Severity.HIGH, "the provider's record says otherwise than what was decided here"),
}
"""Of each rule how severe it is, and what it finds."""


class LintFinding(Struct, frozen=True, kw_only=True):
    """One thing that should worry somebody. `since` is when it began, `command` what mends it.

    `silenced` is the reason for which somebody chose not to be told.
    """

    code: Code
    severity: Severity
    tenant_id: str
    access_request_id: str
    support_request_id: str | None = None
    message: str
    command: str
    since: datetime | None = None
    silenced: str | None = None


class Skipped(Struct, frozen=True, kw_only=True):
    """A rule that was not applied, and why."""

    code: Code
    reason: str
