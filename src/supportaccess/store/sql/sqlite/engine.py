"""SQLite as an engine of the SQL store."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from supportaccess.errors import (
    InvalidInput,
    OutcomeUnknown,
    StoreFull,
    StoreRefused,
    StoreUnavailable,
    SupportAccessError,
)
from supportaccess.store.sql.engine import Dialect, Parameters, Raced, Result, Row, Session, Statement

_SECONDS_TO_WAIT = 60.0


class SqliteEngine:
    """One connection to a database file, for one thread. Whoever may open the file sees every tenant in it."""

    # A transaction holds the only write lock already.
    lock_head = "SELECT size, root, frontier FROM audit_log_heads WHERE tenant_id = :tenant_id"
    lock_rows = ""
    dialect = Dialect(join_texts="CAST(group_concat({}, {}) AS BLOB)", merges=False)

    def __init__(self, path: Path) -> None:
        self.path = path
        with _explained(path):
            self.connection = sqlite3.connect(path, timeout=_SECONDS_TO_WAIT, isolation_level=None)
            try:
                # FULL syncs the log at every commit: what was acknowledged survives a power cut.
                self.connection.execute("PRAGMA synchronous = FULL")
            except BaseException:
                self.connection.close()
                raise
        self._session = _Session(self.connection, path)

    @contextmanager
    def reading(self, tenant_ids: Sequence[str]) -> Iterator[Session]:  # noqa: ARG002
        """Open a session for reads; each statement sees what is committed."""
        yield self._session

    @contextmanager
    def snapshot(self, tenant_ids: Sequence[str]) -> Iterator[Session]:  # noqa: ARG002
        """Open a session whose reads all see the store at one moment. Text that is not UTF-8 comes as bytes."""
        self.connection.text_factory = _text_or_bytes
        try:
            with self._transaction("BEGIN"):
                yield self._session
        finally:
            self.connection.text_factory = str

    @contextmanager
    def writing(self, tenant_ids: Sequence[str]) -> Iterator[Session]:  # noqa: ARG002
        """Open a transaction. IMMEDIATE takes the write lock first: a read in it cannot go stale before its write."""
        with self._transaction("BEGIN IMMEDIATE"):
            yield self._session

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        with _explained(self.path):
            self.connection.execute(begin)
        try:
            yield
        except BaseException:
            self._roll_back()
            raise
        try:
            self.connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            raise _explain_commit(error, self.path) from error

    def _roll_back(self) -> None:
        # After some errors, a full disk among them, SQLite has rolled back by itself.
        if self.connection.in_transaction:
            with _explained(self.path):
                self.connection.execute("ROLLBACK")


class _Session:
    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    def batch(self, statements: Sequence[Statement]) -> list[Result]:
        return [self._execute(statement) for statement in statements]

    def finish(self, statements: Sequence[Statement]) -> None:
        self.batch(statements)

    def all(self, sql: str, parameters: Parameters) -> list[Row]:
        return self._execute(Statement(sql, parameters)).rows

    def one(self, sql: str, parameters: Parameters) -> Row | None:
        with _explained(self._path):
            row: Row | None = self._connection.execute(sql, parameters).fetchone()
            return row

    def each(self, sql: str, parameters: Parameters) -> Iterator[Row]:
        with _explained(self._path):
            yield from self._connection.execute(sql, parameters)

    def run(self, sql: str, parameters: Parameters) -> int:
        return self._execute(Statement(sql, parameters)).touched

    def _execute(self, statement: Statement) -> Result:
        with _explained(self._path):
            cursor = self._connection.execute(statement.sql, statement.parameters)
            result = Result(cursor.fetchall(), cursor.rowcount)
        if statement.one_row and result.touched != 1:
            raise Raced(
                "somebody else wrote at the same moment; nothing was changed", hint="Run the same command again."
            )
        return result


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise explain(error, path) from error
    except OverflowError:
        raise InvalidInput("a number that was given is larger than any store can hold") from None
    except UnicodeEncodeError:
        raise InvalidInput("a text that was given is not valid Unicode") from None


def _text_or_bytes(data: bytes) -> str | bytes:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def explain(error: sqlite3.Error, path: Path) -> SupportAccessError:
    """Return what a SQLite error means to the one who runs the command."""
    # The low byte is the primary code; sqlite3 has no code for errors of its own making.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    match code:
        case sqlite3.SQLITE_FULL:
            return StoreFull(
                f"the disk of {path} is full; nothing was changed", hint="Make room, then run the same command again."
            )
        case sqlite3.SQLITE_IOERR:
            return StoreRefused(
                f"{path} could not be read or written ({error}); nothing was changed",
                hint="Look for a full or failing disk, then run the same command again.",
            )
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreUnavailable(
                f"another program held {path} for more than {_SECONDS_TO_WAIT:.0f} seconds; nothing was changed",
                hint="Run the same command again.",
            )
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH:
            return StoreRefused(
                f"{path} cannot be opened or written: {error}",
                hint="supportaccess doctor names the file and its rights.",
            )
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return StoreRefused(
                f"{path} is damaged: {error}", hint="Keep the file as evidence and restore a backup: docs/store.md."
            )
        case _:
            return StoreRefused(
                f"{path} is not as this program left it: {error}",
                hint="supportaccess audit verify and supportaccess doctor tell more.",
            )


def _explain_commit(error: sqlite3.Error, path: Path) -> SupportAccessError:
    code = getattr(error, "sqlite_errorcode", 0)
    # What could not be written is not there; what was written and could not be synced may be.
    if code & 0xFF == sqlite3.SQLITE_IOERR and code != sqlite3.SQLITE_IOERR_WRITE:
        return OutcomeUnknown(
            f"{path} could not be synced ({error}): it is not known whether the change was kept",
            hint="supportaccess audit log shows whether it was.",
        )
    return explain(error, path)
