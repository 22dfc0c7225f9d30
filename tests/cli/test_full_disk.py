"""A disk that fills up below the store."""

import shutil
import subprocess

import pytest
from tests.cli.home import EXAMPLE, Home
from tests.support.requirements import require

pytestmark = pytest.mark.process

# In a namespace of its own, so that nothing else sees the small disk and it goes when the script ends.
SCRIPT = """
mount -t tmpfs -o size=1m,mode=0700 tmpfs "$SUPPORTACCESS_DATA_DIR" || exit 77
raise() { supportaccess provider raise --support-request $1 --engineer E --reason R -o ids -q; }
tell() { echo "$1: $?"; }
id=$(raise 1)
dd if=/dev/zero of="$SUPPORTACCESS_DATA_DIR/ballast" 2> /dev/null || :
supportaccess approve $id -y; tell approve
raise 2; tell raise
supportaccess import "$EXAMPLE"; tell import
rm "$SUPPORTACCESS_DATA_DIR/ballast"
echo "status: $(supportaccess show $id -o json --query status)"
supportaccess audit verify -q -o ids; tell verify
supportaccess approve $id -y -q -o ids > /dev/null; tell again
echo "status: $(supportaccess show $id -o json --query status)"
supportaccess audit verify -q -o ids; tell verified
"""


def test_a_full_disk_is_told_and_nothing_is_half_done(home: Home) -> None:
    """With no room for the store a command exits with 1 and says so, nothing has changed, and with room it works."""
    home.database.parent.mkdir(mode=0o700)
    namespace = ["unshare", "-Urm", "mount", "-t", "tmpfs", "tmpfs", str(home.database.parent)]
    may = shutil.which("unshare") and subprocess.run(namespace, capture_output=True, check=False).returncode == 0
    require(may, "unshare and leave to mount a tmpfs in a user namespace")
    (home.folder / "script").write_text(SCRIPT)
    result = home.shell("unshare -Urm bash script", env={"EXAMPLE": str(EXAMPLE)})

    assert result.lines == [
        "approve: 1",
        "raise: 1",
        "import: 1",
        'status: "pending"',
        "1",
        "verify: 0",
        "again: 0",
        'status: "approved"',
        "2",
        "verified: 0",
    ], result
    assert result.err.count("Error: ") == 3
    assert result.err.count("is full") + result.err.count("could not be read or written") == 3
    assert "Traceback" not in result.err
