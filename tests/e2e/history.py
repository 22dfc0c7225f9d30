"""Other pasts for a shared store, as whoever has its database can make them."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
from tests.e2e.shared_store import OnPostgresql, OnSqlite, SharedStore
from tests.support.people import HOME

from supportaccess.tlog.merkle import Frontier, leaf_hash


def keys(shared_store: SharedStore) -> Path:
    """Return the folder of the key and the signed heads."""
    return shared_store.folder / "keys"


def copied(shared_store: SharedStore) -> tuple[Path, Callable[[], None]]:
    """Take a copy of the database, and return what puts it back."""
    copy = shared_store.folder / "copy"
    database = shared_store.database
    if isinstance(database, OnSqlite):
        file = shared_store.folder / "store.db"
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)

        def put_back() -> None:
            for suffix in ("", "-wal", "-shm"):
                file.with_name(file.name + suffix).unlink(missing_ok=True)
            shutil.copy(copy, file)
            file.chmod(0o600)

        return copy, put_back
    assert isinstance(database, OnPostgresql)
    cluster, name = database.cluster, database.name
    tables = ["access_requests", "support_requests", "idempotency"]
    tables += ["audit_events", "audit_log_heads", "audit_checkpoints"]
    conninfo = cluster.conninfo(name, options="-c session_replication_role=replica")
    with psycopg.connect(conninfo, autocommit=True) as connection:
        for table in tables:
            connection.execute(f"CREATE TABLE copy_of_{table} AS TABLE {table}".encode())

    def restore() -> None:
        with psycopg.connect(conninfo, autocommit=True) as connection:
            for table in tables:
                connection.execute(f"DELETE FROM {table}; INSERT INTO {table} SELECT * FROM copy_of_{table}".encode())

    return copy, restore


def rewrite(shared_store: SharedStore) -> None:
    """Let every entry name another support request, and what follows from it, as whoever has the database can."""
    database = shared_store.database
    if isinstance(database, OnSqlite):
        with closing(sqlite3.connect(shared_store.folder / "store.db", isolation_level=None)) as connection:
            connection.execute("DROP TRIGGER audit_events_are_not_changed")
            connection.execute("DROP TRIGGER audit_events_are_not_deleted")
            _rewrite(lambda statement, *values: connection.execute(statement, values).fetchall())
        return
    assert isinstance(database, OnPostgresql)
    conninfo = database.cluster.conninfo(database.name, options="-c session_replication_role=replica")
    with psycopg.connect(conninfo, autocommit=True) as bare:

        def run(statement: str, *values: object) -> list[tuple[object, ...]]:
            cursor = bare.execute(statement.replace("?", "%s").encode(), values)
            return cursor.fetchall() if cursor.description else []

        _rewrite(run)


def _rewrite(run: Callable[..., list[tuple[object, ...]]]) -> None:
    rows = run("SELECT sequence, entry FROM audit_events WHERE tenant_id = ? ORDER BY sequence", HOME)
    frontier = Frontier()
    for sequence, entry in rows:
        assert isinstance(entry, bytes)
        data = entry.replace(b'"supportRequestId":"', b'"supportRequestId":"9')
        assert data != entry or b'"Audit log read"' in entry  # which names none
        frontier.append(leaf_hash(data))
        run(
            "UPDATE audit_events SET entry = ?, leaf_hash = ? WHERE tenant_id = ? AND sequence = ?",
            data,
            leaf_hash(data),
            HOME,
            sequence,
        )
    run(
        "UPDATE audit_log_heads SET root = ?, frontier = ? WHERE tenant_id = ?",
        frontier.root(),
        frontier.to_bytes(),
        HOME,
    )
    run("DELETE FROM audit_checkpoints WHERE tenant_id = ?", HOME)
