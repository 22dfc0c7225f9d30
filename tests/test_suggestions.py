"""What is suggested for a name that nobody knows."""

import pytest

from supportaccess.suggestions import meant, nearest

NAMES = ["approved", "Request approved", "createdAt", "sweep_seconds"]


@pytest.mark.parametrize(
    ("typed", "near"),
    [("aproved", "approved"), (" APPROVED ", "approved"), ("createdat", "createdAt"), ("pending", None), ("", None)],
)
def test_the_nearest_name(typed: str, near: str | None) -> None:
    """Capitals and blanks around it are no matter; what is not near is not suggested."""
    assert nearest(typed, NAMES) == near


def test_how_near_is_near() -> None:
    """Half a name is near where that is said to be enough; with 1 only the same name is."""
    assert nearest("sweep", NAMES) is None
    assert nearest("sweep", NAMES, likeness=0.5) == "sweep_seconds"
    assert nearest("aproved", NAMES, likeness=1) is None


def test_names_that_differ_in_nothing_that_counts() -> None:
    """What is the same by its key is the same name, and the first of several is meant."""
    assert (
        nearest("created_at", ["createdAt", "CREATED-AT"], key=lambda name: name.lower().replace("_", ""))
        == "createdAt"
    )


def test_a_name_of_several_words_is_quoted() -> None:
    """So that one sees where it ends."""
    assert meant("request aproved", NAMES) == "; did you mean 'Request approved'?"
    assert meant("aproved", NAMES) == "; did you mean approved?"
    assert meant("zzz", NAMES) == ""
