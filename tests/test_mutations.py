"""The mutations of tests/mutations still fit what they are to break."""

import shutil
from collections import Counter

from tests.mutations.__main__ import FOLDERS, ROOT, git_apply, mutations
from tests.support.requirements import require


def test_every_mutation_applies() -> None:
    """Each patch fits the source as it is now: one that does not would break nothing, and be killed by nothing."""
    require(shutil.which("git"), "git")
    assert {each.name: said for each in mutations() if (said := git_apply(each, ROOT, "--check"))} == {}


def test_mutations_are_spread() -> None:
    """Ten are of rules and what these stand on, ten of the store, ten of commands; ten only a real process shows."""
    found = mutations()
    spread = Counter(each.folder for each in found)
    assert set(spread) == set(FOLDERS)
    assert (spread["store"], spread["cli"], spread.total()) == (10, 10, 30)
    assert sum(each.needs_process for each in found) == 10
    assert all(f"b/src/supportaccess/{each.folder}/" in each.path.read_text() for each in found)
