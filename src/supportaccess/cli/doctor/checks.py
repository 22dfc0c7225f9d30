"""What the doctor's checks have in common."""

from collections.abc import Callable
from enum import StrEnum

from supportaccess.errors import NotSignedIn, SupportAccessError
from supportaccess.structs import Struct


class Result(StrEnum):
    """How a check went."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


class Check(Struct, frozen=True, kw_only=True):
    """One check of the doctor: what was looked at, how it went, and what mends it.

    `tenant_id` is the tenant it is about, where it is about one of several.
    """

    name: str
    result: Result
    message: str
    mend: str | None = None
    tenant_id: str | None = None


def passed(name: str, message: str) -> Check:
    """Return a check that passed."""
    return Check(name=name, result=Result.PASSED, message=message)


def failed(name: str, message: str, mend: str | None) -> Check:
    """Return a check that failed."""
    return Check(name=name, result=Result.FAILED, message=message, mend=mend and mend.replace("\n", " "))


def skipped(name: str, message: str, mend: str | None = None) -> Check:
    """Return a check that was not made, or has nothing to say, and why."""
    return Check(name=name, result=Result.SKIPPED, message=message, mend=mend and mend.replace("\n", " "))


def refused(name: str, error: SupportAccessError) -> Check:
    """Return a check that failed by a refusal."""
    return failed(name, error.message, error.hint)


def tried(name: str, check: Callable[[], Check]) -> Check:
    """Make a check. What is refused is a failed one; without a sign-in there is nothing to check."""
    try:
        return check()
    except NotSignedIn as error:
        return skipped(name, error.message, error.hint)
    except SupportAccessError as error:
        return refused(name, error)
