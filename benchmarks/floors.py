"""Bare drivers that do to a database what the store did: the same statements with the same values, and nothing else."""

import re
import sqlite3
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from threading import Lock

import psycopg
from benchmarks.recording import Recorded

from supportaccess.store.sql.engine import Row, Statement

_PARAMETER = re.compile(r"(?<!:):([a-z]\w*)")
_TENANTS = "SELECT set_config('supportaccess.tenants', %(tenants)s, false)"


class SameMessages:
    """One connection to PostgreSQL, for one thread, that sends what the store sent, byte for byte.

    The values are put into the statements as the driver does it, too: it costs what it costs the store.
    """

    def __init__(self, conninfo: str) -> None:
        self._connection = psycopg.connect(conninfo, autocommit=True)
        self._quoting = psycopg.ClientCursor(self._connection)

    def run(self, recorded: Recorded) -> None:
        """Send the messages of a session and fetch every answer."""
        for statement in (each for trip in recorded.trips for each in trip):
            self._quoting.mogrify(_with_percent(statement.sql), statement.parameters)
        for message in recorded.messages:
            cursor = self._connection.cursor()
            cursor.execute(message)
            for result in cursor.results():
                if result.description is not None:
                    result.fetchall()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class Prepared:
    """One connection to PostgreSQL, for one thread, with prepared statements, which do not pass through every pooler.

    The tenants are set once, and nothing else is.
    """

    def __init__(self, conninfo: str, tenant_ids: Sequence[str]) -> None:
        self._connection = psycopg.connect(conninfo, autocommit=True)
        self._connection.execute(_TENANTS, {"tenants": ",".join(tenant_ids)})

    def run(self, recorded: Recorded) -> None:
        """Do what was recorded, in as many round trips."""
        first, *others = recorded.trips
        if recorded.kind == "reading":
            for statement in first:
                self._execute(statement).fetchall()
            return
        with self._connection.pipeline() as pipeline:
            self._connection.execute("BEGIN")
            asked = [self._execute(statement) for statement in first]
            pipeline.sync()
            for cursor in asked:
                cursor.fetchall()
            for statement in (each for trip in others for each in trip):
                self._execute(statement)
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _execute(self, statement: Statement) -> psycopg.Cursor[Row]:
        return self._connection.execute(_with_percent(statement.sql), statement.parameters, prepare=True)


class SqliteFloor:
    """One connection for all threads, one at a time: SQLite is fastest so."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA synchronous = FULL")
        self._lock = Lock()

    def run(self, recorded: Recorded) -> None:
        """Do what was recorded."""
        with self._lock:
            if recorded.kind == "writing":
                self._connection.execute("BEGIN IMMEDIATE")
            for trip in recorded.trips:
                for statement in trip:
                    self._connection.execute(statement.sql, statement.parameters).fetchall()
            if recorded.kind == "writing":
                self._connection.execute("COMMIT")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@lru_cache
def _with_percent(sql: str) -> bytes:
    """Return a statement with its parameters as psycopg has them."""
    return _PARAMETER.sub(r"%(\1)s", sql.replace("%", "%%")).encode()
