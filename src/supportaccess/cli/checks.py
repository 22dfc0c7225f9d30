"""What the doctor's checks have in common."""

from collections.abc import Callable
from enum import StrEnum

from supportaccess.domain.errors import NotSignedIn, SupportAccessError
from supportaccess.domain.records import Struct


class Result(StrEnum):
    """How a check went."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


class Check(Struct, frozen=True, kw_only=True):
    """One check of the doctor: what was looked at, how it went, and what mends it."""

    name: str
    result: Result
    message: str
    mend: str | None = None


def passed(name: str, message: str) -> Check:
    """Return a check that passed."""
    return Check(name=name, result=Result.PASSED, message=message)


def skipped(name: str, message: str) -> Check:
    """Return a check that was not made, and why."""
    return Check(name=name, result=Result.SKIPPED, message=message)


def tried(name: str, check: Callable[[], Check]) -> Check:
    """Make a check. What is refused is a failed one; without a sign-in there is nothing to check."""
    try:
        return check()
    except SupportAccessError as error:
        result = Result.SKIPPED if isinstance(error, NotSignedIn) else Result.FAILED
        mend = error.hint and error.hint.replace("\n", " ")
        return Check(name=name, result=result, message=error.message, mend=mend)
