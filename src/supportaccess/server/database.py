"""The database as handlers see it: work is handed to threads, so that the event loop never waits for SQL.

SQLite has one reader thread and one writer thread, each with its own engine. PostgreSQL has as many threads as its pool
has connections, around one engine. What reads a whole log has one thread and an engine of its own beside. So has what
signs: nobody else waits for who has the key.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Lock
from typing import TypeVar

from supportaccess.errors import StoreRefused, StoreUnavailable, SupportAccessError
from supportaccess.server.settings import DatabaseSettings
from supportaccess.store.sql.checkpoints import refuse_rollback
from supportaccess.store.sql.engine import KNOWN_VERSION, Engine
from supportaccess.store.sql.sqlite.engine import SqliteEngine
from supportaccess.tlog.command_signer import CommandSigner
from supportaccess.tlog.keys import Keys

MOST_WAITING = 200
"""How many acts may wait for a thread; further ones are refused, so that a slow database is not buried under work."""

_SECONDS_TO_ANSWER = 5.0
_T = TypeVar("_T")
Load = Callable[[int, int], None]
"""Is told how many acts are running and how many wait."""


class Database:
    """The store's database. Nothing is opened before it is first used: the server starts before its database does."""

    def __init__(self, settings: DatabaseSettings, *, load: Load | None = None) -> None:
        self._load = load
        if settings.sqlite is not None:
            self._reader = _Threads("reader", 1, settings)
            self._writer = _Threads("writer", 1, settings)
        else:
            self._reader = self._writer = _Threads("database", settings.pool, settings)
        self._long_reader = _Threads("long-reader", 1, settings)
        self._signer = _Threads("signer", 1, settings)
        self._turns = defaultdict[str, asyncio.Semaphore](partial(asyncio.Semaphore, max(1, self._writer.number // 2)))
        self._all = frozenset({self._reader, self._writer, self._long_reader, self._signer})
        self._in_line = 0
        self.written = asyncio.Event()
        """Is set when something may have been written."""

    async def read(self, act: Callable[[Engine], _T]) -> _T:
        """Run an act that changes nothing. Raises StoreUnavailable when too many wait, and what the act raises."""
        return await self._run(self._reader, act)

    async def read_long(self, act: Callable[[Engine], _T]) -> _T:
        """Run an act that reads for long: one at a time, so that nobody else waits for it."""
        return await self._run(self._long_reader, act)

    async def write(self, act: Callable[[Engine], _T], *, tenant_id: str | None = None) -> _T:
        """Run an act that changes something; once begun it goes on to its end even when nobody waits for it any more.

        The acts of one tenant wait for its log: they take no more than half of the threads, so that others get theirs.
        """
        if tenant_id is None:
            return await self._run(self._writer, act, self.written.set)
        turn = await self._turn_of(tenant_id)

        def then() -> None:
            turn.release()
            self.written.set()

        return await self._run(self._writer, act, then)

    async def sign(self, act: Callable[[Engine], _T]) -> _T:
        """Run an act that writes down no more than signatures, and may wait for who signs: one at a time."""
        return await self._run(self._signer, act)

    async def ready(self) -> str | None:
        """Return None when the database answers and is as this program needs it, or what is wrong."""
        try:
            async with asyncio.timeout(_SECONDS_TO_ANSWER):
                await self.read(_probe)
        except SupportAccessError as error:
            return error.message
        except TimeoutError:
            return f"the database did not answer within {_SECONDS_TO_ANSWER:g} seconds"
        return None

    def close(self) -> None:
        """Wait for what is under way, and give the database back."""
        for threads in self._all:
            threads.close()

    async def _turn_of(self, tenant_id: str) -> asyncio.Semaphore:
        # As many as there are tenants in the settings: nobody of another one gets as far as this.
        turn = self._turns[tenant_id]
        if self._in_line >= MOST_WAITING:
            raise _too_many()
        self._in_line += 1
        try:
            await turn.acquire()
        finally:
            self._in_line -= 1
        return turn

    async def _run(
        self, threads: "_Threads", act: Callable[[Engine], _T], then: Callable[[], None] = lambda: None
    ) -> _T:
        if threads.waiting >= MOST_WAITING:
            then()
            raise _too_many()
        future = asyncio.get_running_loop().run_in_executor(threads.executor, threads.run, act)
        threads.taken += 1
        future.add_done_callback(lambda _: self._done(threads, then))
        self._tell()
        # Shielded: when a client goes away, what it asked for is still done.
        return await asyncio.shield(future)

    def _done(self, threads: "_Threads", then: Callable[[], None]) -> None:
        threads.taken -= 1
        then()
        self._tell()

    def _tell(self) -> None:
        if self._load is not None:
            working = self._all - {self._signer}  # which waits for who has the key, not for the database
            running = sum([each.running for each in working])
            self._load(running, sum([each.taken for each in working]) - running)


def _too_many() -> StoreUnavailable:
    return StoreUnavailable(
        "too many requests wait for the database; nothing was changed", hint="Run the same command again."
    )


class _Threads:
    """Threads around one engine, which is opened in the first of them that is used."""

    def __init__(self, name: str, number: int, settings: DatabaseSettings) -> None:
        self.number = number
        self.taken = 0
        self.executor = ThreadPoolExecutor(number, thread_name_prefix=name)
        self._settings = settings
        self._opening = Lock()
        self._engine: Engine | None = None
        self._failure: StoreUnavailable | None = None

    @property
    def running(self) -> int:
        return min(self.taken, self.number)

    @property
    def waiting(self) -> int:
        return self.taken - self.running

    def run(self, act: Callable[[Engine], _T]) -> _T:
        return act(self._opened())

    def _opened(self) -> Engine:
        failure = self._failure
        with self._opening:
            if self._engine is None:
                # Whoever waited while another one tried, and failed, does not wait again for the same.
                if self._failure is not failure and self._failure is not None:
                    raise StoreUnavailable(self._failure.message, hint=self._failure.hint)
                try:
                    self._engine = open_engine(self._settings)
                except StoreUnavailable as error:
                    self._failure = error
                    raise
            return self._engine

    def close(self) -> None:
        # In a thread of its own: a connection to SQLite may only be closed where it was opened.
        self.executor.submit(self._close)
        self.executor.shutdown()

    def _close(self) -> None:
        if self._engine is not None:
            self._engine.close()


def open_engine(settings: DatabaseSettings) -> Engine:
    """Open the database that the settings name, making or migrating an embedded one.

    Raises StoreUnavailable when it does not answer, StoreRefused when it is not as this program needs it, and
    VerificationFailed when a log in it is not one that goes on from what was signed: an older backup, say.
    """
    engine = open_unchecked(settings)
    try:
        if (keys := keys_of(settings)) is not None:
            refuse_rollback(engine, keys)
    except BaseException:
        engine.close()
        raise
    return engine


def keys_of(settings: DatabaseSettings) -> Keys | None:
    """Return what signs the logs of a database: for SQLite beside its file, unless the settings name a folder."""
    folder = settings.signing_keys
    if folder is None:
        if settings.sqlite is None:
            return None
        folder = settings.sqlite.parent / "keys"
    command = settings.signing_command
    return Keys(folder, signer=partial(CommandSigner, command) if command else None)


def open_unchecked(settings: DatabaseSettings) -> Engine:
    """Open the database, whatever its logs are. Raises StoreUnavailable, StoreRefused."""
    if settings.sqlite is not None:
        from supportaccess.store.sql.sqlite.open import open_embedded

        return open_embedded(settings.sqlite)
    from supportaccess.store.sql.postgresql.open import open_postgresql

    return open_postgresql(settings.postgresql or "", pool=settings.pool)


def _probe(engine: Engine) -> None:
    statement = "PRAGMA user_version" if isinstance(engine, SqliteEngine) else "SELECT version FROM schema_version"
    with engine.reading(()) as session:
        row = session.one(statement, {})
    version = row[0] if row else 0
    if version != KNOWN_VERSION:
        raise StoreRefused(f"the database's schema is {version}, and this program needs {KNOWN_VERSION}")
