"""A shared store in which something dies: no decision is lost, none is made twice, and the commands ride it out."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.line import line_to
from tests.e2e.shared_store import ADMINISTRATOR, AUDITOR, OnPostgresql, OnSqlite, SharedStore
from tests.support.identity_provider import IdentityProvider
from tests.support.people import HOME
from tests.support.postgresql import OwnCluster
from tests.support.servers import SECONDS, RunningServer, until

from supportaccess.settings.paths import Paths
from supportaccess.settings.profiles import Profile, Settings

pytestmark = pytest.mark.timeout(900)  # hundreds of commands, beside a server that dies

APPROVE = "/v1/access-requests/{request_id}/approve"
TICKETS = [f"26030100500{number:05}" for number in range(200)]
AT_ONCE = 4


@pytest.fixture
def two_processes(cluster: OwnCluster, identity_provider: IdentityProvider, tmp_path: Path) -> Iterator[SharedStore]:
    """Run a store on PostgreSQL, with two worker processes."""
    cluster.make_database("store")
    store = SharedStore(tmp_path, OnPostgresql(cluster, "store"), identity_provider, workers=2)
    with store.running():
        yield store


def answered(server: RunningServer, status: int = 200) -> list[dict[str, Any]]:
    """Return the log's lines of approvals that were answered so."""
    return [line for line in server.lines if line.get("route") == APPROVE and line["status"] == status]


def approving(store: SharedStore, ids: list[str]) -> "list[subprocess.Popen[str]]":
    """Start several people who approve a share of the requests each, one after the other."""
    people = [store.person(f"Ada {number}", ADMINISTRATOR) for number in range(AT_ONCE)]
    shares = ["".join(f"{each}\n" for each in ids[number::AT_ONCE]) for number in range(AT_ONCE)]
    return [
        person.start("approve", "-", "--yes", "--reason", "outage", "-o", "json", stdin=share)
        for person, share in zip(people, shares, strict=True)
    ]


def all_were_done(processes: "list[subprocess.Popen[str]]") -> None:
    """Wait for the commands; each must have been told of the success of all that it asked for."""
    for process in processes:
        out, errors = process.communicate(timeout=4 * SECONDS)
        assert process.returncode == 0, errors
        assert out.count('"status":"approved"') + out.count('"status": "approved"') == len(TICKETS) // AT_ONCE


def each_is_in_the_log_once(store: SharedStore, ids: list[str]) -> None:
    """Every request has one entry of its approval, and the log holds; its last entry is that it was read."""
    otto = store.person("Otto Auditor", AUDITOR)
    log = otto.run("audit", "log", "--all", "-o", "json").json
    approvals = [entry["accessRequestId"] for entry in log if entry["activity"] == "Request approved"]
    assert sorted(approvals) == sorted(ids)
    verified = otto.run("audit", "verify", "-o", "json")
    assert (verified.code, verified.json["entries"]) == (0, 2 * len(ids) + 1), verified.err


def test_a_database_that_is_away_lets_nobody_in(two_processes: SharedStore, cluster: OwnCluster) -> None:
    """While PostgreSQL is stopped a denial is one all the same; that it has no entry is logged and counted."""
    two_processes.raised(TICKETS[0])
    server = two_processes.server
    token = two_processes.token("Otto Auditor", AUDITOR)
    headers = {"Idempotency-Key": "k", "If-Match": '"x"'}

    cluster.kill()
    refused = server.ask("/v1/access-requests/x/approve", method="POST", token=token, headers=headers)
    server.wait_for("notRecorded", of=lambda line: line["code"] == "StoreUnavailable")
    cluster.start()

    assert (refused.status, refused.headers["x-ms-error-code"]) == (403, "Forbidden")
    until(lambda: server.ask("/readyz").status == 200)
    assert b'supportaccess_not_recorded_total{activity="Access denied"} 1.0' in server.ask("/metrics").body


@pytest.mark.parametrize("moment", ["request", "answer"])
def test_a_server_killed_in_mid_decision(identity_provider: IdentityProvider, tmp_path: Path, moment: str) -> None:
    """Killed before it saw a decision or after it made it: the command waits for the next server; it is made once."""
    store = SharedStore(tmp_path, OnSqlite(tmp_path), identity_provider)
    with store.running() as first:
        (full,) = store.raised(TICKETS[0])
        ada = store.person("Ada Administrator", ADMINISTRATOR)
        with line_to(first.address, b"/approve HTTP/1.1", moment, lambda: kill(first)) as line:
            settings = Settings(Paths.from_environment(ada.environment), ada.environment)
            settings.save(Profile(tenant_id=HOME, alias="contoso", store=line.url))
            process = ada.start("approve", full, "--for", "2h", "--yes", "-o", "json")
            assert line.cut.wait(SECONDS)
            with store.running(port=first.address[1]):
                out, errors = process.communicate(timeout=2 * SECONDS)
                assert process.returncode == 0, errors
                assert '"approved"' in out
                each_is_in_the_log_once(store, [full])


def kill(server: RunningServer) -> None:
    """Kill a server, and wait until it is gone."""
    server.process.kill()
    server.process.wait(SECONDS)


def test_workers_killed_under_load(two_processes: SharedStore) -> None:
    """While workers die one after the other, every decision is made, once, and is told as made."""
    ids = two_processes.raised(*TICKETS)
    server = two_processes.server
    processes = approving(two_processes, ids)
    killed = 0
    until(lambda: len(answered(server)) > 0)
    while killed < 4 and any(process.poll() is None for process in processes):
        until(lambda: len(workers(server)) == 2)
        victim = workers(server)[0]  # the elder one: the other may just begin to serve
        os.kill(victim, signal.SIGKILL)
        killed += 1
        server.wait_for("workerReplaced", of=lambda line, victim=victim: line["pid"] == victim)  # type: ignore[misc]  # mypy knows no lambdas with defaults

    all_were_done(processes)
    each_is_in_the_log_once(two_processes, ids)


def workers(server: RunningServer) -> list[int]:
    """Return the process IDs of the workers."""
    pid = server.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [child for child in map(int, children) if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def test_a_database_that_crashes_is_ridden_out(two_processes: SharedStore, cluster: OwnCluster) -> None:
    """While PostgreSQL is killed and comes back, people wait, and every decision is made once."""
    ids = two_processes.raised(*TICKETS)
    server = two_processes.server
    processes = approving(two_processes, ids)
    until(lambda: len(answered(server)) > 0)

    cluster.kill()
    assert server.ask("/healthz").status == 200
    assert server.ask("/readyz").status == 503
    until(lambda: len(answered(server, 503)) > 0)
    cluster.start()

    until(lambda: server.ask("/readyz").status == 200)
    all_were_done(processes)
    each_is_in_the_log_once(two_processes, ids)


def wait_for_the_decision(server: RunningServer) -> None:
    """Wait until something has been at the database for three seconds on end: no read takes that long."""
    free = time.monotonic()

    def waits() -> bool:
        nonlocal free
        if b"supportaccess_database_running 1.0" not in server.ask("/metrics").body:
            free = time.monotonic()
        return time.monotonic() - free > 3

    until(waits)


def test_a_stop_finishes_what_is_under_way(shared_store: SharedStore) -> None:
    """A decision that waits for the database while the server stops is made, and its answer gets to who asked."""
    (full,) = shared_store.raised(TICKETS[0])
    ada = shared_store.person("Ada Administrator", ADMINISTRATOR)
    server = shared_store.server
    token = shared_store.token("Ada Administrator", ADMINISTRATOR)
    assert server.ask("/v1/audit-events/checkpoint", token=token).status == 200  # what was raised is signed then

    with shared_store.database.held():
        process = ada.start("approve", full, "--yes", "-o", "json")
        wait_for_the_decision(server)
        server.process.terminate()
        until(server.refuses)
    out, errors = process.communicate(timeout=SECONDS)

    assert (process.returncode, '"approved"' in out, "trying" in errors) == (0, True, False), errors
    assert server.wait() == 0
    assert len(answered(server)) == 1
