"""The program as it is installed, for tests that start it as a process."""

import sys
from pathlib import Path

from tests.support.rings import needs


def installed_program() -> str:
    """Return its path. A process costs forty times a command within the test's own, so the ring core has none."""
    needs("process")
    return str(Path(sys.executable).parent / "supportaccess")
