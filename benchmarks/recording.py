"""What the store asks of its database, written down, so that a bare driver can do the same."""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Literal, NamedTuple

import psycopg
from benchmarks import stores

from supportaccess.domain.records import OPEN, AccessRequest
from supportaccess.store.protocol import RequestQuery
from supportaccess.store.sql.engine import Engine, Parameters, Result, Row, Session, Statement
from supportaccess.store.sql.postgresql.engine import PostgresqlEngine
from supportaccess.store.sql.store import SqlStore

PAGE = 100


class Recorded(NamedTuple):
    """One session: its kind, its tenants, the statements of each round trip, and what was really sent to PostgreSQL."""

    kind: Literal["reading", "writing"]
    tenant_ids: tuple[str, ...]
    trips: list[list[Statement]]
    messages: list[bytes]


def record_page(engine: Engine) -> Recorded:
    """Read a page of what needs attention, and return what that took."""
    recording = RecordingEngine(engine)
    if len(SqlStore(recording, stores.caller(stores.TENANT)).page(RequestQuery(statuses=OPEN), top=PAGE).value) < PAGE:
        raise ValueError(f"the store is too small for a page of {PAGE}")
    return recording.recorded[0]


def record_decisions(engine: Engine, pending: Sequence[tuple[str, AccessRequest]]) -> list[Recorded]:
    """Approve requests of some tenants one after the other, and return what each took."""
    recording = RecordingEngine(engine)
    for tenant_id, record in pending:
        approve(SqlStore(recording, stores.caller(tenant_id)), record)
    return recording.recorded


def approve(store: SqlStore, record: AccessRequest) -> None:
    """Decide a request, as every benchmark does."""
    store.approve(record.id, etag=record.etag, key=str(uuid.uuid4()), reason="Agreed")


class RecordingEngine:
    """Passes everything on to an engine and keeps what was asked."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.lock_head, self.lock_rows, self.dialect = engine.lock_head, engine.lock_rows, engine.dialect
        self.recorded: list[Recorded] = []
        self._messages: list[bytes] = []
        if isinstance(engine, PostgresqlEngine):
            if engine.pool.max_size != 1:
                raise ValueError("only a pool of 1 can be listened to")
            connection = engine.pool.getconn()  # the only one of a pool of 1
            connection.cursor_factory = _listening(self._messages)
            engine.pool.putconn(connection)

    def reading(self, tenant_ids: Sequence[str]) -> AbstractContextManager[Session]:
        """Open a session for reads."""
        return self._recording("reading", tenant_ids, self._engine.reading(tenant_ids))

    def snapshot(self, tenant_ids: Sequence[str]) -> AbstractContextManager[Session]:
        """Open a session at one moment; it is not recorded."""
        return self._engine.snapshot(tenant_ids)

    def writing(self, tenant_ids: Sequence[str]) -> AbstractContextManager[Session]:
        """Open a transaction."""
        return self._recording("writing", tenant_ids, self._engine.writing(tenant_ids))

    def close(self) -> None:
        """Close the engine."""
        self._engine.close()

    @contextmanager
    def _recording(
        self,
        kind: Literal["reading", "writing"],
        tenant_ids: Sequence[str],
        opened: AbstractContextManager[Session],
    ) -> Iterator[Session]:
        trips: list[list[Statement]] = []
        with opened as session:
            self._messages.clear()
            yield _RecordingSession(session, trips)
        self.recorded.append(Recorded(kind, tuple(tenant_ids), trips, list(self._messages)))


def _listening(messages: list[bytes]) -> type[psycopg.Cursor[Row]]:
    """Return cursors that note what they send."""

    class Listening(psycopg.Cursor[Row]):
        def execute(self, query: Any, *arguments: Any, **options: Any) -> Any:
            messages.append(query if isinstance(query, bytes) else query.encode())
            return super().execute(query, *arguments, **options)

    return Listening


class _RecordingSession:
    def __init__(self, session: Session, trips: list[list[Statement]]) -> None:
        self._session = session
        self._trips = trips

    def batch(self, statements: Sequence[Statement]) -> list[Result]:
        self._trips.append(list(statements))
        return self._session.batch(statements)

    def finish(self, statements: Sequence[Statement]) -> None:
        self._trips.append(list(statements))
        self._session.finish(statements)

    def all(self, sql: str, parameters: Parameters) -> list[Row]:
        return self.batch([Statement(sql, parameters)])[0].rows

    def one(self, sql: str, parameters: Parameters) -> Row | None:
        return next(iter(self.all(sql, parameters)), None)

    def each(self, sql: str, parameters: Parameters) -> Iterator[Row]:
        return iter(self.all(sql, parameters))

    def run(self, sql: str, parameters: Parameters) -> int:
        return self.batch([Statement(sql, parameters)])[0].touched
