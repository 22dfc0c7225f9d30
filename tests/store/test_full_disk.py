import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.children import run
from tests.support.people import HOME
from tests.support.requirements import require
from tests.support.worlds import StoreWorld

from supportaccess.store.protocol import RequestQuery

pytestmark = pytest.mark.process

# Raises requests until one is refused; makes room; raises another one. Prints what was acknowledged and what was said.
UNTIL_FULL = """
    import json
    store, room = store_at(sys.argv[1]), sys.argv[2]
    done, refused = [], None
    for number in range(5_000):
        try:
            done.append(store.raise_request(asking(reason="x" * 900), key=f"key-{number}").id)
        except SupportAccessError as error:
            refused = [type(error).__name__, error.message, error.hint]
            break
    others = []
    for act in (
        lambda: store.close("nobodys", key="k"),
        lambda: SqlStore(store._engine, caller(permissions=())).page(RequestQuery(), top=1),
        lambda: len(store.audit_page(AuditQuery(), top=5).value),
    ):
        try:
            others.append(act())
        except SupportAccessError as error:
            others.append(type(error).__name__)
    readable = sorted(record.id for record in store.page(RequestQuery(), top=1000).value) == sorted(done)
    findings = len(store.verify().findings)
    make_room(room)
    again = store.raise_request(asking(reason="x" * 900), key=f"key-{number}").id
    print(json.dumps([done, refused, others, readable, findings, again]))
"""
DELETING = "    def make_room(path):\n        os.unlink(path)\n"
RAISING_THE_LIMIT = """
    import resource, signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]

    def make_room(_):
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))

    store_at(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), hard))
"""
ON_A_SMALL_DISK = """
mount -t tmpfs -o size=1m,mode=0700 tmpfs "$0" || exit 77
head -c 262144 /dev/zero > "$0/ballast"
"$@" || exit 1
cp "$0/store.db" "$KEPT"
"""


def _may_mount(folder: Path) -> bool:
    if shutil.which("unshare") is None:
        return False
    done = subprocess.run(
        ["unshare", "-Urm", "mount", "-t", "tmpfs", "tmpfs", str(folder)], capture_output=True, check=False
    )
    return done.returncode == 0


def test_a_disk_that_is_full_keeps_everything_acknowledged(
    tmp_path: Path, opened: Callable[[Path], StoreWorld], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk an act is refused clearly, everything acknowledged can be read, and with room it goes on.

    What the rules refuse is refused by the same words as ever, though no log takes it, and the log can be read.
    """
    disk, kept = tmp_path / "disk", tmp_path / "kept.db"
    disk.mkdir()
    require(_may_mount(disk), "unshare and leave to mount a tmpfs in a user namespace")
    monkeypatch.setenv("KEPT", str(kept))
    namespace = ["unshare", "-Urm", "sh", "-c", ON_A_SMALL_DISK, str(disk)]
    told = run(DELETING + UNTIL_FULL, disk / "store.db", disk / "ballast", before=namespace)

    _check(told, "StoreFull", "full", opened(kept))


@pytest.mark.parametrize("size", [200_000, 300_000, 333_333])
def test_a_file_that_may_not_grow_keeps_everything_acknowledged(
    path: Path, opened: Callable[[Path], StoreWorld], size: int
) -> None:
    """At the limit of a file's size the same holds, though the system tells it by another error."""
    require(hasattr(os, "fork"), "a system with limits for processes (RLIMIT_FSIZE)")
    told = run(RAISING_THE_LIMIT + UNTIL_FULL, path, "-", size)

    _check(told, "StoreRefused", "could not be read or written", opened(path))


def _check(told: str, kind: str, message: str, world: StoreWorld) -> None:
    done, refused, others, readable, findings, again = json.loads(told)
    assert refused is not None
    assert refused[0] == kind
    assert message in refused[1]
    assert "nothing was changed" in refused[1]
    assert "run the same command again" in refused[2]
    assert done
    assert others[:2] == ["NotFound", "Forbidden"]
    assert others[2] > 0
    assert readable
    assert findings == 0
    assert {record.id for record in world.records(HOME)} == {*done, again}
    assert world.store().count(RequestQuery(), at_most=10_000) == len(done) + 1
    assert world.findings() == []
