"""What came of what an audit entry tells of."""

from enum import StrEnum

from supportaccess.domain.audit import Activity


class Outcome(StrEnum):
    """Whether it was done, failed, or was refused to somebody who may not."""

    SUCCESS = "success"
    FAILURE = "failure"
    DENIED = "denied"


_OTHERS = {Activity.ATTEMPT_FAILED: Outcome.FAILURE, Activity.ACCESS_DENIED: Outcome.DENIED}
"""The activities that tell of what was not done. All others are written only together with what they tell of."""


def outcome_of(activity: Activity) -> Outcome:
    """Return what came of an activity."""
    return _OTHERS.get(activity, Outcome.SUCCESS)


def activities_with(outcome: Outcome) -> frozenset[Activity]:
    """Return the activities with that outcome."""
    return frozenset(activity for activity in Activity if outcome_of(activity) is outcome)
