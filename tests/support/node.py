"""The Node.js packages of the tests."""

import hashlib
import shutil
import subprocess
from pathlib import Path

from filelock import FileLock
from tests.support.requirements import require


def install(folder: Path) -> None:
    """Install what a lockfile says, unless that was done before. Several test processes may come here at once."""
    require(_is_new_enough() and shutil.which("npm"), "Node.js 20.16 or newer with npm on the PATH")
    locked = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    modules = folder / "node_modules"
    stamp = modules / ".installed"
    with FileLock(folder / ".install.lock"):
        if stamp.exists() and stamp.read_text() == locked:
            return
        done = subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        require(done.returncode == 0, f"the npm registry: npm ci failed with {done.stderr[-500:]}")
        stamp.write_text(locked)


def _is_new_enough() -> bool:
    """Tell whether Node.js has what oidc-provider 9 calls."""
    if shutil.which("node") is None:
        return False
    return subprocess.run(["node", "-e", "process.exit(URL.parse ? 0 : 1)"], check=False).returncode == 0
