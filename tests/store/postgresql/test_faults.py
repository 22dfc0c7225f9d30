"""What breaks, and what holds then: everything acknowledged is there, everything unknown is whole or not at all."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future

import pytest
from tests.contract.acts import new_key, raised
from tests.support.people import HOME, asking
from tests.support.postgresql import OwnCluster
from tests.support.swallowing_proxy import swallowing_proxy
from tests.support.worlds import SqlWorld

from supportaccess.domain.records import AccessRequest, Status
from supportaccess.errors import OutcomeUnknown, StoreFull, StoreRefused, StoreUnavailable
from supportaccess.store.sql.postgresql import engine as postgresql
from supportaccess.store.sql.postgresql.engine import PostgresqlEngine
from supportaccess.store.sql.postgresql.open import open_postgresql
from supportaccess.store.sql.postgresql.schema import SERVER_ROLE

pytestmark = pytest.mark.process

WRITERS = 8


@pytest.fixture
def broken(cluster: OwnCluster) -> Iterator[SqlWorld]:
    """Return a store on a cluster that may be broken; it is verified when the test is over."""
    world = SqlWorld(PostgresqlEngine(cluster.conninfo("store", SERVER_ROLE), pool=WRITERS, seconds=20))
    yield world
    assert world.findings() == []
    world.close()


class Load:
    """Writers that raise requests and note what they were told of each key."""

    def __init__(self, world: SqlWorld) -> None:
        self._world = world
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(number,)) for number in range(WRITERS)]
        self.done: dict[str, str] = {}
        self.unknown: dict[str, int] = {}
        self.failed: list[str] = []
        for thread in self._threads:
            thread.start()

    def wait_for(self, count: int) -> None:
        """Wait until so many acts were acknowledged."""
        until = time.monotonic() + 60
        while len(self.done) < count:
            assert time.monotonic() < until
            time.sleep(0.01)

    def stop(self) -> None:
        """Let the writers end."""
        self._stopped.set()
        for thread in self._threads:
            thread.join(60)

    def _write(self, number: int) -> None:
        store = self._world.store()
        while not self._stopped.is_set():
            key = new_key()
            try:
                self.done[key] = store.raise_request(asking(f"{number}"), key=key).id
            except OutcomeUnknown:
                self.unknown[key] = number
            except StoreUnavailable:
                self.failed.append(key)


def test_the_death_of_the_database_loses_nothing_that_was_acknowledged(cluster: OwnCluster, broken: SqlWorld) -> None:
    """Killed under load, three times, it has every acknowledged act, and of an unknown one all or nothing."""
    load = Load(broken)
    for round_ in range(1, 4):
        load.wait_for(60 * round_)
        cluster.kill()
        cluster.start()
    load.wait_for(240)
    load.stop()

    entries = {entry.idempotency_key: entry.access_request_id for entry in broken.entries(HOME)}
    records = {record.id for record in broken.records(HOME)}
    assert {key: entries.get(key) for key in load.done} == load.done
    assert set(entries.values()) == records
    assert not set(load.failed) & set(entries)
    for key, number in load.unknown.items():
        told = broken.store().raise_request(asking(f"{number}"), key=key)
        assert told.id == entries.get(key, told.id)


def test_a_restarted_database_is_found_again(cluster: OwnCluster, broken: SqlWorld) -> None:
    """After a restart the next act finds the database, though every connection it had was lost."""
    record = raised(broken.store())
    cluster.stop()
    cluster.start()
    assert broken.store().get(record.id) == record
    assert broken.store().withdraw(record.id, etag=record.etag, key=new_key()).status is Status.CANCELED


def test_a_database_that_is_down_is_said_to_be(cluster: OwnCluster) -> None:
    """While it is down an act is refused as unavailable, at start and later."""
    world = SqlWorld(PostgresqlEngine(cluster.conninfo("store", SERVER_ROLE), pool=2, seconds=5))
    record = raised(world.store())
    cluster.stop()
    with pytest.raises(StoreUnavailable, match="nothing was changed") as refused:
        world.store().get(record.id)
    assert type(refused.value) is StoreUnavailable
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        open_postgresql(cluster.conninfo("store", SERVER_ROLE))
    world.close()


def test_a_swallowed_reply_to_commit(cluster: OwnCluster, broken: SqlWorld) -> None:
    """The answer to COMMIT is lost: it is told as unknown, and the same key ends in one decision and one entry."""
    record = raised(broken.store())
    with swallowing_proxy(cluster.port) as proxy:
        behind = SqlWorld(PostgresqlEngine(cluster.conninfo("store", SERVER_ROLE, port=proxy.port), pool=1))
        proxy.word = b"; COMMIT"
        with pytest.raises(OutcomeUnknown):
            behind.store().approve(record.id, etag=record.etag, key="the key")
        assert proxy.cut == 1
        cluster.wait_for("SELECT count(*) = 2 FROM audit_events", "store")
        again = behind.store().approve(record.id, etag=record.etag, key="the key")
        behind.close()

    assert again.status is Status.APPROVED
    assert broken.store().get(record.id) == again
    assert len(broken.entries(HOME)) == 2


@pytest.mark.parametrize("word", [b"FOR UPDATE", b"SELECT id"])
def test_a_connection_lost_before_commit(cluster: OwnCluster, broken: SqlWorld, word: bytes) -> None:
    """A connection that is lost before COMMIT was sent changed nothing, and that is what is told."""
    record = raised(broken.store())
    with swallowing_proxy(cluster.port) as proxy:
        behind = SqlWorld(PostgresqlEngine(cluster.conninfo("store", SERVER_ROLE, port=proxy.port), pool=1))
        proxy.word = word
        with pytest.raises(StoreUnavailable, match="nothing was changed") as refused:
            behind.store().approve(record.id, etag=record.etag, key="the key")
        assert (type(refused.value), proxy.cut) == (StoreUnavailable, 1)
        assert behind.store().approve(record.id, etag=record.etag, key="the key").status is Status.APPROVED
        behind.close()


def waiting_for_a_standby(cluster: OwnCluster, act: Callable[[], AccessRequest]) -> "Future[AccessRequest]":
    """Begin an act, and return when its COMMIT waits for a standby."""
    told: Future[AccessRequest] = Future()

    def run() -> None:
        try:
            told.set_result(act())
        except (StoreUnavailable, StoreRefused) as error:
            told.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    cluster.wait_for("SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
    return told


def test_giving_up_on_a_standby_is_no_success(cluster: OwnCluster, broken: SqlWorld) -> None:
    """A COMMIT that was cancelled while it waited for a standby is unknown; the same key waits for the standby too."""
    record = raised(broken.store())
    # A time limit of the operator's must not cancel a COMMIT that waits, either.
    cluster.run(f"ALTER ROLE {SERVER_ROLE} SET statement_timeout = '300ms'")
    cluster.run("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    cluster.run("SELECT pg_reload_conf()")
    cluster.wait_for("SELECT current_setting('synchronous_standby_names') = 'nobody'")

    def approve() -> AccessRequest:
        return broken.store().approve(record.id, etag=record.etag, key="the key")

    first = waiting_for_a_standby(cluster, approve)
    cluster.run("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
    with pytest.raises(OutcomeUnknown, match="warned"):
        first.result(30)

    again = waiting_for_a_standby(cluster, approve)
    time.sleep(0.6)
    assert not again.done()
    cluster.run("ALTER SYSTEM RESET synchronous_standby_names")
    cluster.run("SELECT pg_reload_conf()")

    assert again.result(30).status is Status.APPROVED
    assert len(broken.entries(HOME)) == 2


def test_a_writer_that_hangs_is_not_waited_for_for_ever(
    cluster: OwnCluster, broken: SqlWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While another transaction keeps a tenant's log locked, an act is refused in the end, and nothing was changed."""
    monkeypatch.setitem(postgresql._WRITE_SETTINGS, "lock_timeout", "100ms")
    record = raised(broken.store())
    with broken.engine.writing([HOME]) as session:
        session.all(broken.engine.lock_head, {"tenant_id": HOME})
        with pytest.raises(StoreUnavailable, match="busy for too long"):
            broken.store().withdraw(record.id, etag=record.etag, key="the key")
        assert broken.store().get(record.id) == record
    assert cluster.run("SELECT count(*) FROM pg_locks WHERE NOT granted") == [(0,)]


def until_refused(world: SqlWorld) -> tuple[list[str], Exception]:
    """Raise requests until one is refused; return the acknowledged keys, and the refusal."""
    done: list[str] = []
    while len(done) < 20_000:
        key = new_key()
        try:
            world.store().raise_request(asking(reason="x" * 1000), key=key)
        except (StoreRefused, StoreUnavailable) as error:
            return done, error
        done.append(key)
    raise AssertionError("the disk was never full")


def test_a_full_data_disk(small_data_disk: OwnCluster) -> None:
    """With the data disk full an act is refused and changes nothing; once there is room, it goes on."""
    world = SqlWorld(PostgresqlEngine(small_data_disk.conninfo("store", SERVER_ROLE), pool=2))
    done, refused = until_refused(world)
    assert "disk" in str(refused)
    assert type(refused) is StoreFull
    assert [entry.idempotency_key for entry in world.entries(HOME)] == done

    small_data_disk.make_room()
    raised(world.store())

    assert [entry.idempotency_key for entry in world.entries(HOME)][:-1] == done
    assert world.findings() == []
    world.close()


def test_a_full_wal_disk(small_wal_disk: OwnCluster) -> None:
    """With the disk of the write-ahead log full the database stops; with room again it has all that it acknowledged."""
    world = SqlWorld(PostgresqlEngine(small_wal_disk.conninfo("store", SERVER_ROLE), pool=2, seconds=20))
    done, refused = until_refused(world)
    assert isinstance(refused, StoreUnavailable | StoreRefused)

    small_wal_disk.stop()
    small_wal_disk.make_room()
    small_wal_disk.start()
    raised(world.store())

    kept = [entry.idempotency_key for entry in world.entries(HOME)][:-1]
    assert kept[: len(done)] == done
    assert len(kept) - len(done) <= isinstance(refused, OutcomeUnknown)
    assert world.findings() == []
    world.close()
