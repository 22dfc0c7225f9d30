"""Other processes that use a store."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[2]
SECONDS = 120

_PRELUDE = """
import os, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from supportaccess.errors import *
from supportaccess.domain.expiry import Limit
from supportaccess.store.sql.sqlite.open import open_embedded
from supportaccess.store.protocol import *
from supportaccess.store.sql.store import SqlStore
from tests.support.people import *
"""


def python(script: str, *arguments: object, before: Iterable[str] = ()) -> list[str]:
    """Return the command that runs a script, with the names of a store at hand and `store_at(path)`."""
    opened = "def store_at(path):\n    return SqlStore(open_embedded(Path(path)), caller())\n"
    code = _PRELUDE.format(root=str(ROOT)) + opened + dedent(script)
    return [*before, sys.executable, "-c", code, *map(str, arguments)]


def run(script: str, *arguments: object, before: Iterable[str] = (), check: bool = True) -> str:
    """Run a script to its end and return what it printed."""
    done = subprocess.run(
        python(script, *arguments, before=before), capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert not check or done.returncode == 0, done.stderr
    return done.stdout
