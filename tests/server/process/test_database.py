"""The database as handlers see it: threads, a bounded queue, and acts that go on to their end."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.people import HOME, RESOURCE, asking, caller
from tests.support.postgresql import STORE, shared_cluster

from supportaccess.errors import StoreRefused, StoreUnavailable
from supportaccess.server import database as module
from supportaccess.server.database import Database
from supportaccess.server.settings import DatabaseSettings
from supportaccess.store.protocol import RequestQuery
from supportaccess.store.sql.engine import Engine
from supportaccess.store.sql.postgresql.schema import SERVER_ROLE
from supportaccess.store.sql.store import SqlStore


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Return a database on a file that is not there yet."""
    database = Database(DatabaseSettings(sqlite=tmp_path / "store.db"))
    yield database
    database.close()


def count(engine: Engine) -> int:
    """Return how many requests there are."""
    return SqlStore(engine, caller()).count(RequestQuery(), at_most=10)


def raise_one(engine: Engine) -> str:
    """Raise a request."""
    return SqlStore(engine, caller()).raise_request(asking(), key="one").id


def test_reads_and_writes_have_a_thread_each(database: Database) -> None:
    """A read goes on while a write is under way, and each kind stays in its thread."""

    async def main() -> None:
        names = await asyncio.gather(*(database.read(_thread) for _ in range(5)))
        assert len(set(names)) == 1
        release = threading.Event()
        writing = asyncio.create_task(database.write(lambda _: release.wait(60)))
        assert await database.read(count) == 0
        release.set()
        assert await writing

    asyncio.run(main())


def test_nobody_waits_for_what_reads_for_long(database: Database) -> None:
    """While whole logs are verified, everybody else reads and writes on."""

    async def main() -> None:
        release = threading.Event()
        long = [asyncio.create_task(database.read_long(lambda _: release.wait(60))) for _ in range(20)]
        await asyncio.sleep(0)
        assert await database.read(count) == 0
        assert await database.write(raise_one)
        release.set()
        assert all(await asyncio.gather(*long))

    asyncio.run(main())


def test_nobody_waits_for_who_signs(database: Database) -> None:
    """While somebody signs, everybody else reads and writes on."""

    async def main() -> None:
        release = threading.Event()
        signing = [asyncio.create_task(database.sign(lambda _: release.wait(60))) for _ in range(20)]
        await asyncio.sleep(0)
        assert await database.read(count) == 0
        assert await database.write(raise_one)
        release.set()
        assert all(await asyncio.gather(*signing))

    asyncio.run(main())


def test_a_tenant_that_waits_for_itself_holds_nobody_else_up() -> None:
    """On PostgreSQL the changes of one tenant leave threads for others, however many wait; in the end all are done."""
    conninfo = shared_cluster().conninfo(STORE, SERVER_ROLE)
    shared = Database(DatabaseSettings(postgresql=conninfo, pool=4))

    async def main() -> None:
        release = threading.Event()
        stuck = [asyncio.create_task(shared.write(lambda _: release.wait(60), tenant_id=HOME)) for _ in range(20)]
        await asyncio.sleep(0.1)
        assert await shared.read(lambda _: "read") == "read"
        assert await shared.write(lambda _: "written", tenant_id=RESOURCE) == "written"
        release.set()
        assert all(await asyncio.gather(*stuck))

    try:
        asyncio.run(main())
    finally:
        shared.close()


def test_what_nobody_waits_for_is_done_to_its_end(database: Database) -> None:
    """A decision whose client went away while it waited for its turn is made all the same."""

    async def main() -> None:
        release = threading.Event()
        before = asyncio.create_task(database.write(lambda _: release.wait(60)))
        abandoned = asyncio.create_task(database.write(raise_one))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        abandoned.cancel()
        with pytest.raises(asyncio.CancelledError):
            await abandoned
        release.set()
        await before
        await database.write(lambda _: None)
        assert await database.read(count) == 1

    asyncio.run(main())


def test_too_many_that_wait_are_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond so many waiting acts the next is refused, and taken again when there is room."""
    monkeypatch.setattr(module, "MOST_WAITING", 3)
    told: list[tuple[int, int]] = []
    database = Database(DatabaseSettings(sqlite=tmp_path / "store.db"), load=lambda *load: told.append(load))

    async def main() -> None:
        release = threading.Event()
        held = [asyncio.create_task(database.read(lambda _: release.wait(60))) for _ in range(4)]
        await asyncio.sleep(0)
        with pytest.raises(StoreUnavailable, match="too many requests wait"):
            await database.read(count)
        release.set()
        assert all(await asyncio.gather(*held))
        assert await database.read(count) == 0

    asyncio.run(main())
    database.close()
    assert max(told, key=sum) == (1, 3)


def test_ready(database: Database, tmp_path: Path) -> None:
    """A database that answers is ready; one of another schema says so."""
    assert asyncio.run(database.ready()) is None

    with sqlite3.connect(tmp_path / "store.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    assert "99" in str(asyncio.run(database.ready()))


def test_what_is_wrong_with_the_file_is_told_until_it_is_mended(tmp_path: Path) -> None:
    """A file that cannot be used is refused at each use, and used once it is mended."""
    path = tmp_path / "store.db"
    path.write_bytes(b"no database" * 1000)
    database = Database(DatabaseSettings(sqlite=path))

    async def main() -> None:
        assert "damaged" in str(await database.ready())
        with pytest.raises(StoreRefused, match="damaged"):
            await database.read(count)
        path.unlink()
        assert await database.read(count) == 0

    asyncio.run(main())
    database.close()


def test_a_database_that_does_not_answer_is_asked_once_for_all_who_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that wait while one of them tries in vain to connect fail with it, and do not try themselves."""
    tries = 0
    came = threading.Semaphore(0)

    class Door:
        """The lock before the database, which counts who comes to it."""

        def __init__(self) -> None:
            self._lock = threading.Lock()

        def __enter__(self) -> None:
            came.release()
            self._lock.acquire()

        def __exit__(self, *_: object) -> None:
            self._lock.release()

    def open_engine(_: DatabaseSettings) -> Engine:
        nonlocal tries
        tries += 1
        if tries == 1:
            assert all(came.acquire(timeout=60) for _ in range(4))
        raise StoreUnavailable("no answer")

    monkeypatch.setattr(module, "Lock", Door)
    monkeypatch.setattr(module, "open_engine", open_engine)
    database = Database(DatabaseSettings(postgresql="host=nowhere", pool=4))

    async def main() -> None:
        failures = await asyncio.gather(*(database.read(count) for _ in range(4)), return_exceptions=True)
        assert [type(each) for each in failures] == [StoreUnavailable] * 4

    asyncio.run(main())
    database.close()
    assert tries == 1


def _thread(_: Engine) -> str:
    return threading.current_thread().name
