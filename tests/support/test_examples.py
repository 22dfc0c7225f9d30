"""The profiles of hypothesis: what they draw, and how often."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.examples import VARIABLE

ROOT = Path(__file__).parents[2]
OURS = 'LIMITS = (9_871_236_540, b"bytes of our own")\n'
PROGRAM = """
import tests.conftest
import ours
from hypothesis import given, strategies as st
from tests.support.examples import costly

numbers, strings = [], []

@given(st.binary())
def cheap(string):
    strings.append(string)

@costly(100)
@given(st.integers())
def expensive(number):
    numbers.append(number)

cheap()
expensive()
print(len(strings), len(numbers), strings, numbers)
"""


def drawn(folder: Path, profile: str, *, hash_seed: str = "0") -> tuple[int, int, str]:
    """Return how many examples a cheap and a costly test get in a process of its own, and all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ours.py").write_text(OURS)
    (folder / "program.py").write_text(PROGRAM)
    environment = {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": hash_seed, VARIABLE: profile}
    done = subprocess.run(
        [sys.executable, "program.py"],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    cheap, costly, examples = done.stdout.split(maxsplit=2)
    return int(cheap), int(costly), examples


@pytest.mark.parametrize(("profile", "costly"), [("quick", 25), ("thorough", 100)])
def test_examples_are_the_same_everywhere(tmp_path: Path, profile: str, costly: int) -> None:
    """Neither the path of a checkout nor the hash seed nor an earlier run changes what is drawn, or how often."""
    here = drawn(tmp_path / "clone", profile)
    there = drawn(tmp_path / "test" / "clone", profile, hash_seed="1")

    assert here == there
    assert here[:2] == (100, costly)


def test_long_explores(tmp_path: Path) -> None:
    """The long profile draws ten times as many, others each time, and keeps none beside the checkout."""
    first, second = drawn(tmp_path, "long"), drawn(tmp_path, "long")

    assert first[:2] == second[:2] == (1000, 1000)
    assert first[2] != second[2]
    assert not (tmp_path / ".hypothesis" / "examples").exists()
