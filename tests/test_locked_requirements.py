"""The two files of exact versions: constraints.txt, and requirements-locked.txt with hashes."""

import re
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]


def pins(name: str) -> dict[str, str]:
    """Return the pins of a file, each with the hashes that follow it."""
    text = "".join(
        line for line in (ROOT / name).read_text("utf-8").splitlines(keepends=True) if not line.startswith("#")
    )
    lines = text.replace("\\\n", "").splitlines()
    return {pin.strip(): hashes for pin, _, hashes in (line.partition("--hash") for line in lines)}


def test_both_name_the_same_versions() -> None:
    """They name the same versions of the same distributions, for the same systems."""
    constraints, locked = pins("constraints.txt"), pins("requirements-locked.txt")

    assert len(constraints) > 50
    assert set(constraints) ^ set(locked) == set()


def test_all_are_exact() -> None:
    """Each line is one version of one distribution, and none is named twice."""
    requirements = [Requirement(pin) for pin in pins("requirements-locked.txt")]

    assert [each for each in requirements if [at.operator for at in each.specifier] != ["=="]] == []
    assert len({each.name for each in requirements}) == len(requirements)


def test_every_version_has_hashes() -> None:
    """Nothing is installed from the lock file that is not the file it was made with."""
    unhashed = [
        pin
        for pin, hashes in pins("requirements-locked.txt").items()
        if not re.fullmatch(r"=sha256:[0-9a-f]{64}( +--hash=sha256:[0-9a-f]{64})*", hashes)
    ]

    assert unhashed == []


def test_no_place_is_named() -> None:
    """Neither file says where to download from: that is the machine's own setting."""
    for name in ("constraints.txt", "requirements-locked.txt"):
        assert not re.search(r"://|--(extra-)?index-url|--find-links", (ROOT / name).read_text("utf-8"))
