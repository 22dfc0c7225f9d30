"""The embedded store: one SQLite file, nothing to install or start."""

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from supportaccess.errors import StoreRefused
from supportaccess.store.sql.engine import KNOWN_VERSION
from supportaccess.store.sql.sqlite.engine import SqliteEngine, explain

_ELSEWHERE = "Set SUPPORTACCESS_DATA_DIR to a folder that you may write."


def open_embedded(path: Path) -> SqliteEngine:
    """Open the store at a path, making it on first use and bringing an older one up to date after a backup copy.

    The file is for its owner alone (0600, its folder 0700). Raises StoreRefused for a newer or a damaged one.
    """
    if not _is_there(path):
        _make(path)
    engine = SqliteEngine(path)
    try:
        if _usable_version(engine) < KNOWN_VERSION:
            _bring_up_to_date(engine)
    except BaseException:
        engine.close()
        raise
    return engine


def schema_version(engine: SqliteEngine) -> int:
    """Return the version of the file's schema: 0 for an empty one."""
    with engine.reading(()) as session:
        row = session.one("PRAGMA user_version", {})
    return int(row[0]) if row else 0


def back_up(engine: SqliteEngine, target: Path) -> None:
    """Copy the whole store, as it is at this moment, to a new file (0600).

    Raises StoreRefused when the file is there already or cannot be written.
    """
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, stat.S_IRUSR | stat.S_IWUSR))
    except FileExistsError:
        raise StoreRefused(f"{target} exists already and was left alone", hint="Name another file.") from None
    except OSError as error:
        raise StoreRefused(f"{target} cannot be made: {error.strerror}", hint="Name another place.") from None
    try:
        copy = sqlite3.connect(target)
        try:
            engine.connection.backup(copy)
        finally:
            copy.close()
    except sqlite3.Error as error:
        target.unlink(missing_ok=True)
        raise explain(error, target) from error


def _is_there(path: Path) -> bool:
    try:
        path.stat()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StoreRefused(f"the store {path} cannot be reached: {error.strerror}", hint=_ELSEWHERE) from None
    return True


def _make(path: Path) -> None:
    """Make an empty store: under another name first, so that a store is never half made."""
    new = path.with_name(f"{path.name}.new")
    try:
        for folder in _missing(path.parent):
            folder.mkdir(mode=stat.S_IRWXU, exist_ok=True)
        with _only_one(path):
            if _is_there(path):
                return
            new.unlink(missing_ok=True)
            # Before SQLite opens it, so that it is never readable by others; its helper files get the same rights.
            os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_RDWR, stat.S_IRUSR | stat.S_IWUSR))
            engine = SqliteEngine(new)
            try:
                _migrate(engine, 0)
            finally:
                engine.close()
            new.replace(path)
    except OSError as error:
        raise StoreRefused(f"the store {path} cannot be made: {error.strerror}", hint=_ELSEWHERE) from None


def _missing(folder: Path) -> list[Path]:
    """Return the folders that are still to be made, outermost first."""
    return [] if folder.is_dir() or folder == folder.parent else [*_missing(folder.parent), folder]


def _usable_version(engine: SqliteEngine) -> int:
    version = schema_version(engine)
    if version > KNOWN_VERSION:
        raise StoreRefused(
            f"{engine.path} was made by a newer supportaccess (schema {version}; this one knows {KNOWN_VERSION})",
            hint="pip install --upgrade supportaccess",
        )
    if version == 0:
        raise StoreRefused(
            f"{engine.path} is not a store of this program, or was emptied",
            hint="Restore a backup (docs/store.md), or move the file away to begin anew.",
        )
    return version


def _bring_up_to_date(engine: SqliteEngine) -> None:
    with _only_one(engine.path):
        version = _usable_version(engine)
        if version < KNOWN_VERSION:
            moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
            back_up(engine, engine.path.with_name(f"{engine.path.stem}-schema-{version}-{moment}.db"))
            _migrate(engine, version)


def _migrate(engine: SqliteEngine, version: int) -> None:
    from supportaccess.store.sql.migrations import migrations

    try:
        engine.connection.execute("PRAGMA journal_mode = WAL")
        for number, statements in sorted(migrations("sqlite").items()):
            if number > version:
                engine.connection.executescript(
                    f"BEGIN IMMEDIATE;\n{statements}\nPRAGMA user_version = {number};\nCOMMIT;"
                )
    except sqlite3.Error as error:
        if engine.connection.in_transaction:
            engine.connection.execute("ROLLBACK")
        raise explain(error, engine.path) from error


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Keep other processes from making or migrating the store meanwhile."""
    from filelock import FileLock

    lock = FileLock(path.with_suffix(".lock"), mode=stat.S_IRUSR | stat.S_IWUSR)
    try:
        lock.acquire()
    except OSError as error:
        raise StoreRefused(
            f"{lock.lock_file} cannot be made or locked: {error.strerror}",
            hint="The store's folder must be yours to write.",
        ) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def only_server(path: Path) -> Iterator[None]:
    """Keep other servers from the same file: one sweeps, posts webhooks and counts what callers may do.

    Whoever works with the file by the command line is not kept from it. Raises StoreRefused where there is one already.
    """
    from filelock import FileLock, Timeout

    from supportaccess.private_files import make_folder, refused

    make_folder(path.parent)
    lock = FileLock(path.with_name(f"{path.name}.server"), timeout=0, mode=stat.S_IRUSR | stat.S_IWUSR)
    try:
        lock.acquire()
    except Timeout:
        raise StoreRefused(
            f"another server has {path} open",
            hint="Stop that one first. On PostgreSQL there may be as many as you like.",
        ) from None
    except OSError as error:
        raise refused(path.parent, "written", error) from error
    try:
        yield
    finally:
        lock.release()
