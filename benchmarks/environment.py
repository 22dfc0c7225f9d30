"""The environment that measured programs run in: a user's, with nothing of the benchmark's own in it."""

import os
from pathlib import Path


def of_a_user(home: Path) -> dict[str, str]:
    """Return the variables of somebody whose home is in a folder: what would change Python's ways is left out."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"}
