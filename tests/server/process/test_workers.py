"""Several worker processes on PostgreSQL: one limit, one set of metrics, one sweep, and none that is missed."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

import pytest
from tests.support.issuer import Issuer
from tests.support.people import asking, caller
from tests.support.postgresql import MIGRATED, OwnCluster, new_cluster, shared_cluster
from tests.support.servers import SECONDS, RunningServer, running_server, settings_file, until

from supportaccess.domain.audit import Activity
from supportaccess.domain.expiry import Limit
from supportaccess.domain.times import system_clock
from supportaccess.server.jobs import sweep_alone
from supportaccess.server.process.serve import SECONDS_TO_ANSWER
from supportaccess.store.protocol import AuditQuery
from supportaccess.store.sql.postgresql.open import open_postgresql
from supportaccess.store.sql.postgresql.schema import SERVER_ROLE
from supportaccess.store.sql.store import SqlStore

WORKERS = 4


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    """Return how the server's role connects to a database with the store's schema."""
    with shared_cluster().new_database(MIGRATED) as name:
        yield shared_cluster().conninfo(name, SERVER_ROLE)


@pytest.fixture
def cluster() -> Iterator[OwnCluster]:
    """Run a PostgreSQL that may be stopped, with a database `served`."""
    with new_cluster() as cluster:
        cluster.make_store("served")
        yield cluster


@contextmanager
def workers(folder: Path, store: str, settings: Path) -> Iterator[RunningServer]:
    """Run a server with four worker processes."""
    more = {
        "SUPPORTACCESS_DATABASE": store,
        "SUPPORTACCESS_SERVER_WORKERS": str(WORKERS),
    }
    with running_server(folder, settings, more) as server:
        until(lambda: len(pids_of(server)) == WORKERS and server.ask("/healthz").status == 200)
        yield server


def pids_of(server: RunningServer) -> list[int]:
    """Return the worker processes, without the one that Python keeps to clean up."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    return [int(pid) for pid in children if "spawn_main" in _command_line(int(pid))]


def all_of(folder: Path) -> list[int]:
    """Return every process whose working directory is a folder."""
    return [int(path.name) for path in Path("/proc").glob("[0-9]*") if _folder_of(path) == str(folder)]


def test_limits_hold_for_all_of_them(tmp_path: Path, store: str) -> None:
    """Four processes together let through what one would; the rest is 429 with Retry-After."""
    settings = settings_file(tmp_path, limits="requests_per_address = 20")
    with workers(tmp_path, store, settings) as server:
        begun = time.monotonic()
        answers = [server.ask("/v1/me") for _ in range(80)]
        filled = (time.monotonic() - begun) / 3

    statuses = [answer.status for answer in answers]
    refused = [answer for answer in answers if answer.status == 429]
    assert set(statuses) == {401, 429}
    # What fills again meanwhile, a third of a request a second, comes on top.
    assert 20 <= statuses.count(401) <= 21 + filled
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)


def test_metrics_are_those_of_all(tmp_path: Path, store: str) -> None:
    """Whichever process is asked, it has counted what all of them answered."""
    with workers(tmp_path, store, settings_file(tmp_path)) as server:
        for _ in range(40):
            assert server.ask("/v1/me").status == 401
        counted = {
            line for _ in range(8) for line in server.ask("/metrics").body.decode().splitlines() if '"/v1/me"' in line
        }

    assert 'supportaccess_requests_total{method="GET",route="/v1/me",status="401"} 40.0' in counted


def test_a_worker_that_was_killed_is_replaced(tmp_path: Path, store: str) -> None:
    """After kill -9 of one there are four again, and the log says so."""
    with workers(tmp_path, store, settings_file(tmp_path)) as server:
        victim = pids_of(server)[0]
        os.kill(victim, signal.SIGKILL)

        server.wait_for("workerReplaced", of=lambda line: line["pid"] == victim)
        until(lambda: len(pids_of(server)) == WORKERS and victim not in pids_of(server))
        assert server.ask("/healthz").status == 200


def test_a_worker_that_dies_while_it_is_asked_is_replaced_at_once(tmp_path: Path, store: str) -> None:
    """A worker that hangs has half a minute to answer its parent; when it dies meanwhile, nobody waits for that."""
    with workers(tmp_path, store, settings_file(tmp_path)) as server:
        victim = pids_of(server)[0]
        os.kill(victim, signal.SIGSTOP)
        time.sleep(1)  # until the parent has asked it
        killed = time.monotonic()
        os.kill(victim, signal.SIGKILL)

        server.wait_for("workerReplaced", of=lambda line: line["pid"] == victim)
        assert time.monotonic() - killed < SECONDS_TO_ANSWER - 5


def test_what_they_share_is_not_cleaned_away(tmp_path: Path, store: str) -> None:
    """The folder that they share is locked: who cleans up old temporary files, as systemd does, leaves it alone."""
    with workers(tmp_path, store, settings_file(tmp_path)):
        (folder,) = (tmp_path / "tmp").glob("supportaccess-*")
        opened = os.open(folder, os.O_RDONLY)
        try:
            with pytest.raises(BlockingIOError):
                flock(opened, LOCK_EX | LOCK_NB)
        finally:
            os.close(opened)


def test_workers_end_with_their_parent(tmp_path: Path, store: str) -> None:
    """After kill -9 of the parent nobody is left."""
    with workers(tmp_path, store, settings_file(tmp_path)) as server:
        assert len(all_of(tmp_path)) > WORKERS
        server.process.kill()

        until(lambda: all_of(tmp_path) in ([], [server.process.pid]))
        server.wait()


def test_all_stop_when_told_to(tmp_path: Path, store: str) -> None:
    """SIGTERM to the parent ends all of them, with exit code 0, and removes the shared folder."""
    with workers(tmp_path, store, settings_file(tmp_path)) as server:
        shared = [path for folder in (tmp_path / "tmp").iterdir() for path in folder.iterdir()]
        modes = {path.name: path.stat().st_mode & 0o777 for path in shared}
        assert server.stop() == 0

    assert modes["limits"] == 0o600
    assert all_of(tmp_path) == []
    assert list((tmp_path / "tmp").iterdir()) == []


def test_nobody_is_taken_while_all_stop(tmp_path: Path, store: str) -> None:
    """While the workers come to their end, new connections are refused, not left waiting."""
    with workers(tmp_path, store, settings_file(tmp_path, limits="body_seconds = 60")) as server:
        with server.connect() as connection:
            connection.sendall(b"POST /v1/access-requests HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n")
            connection.sendall(b"{")
            server.process.terminate()
            until(server.refuses)
            still_there = server.process.poll() is None
        code = server.wait()

    assert code == 0
    assert still_there


def test_hup_replaces_them_one_after_the_other(tmp_path: Path, store: str) -> None:
    """After SIGHUP all are new, and requests were answered meanwhile."""
    with workers(tmp_path, store, settings_file(tmp_path)) as server:
        before = set(pids_of(server))
        server.process.send_signal(signal.SIGHUP)
        statuses = set()

        def all_new() -> bool:
            statuses.add(server.ask("/healthz").status)
            return not before & set(pids_of(server)) and len(pids_of(server)) == WORKERS

        until(all_new, seconds=WORKERS * SECONDS)
    assert statuses == {200}


def test_no_password_in_arguments_logs_or_answers(tmp_path: Path, cluster: OwnCluster, issuer: Issuer) -> None:
    """The database's password and a caller's token are in no command line, log line or answer, also when all fails."""
    identity = f'authority = "{issuer.authority}"\nca_file = "{issuer.ca_file}"\n'
    settings = settings_file(tmp_path, 'log_level = "debug"', identity=identity)
    now = int(time.time())
    token = issuer.token(iat=now, nbf=now, exp=now + 3600)
    with workers(tmp_path, cluster.conninfo("served", SERVER_ROLE), settings) as server:
        arguments = [_command_line(pid) for pid in all_of(tmp_path)]
        answers = [server.ask("/v1/me", token=token), server.ask("/v1/access-requests", token=token)]
        cluster.stop()
        try:
            answers += [server.ask("/v1/access-requests?search=c4nary", token=token), server.ask("/readyz")]
            answers += [server.ask("/v1/me", token=token[:-5] + "AAAAA"), server.ask("/metrics")]
        finally:
            cluster.start()
        until(lambda: server.ask("/v1/access-requests", token=token).status == 200)
        assert server.stop() == 0

    told = "".join([*arguments, *server.raw, *(f"{answer.headers}{answer.body!r}" for answer in answers)])
    assert [answer.status for answer in answers] == [200, 200, 503, 503, 401, 200]
    for secret in (cluster.password, token, token.split(".")[1], "c4nary", 'Ada Administrator" '):
        assert secret not in told


def test_the_sweep_runs_in_one_at_a_time(tmp_path: Path, cluster: OwnCluster) -> None:
    """What fell due is written down once, however many processes sweep, and also after an outage."""
    engine = open_postgresql(cluster.conninfo("served", SERVER_ROLE))
    store = SqlStore(engine, caller())
    with workers(
        tmp_path, cluster.conninfo("served", SERVER_ROLE), settings_file(tmp_path, "sweep_seconds = 0.2")
    ) as server:
        first = store.raise_request(asking(), key="first")
        store.approve(first.id, etag=first.etag, limit=Limit(seconds=1), key="let in")
        server.wait_for("swept")
        cluster.stop()
        server.wait_for("sweepFailed")
        cluster.start()
        second = store.raise_request(asking(), key="second")
        store.approve(second.id, etag=second.etag, limit=Limit(seconds=1), key="let in again")
        until(_swept_twice(server))
    reached = store.audit_page(AuditQuery(activities=frozenset({Activity.LIMIT_REACHED})), top=10).value
    engine.close()

    assert sorted(str(entry.access_request_id) for entry in reached) == sorted([first.id, second.id])


def test_who_comes_while_another_sweeps_goes_away(store: str) -> None:
    """Two sweeps at the same moment: the second does nothing, and does not wait."""
    engine = open_postgresql(store, pool=4)
    begun, over = threading.Event(), threading.Event()

    def slow_clock() -> datetime:
        begun.set()
        over.wait(60)
        return system_clock()

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(sweep_alone, engine, slow_clock)
        begun.wait(60)
        second = sweep_alone(engine, system_clock)
        over.set()
        outcome = first.result(60)
    third = sweep_alone(engine, system_clock)
    engine.close()

    assert (second, outcome, third) == (None, 0, 0)


def _swept_twice(server: RunningServer) -> Callable[[], bool]:
    return lambda: sum(line.get("requests", 0) for line in server.lines if line["event"] == "swept") == 2


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def _folder_of(path: Path) -> str:
    try:
        return str((path / "cwd").readlink())
    except OSError:
        return ""
