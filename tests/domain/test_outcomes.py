"""What came of what an entry tells of."""

from supportaccess.domain.audit import Activity, Outcome, activities_with, outcome_of


def test_what_was_not_done_is_no_success() -> None:
    """An activity whose name tells of a refusal or a failure is not among the successes; every other one is."""
    telling = ("denied", "refused", "failed")
    not_done = {activity for activity in Activity if any(word in activity.lower() for word in telling)}

    assert activities_with(Outcome.SUCCESS) == set(Activity) - not_done
    assert all(outcome_of(activity) is not Outcome.SUCCESS for activity in not_done)
