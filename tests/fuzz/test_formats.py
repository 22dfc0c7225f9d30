import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.support.requirements import require

pytestmark = pytest.mark.process


def test_no_mutation_of_a_format_crashes_its_parser(tmp_path: Path) -> None:
    """A bounded run of the fuzzer over the proof formats finds nothing but the refusals that they promise."""
    require(find_spec("atheris") is not None, "atheris")
    command = [sys.executable, "-m", "tests.fuzz.formats", str(tmp_path), "-runs=20000", "-seed=1", "-max_len=4096"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)

    assert done.returncode == 0, done.stderr[-4000:]
    assert "Done 20000 runs" in done.stderr
