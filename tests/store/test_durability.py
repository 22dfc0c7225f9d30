import re
import shutil
from pathlib import Path

from tests.support.children import run
from tests.support.requirements import require

DECISIONS = 200
# Checkpoints sync too: one each thousand pages, at most two calls each.
OTHERS = 24

DECIDING = """
    store, count = store_at(sys.argv[1]), int(sys.argv[2])
    store.raise_request(asking(), key="first")
    for number in range(count):
        os.write(1, b"begin")
        store.raise_request(asking(), key=f"key-{number}")
        os.write(1, b"acknowledged")
"""


def test_each_acknowledged_decision_is_synced(path: Path, tmp_path: Path) -> None:
    """Between the start of each act and its acknowledgement there is a sync, and hardly more than one on average."""
    require(shutil.which("strace"), "strace")
    trace = tmp_path / "trace"
    strace = ["strace", "-f", "-o", str(trace), "-e", "trace=fsync,fdatasync,write"]
    run(DECIDING, path, DECISIONS, before=strace)

    calls = re.findall(r"\b(fsync|fdatasync)\(|write\(1, \"(begin|acknowledged)\"", trace.read_text())
    syncs: list[int] = []
    for sync, mark in calls:
        if mark == "begin":
            syncs.append(0)
        elif sync and syncs:
            syncs[-1] += 1
    assert len(syncs) == DECISIONS
    assert min(syncs) >= 1
    assert sum(syncs) <= DECISIONS + OTHERS
