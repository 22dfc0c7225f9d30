import random
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.children import python
from tests.support.people import HOME
from tests.support.worlds import StoreWorld

from supportaccess.domain.records import Status

pytestmark = pytest.mark.process

KILLS = 10

# Says what it was told is done, and only then.
DECIDING = """
    store, number = store_at(sys.argv[1]), 0
    while True:
        number += 1
        record = store.raise_request(asking(), key=f"{os.getpid()}-raise-{number}")
        os.write(1, f"{record.id} pending\\n".encode())
        record = store.approve(record.id, etag=record.etag, key=f"{os.getpid()}-approve-{number}")
        os.write(1, f"{record.id} approved\\n".encode())
        record = store.revoke(record.id, etag=record.etag, key=f"{os.getpid()}-revoke-{number}")
        os.write(1, f"{record.id} revoked\\n".encode())
"""
ORDER = [Status.PENDING, Status.APPROVED, Status.REVOKED]


def test_a_kill_at_any_moment_loses_nothing_acknowledged(
    world: StoreWorld, path: Path, opened: Callable[[Path], StoreWorld]
) -> None:
    """Killed in the middle of deciding, ten times, a process leaves every decision it acknowledged, and none half."""
    world.close()
    acknowledged: dict[str, Status] = {}
    chance = random.Random()
    for _ in range(KILLS):
        for line in _killed_while_deciding(path, after=chance.uniform(0.0, 0.25)):
            request_id, status = line.split()
            acknowledged[request_id] = Status(status)

    survivor = opened(path)
    found = {record.id: record for record in survivor.records(HOME)}
    assert len(acknowledged) > KILLS
    for request_id, status in acknowledged.items():
        assert ORDER.index(found[request_id].status) >= ORDER.index(status)
    assert len(found.keys() - acknowledged.keys()) <= KILLS
    assert survivor.findings() == []
    entries = survivor.entries(HOME)
    assert len(entries) == sum(ORDER.index(record.status) + 1 for record in found.values())


def _killed_while_deciding(path: Path, *, after: float) -> list[str]:
    """Let a process decide, kill it so long after its first decision, and return what it acknowledged."""
    child = subprocess.Popen(python(DECIDING, path), stdout=subprocess.PIPE, text=True)
    with child:
        assert child.stdout
        lines = [child.stdout.readline()]
        assert lines[0], "the child ended before its first decision"
        timer = threading.Timer(after, child.send_signal, [signal.SIGKILL])
        timer.start()
        lines += child.stdout.readlines()
        timer.join()
    assert child.returncode == -signal.SIGKILL
    return [line for line in lines if line.endswith("\n")]
