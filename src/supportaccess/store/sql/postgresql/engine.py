"""PostgreSQL as an engine of the SQL store.

Each round trip is one message of the simple protocol with several statements in it, the values quoted by psycopg. The
tenants of a session are set within its transaction alone, and nothing is prepared: so it works behind a pooler in
transaction mode, too.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import count
from typing import Any

import psycopg
from psycopg.adapt import Buffer, Loader, Transformer
from psycopg.errors import Diagnostic
from psycopg.pq import TransactionStatus
from psycopg_pool import ConnectionPool

from supportaccess.domain.tenants import is_guid
from supportaccess.errors import InvalidInput, StoreUnavailable
from supportaccess.store.sql.engine import EVERY_TENANT, Dialect, Parameters, Result, Row, Session, Statement
from supportaccess.store.sql.postgresql.errors import (
    AGAIN,
    READ_ONLY,
    explain,
    explain_commit,
    first_line,
    outcome_unknown,
)

_CONNECTION_OPTIONS: dict[str, Any] = {
    "autocommit": True,
    "prepare_threshold": None,
    # How long a dead machine or a cut line goes unnoticed: about 25 seconds.
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
    "application_name": "supportaccess",
    "client_encoding": "UTF8",
}
_CONNINFO = "It is a URL such as postgresql://supportaccess_server@db.example/supportaccess."
_ROWS_AT_ONCE = 100  # a source event may be of a megabyte
# A list is to be read along an index that has its order, and its rows looked up by their IDs, whatever the planner
# thinks of a tenant that it has no statistics of: to sort its rows, or to go through them again and again, looks cheap
# where it expects a single one. Costs are out of all proportion then, so no JIT.
_READ_SETTINGS = {
    "statement_timeout": "60s",
    "enable_sort": "off",
    "enable_seqscan": "off",
    "enable_material": "off",
    "jit": "off",
}
# No time limit for statements: it would hold for COMMIT as well, and a COMMIT that is cancelled while it waits for a
# standby is kept here, and lost should this machine be.
_WRITE_SETTINGS = {"statement_timeout": "0", "lock_timeout": "10s", "idle_in_transaction_session_timeout": "60s"}

Connection = psycopg.Connection[Row]
_PARAMETER = re.compile(r"(?<!:):([a-z]\w*)")


class PostgresqlEngine:
    """A pool of connections to a database, for any number of threads. `seconds` is how long to wait for one of them."""

    lock_head = "SELECT size, root, frontier FROM audit_log_heads WHERE tenant_id = :tenant_id FOR UPDATE"
    lock_rows = " FOR UPDATE"
    dialect = Dialect(join_texts="string_agg({}, {})::varchar", merges=True)

    def __init__(self, conninfo: str, *, pool: int, seconds: float = 5) -> None:
        self._seconds = seconds
        self.pool = ConnectionPool(
            conninfo,
            kwargs=_CONNECTION_OPTIONS,
            min_size=1,
            max_size=pool,
            timeout=seconds,
            reconnect_timeout=seconds,
            check=_check,
            configure=_configure,
            open=True,
        )

    @contextmanager
    def reading(self, tenant_ids: Sequence[str]) -> Iterator[Session]:
        """Open a session for reads: each batch is one implicit transaction, and one round trip."""
        with self._connection() as connection:
            yield _Session(connection, [_settings(tenant_ids, _READ_SETTINGS)])

    @contextmanager
    def snapshot(self, tenant_ids: Sequence[str]) -> Iterator[Session]:
        """Open a session whose reads all see the store at one moment."""
        begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        with self._transaction([begin, _settings(tenant_ids, _READ_SETTINGS)]) as session:
            yield session

    @contextmanager
    def writing(self, tenant_ids: Sequence[str]) -> Iterator[Session]:
        """Open a transaction. Each statement sees what is committed; what is locked stays as it was read."""
        begin = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
        with self._transaction([begin, _settings(tenant_ids, _WRITE_SETTINGS)]) as session:
            yield session

    def close(self) -> None:
        """Close the connections."""
        self.pool.close()

    @contextmanager
    def _transaction(self, opening: Sequence[str]) -> Iterator["_Transaction"]:
        with self._connection() as connection:
            session = _Transaction(connection, opening)
            try:
                yield session
            except BaseException:
                session.roll_back()
                raise
            session.end()

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        try:
            connection = self.pool.getconn()
        except psycopg.OperationalError as error:
            raise StoreUnavailable(
                f"the database gave no connection within {self._seconds:g} seconds; nothing was changed",
                hint="Is it running, and is the pool large enough? Then run the same command again.",
            ) from error
        try:
            yield connection
        finally:
            self.pool.putconn(connection)


class _Session:
    """`opening` goes ahead of the statements of each message."""

    def __init__(self, connection: Connection, opening: Sequence[str]) -> None:
        self._connection = connection
        self._opening = opening

    def batch(self, statements: Sequence[Statement]) -> list[Result]:
        return self._send([_filled(statement, self._connection) for statement in statements]) if statements else []

    def finish(self, statements: Sequence[Statement]) -> None:
        self.batch(statements)

    def all(self, sql: str, parameters: Parameters) -> list[Row]:
        return self.batch([Statement(sql, parameters)])[0].rows

    def one(self, sql: str, parameters: Parameters) -> Row | None:
        return next(iter(self.all(sql, parameters)), None)

    def each(self, sql: str, parameters: Parameters) -> Iterator[Row]:
        return iter(self.all(sql, parameters))

    def run(self, sql: str, parameters: Parameters) -> int:
        return self.batch([Statement(sql, parameters)])[0].touched

    def _send(self, statements: Sequence[str]) -> list[Result]:
        """Return the results of the statements; those of the opening are passed over."""
        try:
            results, _ = _execute(self._connection, [*self._opening, *statements])
        except psycopg.Error as error:
            if error.sqlstate == READ_ONLY:
                self._connection.close()  # to a standby: the next one may find the primary
            raise explain(error) from error
        return results[-len(statements) :]


class _Transaction(_Session):
    """Begins with its first message."""

    def __init__(self, connection: Connection, opening: Sequence[str]) -> None:
        super().__init__(connection, opening)
        self._cursors = count()

    def each(self, sql: str, parameters: Parameters) -> Iterator[Row]:
        name = f"rows_{next(self._cursors)}"
        declare = f"DECLARE {name} NO SCROLL CURSOR FOR {_filled(Statement(sql, parameters), self._connection)}"
        fetch = f"FETCH {_ROWS_AT_ONCE} FROM {name}"
        rows = self._send([declare, fetch])[1].rows
        while rows:
            yield from rows
            rows = self._send([fetch])[0].rows
        self._send([f"CLOSE {name}"])

    def finish(self, statements: Sequence[Statement]) -> None:
        """Execute the statements and COMMIT. Raises OutcomeUnknown when the answer does not say what became of it."""
        message = [*self._opening, *(_filled(statement, self._connection) for statement in statements), "COMMIT"]
        with _warnings(self._connection) as warnings:
            try:
                _, done = _execute(self._connection, message)
            except psycopg.Error as error:
                raise explain_commit(error, lost=self._connection.broken) from error
        if warnings:
            # It gave up waiting for a standby: kept here, and lost should this machine be. Who asks again with the same
            # key waits for the standby as well, since locking a log is a change of its own to PostgreSQL.
            raise outcome_unknown(f"the database warned: {'; '.join(warnings)}")
        if done != "COMMIT":
            raise StoreUnavailable("the database took the transaction back; nothing was changed", hint=AGAIN)

    def end(self) -> None:
        """Make durable what `finish` has not."""
        if not self._idle():
            self.finish([])

    def roll_back(self) -> None:
        """Take it back. A connection that is lost, or cannot be told to, does that by itself."""
        if not self._idle():
            try:
                self._connection.execute("ROLLBACK")
            except psycopg.Error:
                self._connection.close()

    def _send(self, statements: Sequence[str]) -> list[Result]:
        try:
            return super()._send(statements)
        finally:
            self._opening = ()

    def _idle(self) -> bool:
        return self._connection.pgconn.transaction_status == TransactionStatus.IDLE


def _execute(connection: Connection, statements: Sequence[str]) -> tuple[list[Result], str | None]:
    """Return the results of statements sent as one message, and what the database calls the last of them."""
    with connection.cursor() as cursor:
        cursor.execute("; ".join(statements).encode())
        return [_result(cursor) for _ in cursor.results()], cursor.statusmessage


@contextmanager
def _warnings(connection: Connection) -> Iterator[list[str]]:
    """Collect what the database warns of during a block."""
    warnings: list[str] = []

    def notice(told: Diagnostic) -> None:
        if told.severity_nonlocalized == "WARNING":
            warnings.append(str(told.message_primary))

    connection.add_notice_handler(notice)
    try:
        yield warnings
    finally:
        connection.remove_notice_handler(notice)


@contextmanager
def connected(conninfo: str) -> Iterator[Connection]:
    """Open one connection, for the upkeep of a database."""
    try:
        connection = psycopg.connect(conninfo, **_CONNECTION_OPTIONS)
    except psycopg.ProgrammingError:  # it may have a password in it: not shown
        raise InvalidInput("the connection string of the database cannot be read", hint=_CONNINFO) from None
    except psycopg.OperationalError as error:
        raise StoreUnavailable(
            f"the database cannot be reached: {first_line(error)}",
            hint="Is it running, and are its address, the role and the password right?",
        ) from error
    try:
        with connection:
            yield connection
    except psycopg.Error as error:
        raise explain(error) from error


def _settings(tenant_ids: Sequence[str], others: Mapping[str, str]) -> str:
    """Return the statement that sets, for its transaction, whose rows are seen (the migrations' policies read it)."""
    if tuple(tenant_ids) != EVERY_TENANT and not all(map(is_guid, tenant_ids)):
        raise InvalidInput(f"{', '.join(tenant_ids)!r} has something in it that is no tenant ID")
    settings = {"supportaccess.tenants": ",".join(tenant_ids), **others}
    return "SELECT " + ", ".join(f"set_config('{name}', '{value}', true)" for name, value in settings.items())


@lru_cache(1024)
def _split(statement: str) -> tuple[str, ...]:
    """Return the text of a statement and the names of its parameters by turns."""
    return tuple(_PARAMETER.split(statement))


def _filled(statement: Statement, connection: Connection) -> str:
    """Return a statement with its values, as psycopg quotes them, in the places of the parameters.

    One that must touch a row divides by their number, so that without one the whole message fails, its COMMIT included.
    """
    parts = list(_split(statement.sql))
    quoting = Transformer(connection)
    try:
        parts[1::2] = [quoting.as_literal(statement.parameters[name]).decode() for name in parts[1::2]]
    except (UnicodeEncodeError, psycopg.DataError) as error:
        raise InvalidInput("a text that was given is not one that a store can hold") from error
    filled = "".join(parts)
    return f"WITH done AS ({filled} RETURNING 1) SELECT 1 / count(*) FROM done" if statement.one_row else filled


def _result(cursor: psycopg.Cursor[Row]) -> Result:
    has_rows = cursor.pgresult is not None and cursor.pgresult.nfields > 0
    return Result(cursor.fetchall() if has_rows else [], cursor.rowcount)


class _Undecoded(Loader):
    """Loads the texts that are to come as bytes: those of the type varchar, which no column has."""

    def load(self, data: Buffer) -> bytes:
        return bytes(data)


def _configure(connection: Connection) -> None:
    connection.adapters.register_loader("varchar", _Undecoded)


def _check(connection: Connection) -> None:
    """Raise psycopg.OperationalError for a connection that has ended, without asking the database."""
    # Nothing is waited for. The first may still read the database's last words, the second its end.
    connection.pgconn.consume_input()
    connection.pgconn.consume_input()
