"""A PostgreSQL of the tests' own: a cluster for a whole run with a database for each test process, and further ones."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo
from tests.support import run
from tests.support.requirements import require
from tests.support.run import IN_MEMORY
from tests.support.worlds import SqlWorld

from supportaccess.store.sql.postgresql.engine import PostgresqlEngine
from supportaccess.store.sql.postgresql.open import open_postgresql
from supportaccess.store.sql.postgresql.schema import RIGHTS, SERVER_ROLE, migrate

OWNER = "supportaccess_owner"
SECONDS = 60
MIGRATED = "migrated"
"""The database with the store's schema that others are copies of."""
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "shared_buffers": "32MB",
    "unix_socket_directories": "",
    "max_connections": "400",  # for a dozen test processes, each with a few pools
    "max_wal_size": "256MB",
    "log_min_messages": "warning",
    "password_encryption": "scram-sha-256",
}
# The folder's files, on a file system of a size, mounted where they were; it lasts as long as this process.
_SMALL_DISK = """
mkdir "$2" && mount -t tmpfs -o size="$0" tmpfs "$2" && cp -a "$1/." "$2" || exit 77
chown --reference="$1" "$2" && chmod 0700 "$2" && head -c "$3" /dev/zero > "$2/ballast"
mount --bind "$2" "$1" && echo ready && exec sleep 3600
"""


def programs() -> Path | None:
    """Return the folder of PostgreSQL's programs."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


def run_as() -> str | None:
    """Return whom to run PostgreSQL as: it refuses root."""
    return "nobody" if os.geteuid() == 0 else None


class Cluster:
    """A database server, and how to connect to it."""

    def __init__(self, port: int, password: str) -> None:
        self.port = port
        self.password = password

    def conninfo(self, database: str = "postgres", user: str = "postgres", **other: str | int) -> str:
        """Return how to connect, by default as the superuser."""
        named: dict[str, Any] = {"host": "127.0.0.1", "port": self.port, "password": self.password}
        return make_conninfo("", dbname=database, user=user, **(named | other))

    def run(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Execute something as the superuser."""
        with psycopg.connect(self.conninfo(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def make_database(self, name: str) -> str:
        """Make an empty database of the owner, and return how the server's role connects to it."""
        return self._make(name, "template0")

    def make_store(self, name: str) -> str:
        """Make a database with the store's schema, and return how the server's role connects to it."""
        return self._make(name, MIGRATED)

    @contextmanager
    def new_database(self, template: str = "template0") -> Iterator[str]:
        """Make a database like another one, that is gone after the block, and return its name."""
        name = f"new_{secrets.token_hex(4)}"
        self._make(name, template)
        try:
            yield name
        finally:
            self.run(f"DROP DATABASE {name} WITH (FORCE)")

    def wait_for(self, condition: str, database: str = "postgres") -> None:
        """Wait until a condition (a SELECT) holds."""
        until = time.monotonic() + SECONDS
        while self.run(condition, database) != [(True,)]:
            assert time.monotonic() < until, condition
            time.sleep(0.02)

    def _make(self, name: str, template: str) -> str:
        self.run(f"CREATE DATABASE {name} OWNER {OWNER} TEMPLATE {template}")
        return self.conninfo(name, SERVER_ROLE)


class OwnCluster(Cluster):
    """One that a test may stop, kill and change, with all that it keeps in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        image = _image()
        super().__init__(free_port(), image["password"])
        self.folder = folder
        self.data = folder / "data"
        self.wal = folder / "wal"
        self._process: subprocess.Popen[bytes] | None = None
        self._disk: subprocess.Popen[bytes] | None = None
        _own(folder)
        _copy(Path(image["folder"]), folder)

    def start(self, *settings: str) -> None:
        """Start it and wait until it takes connections."""
        options = [argument for setting in settings for argument in ("-c", setting)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._beside_the_disk(), *_postgres(self.data, self.port), *options],
                stdout=log,
                stderr=log,
                user=None if self._disk else run_as(),
                cwd=self.folder,
            )
        _wait_until_it_answers(self, self.folder, self._process)

    def stop(self) -> None:
        """Stop it at once, without asking its clients; what it acknowledged is kept."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)  # the immediate shutdown, its children with it
            self._process.wait(SECONDS)
            self._process = None

    def kill(self) -> None:
        """Kill all its processes, as a crash of the machine would."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        self._process.kill()
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)
        self._process.wait(SECONDS)
        self._process = None
        # One that is still dying holds the shared memory, and the next start would be refused.
        until = time.monotonic() + SECONDS
        while any(_is_alive(child) for child in children):
            assert time.monotonic() < until
            time.sleep(0.01)

    def on_a_small_disk(self, folder: Path, room: int) -> None:
        """Start again with a folder of it on a disk with so many bytes of room, and as many again under `make_room`."""
        self.stop()
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) * 11 // 10 + 2 * room
        new = ["unshare", "-m"] if run_as() else ["unshare", "-Um", "--map-current-user", "--keep-caps"]
        self._small = folder
        self._disk = subprocess.Popen(
            [*new, "sh", "-c", _SMALL_DISK, str(size), folder, self.folder / "disk", str(room)], stdout=subprocess.PIPE
        )
        assert self._disk.stdout is not None
        require(self._disk.stdout.readline() == b"ready\n", "the right to mount a tmpfs (as root, or unshare -Um)")
        self.start()

    def make_room(self) -> None:
        """Give the small disk the rest of its room."""
        assert self._disk is not None
        Path(f"/proc/{self._disk.pid}/root{self._small}/ballast").unlink()

    def close(self) -> None:
        """Stop it, and give the small disk back."""
        self.stop()
        if self._disk is not None:
            self._disk.kill()
            self._disk.communicate()

    def _beside_the_disk(self) -> list[str]:
        if self._disk is None:
            return []
        enter = ["nsenter", "-t", str(self._disk.pid), "-m"]
        if account := run_as():
            return [*enter, "setpriv", "--reuid", account, "--regid", "0", "--clear-groups"]
        return [*enter, "-U", "--preserve-credentials"]


def _own(path: Path) -> None:
    if account := run_as():
        shutil.chown(path, account)


def _run(program: str, *arguments: object, folder: Path) -> None:
    binaries = programs()
    assert binaries is not None
    done = subprocess.run(
        [binaries / program, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        user=run_as(),
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr


def _postgres(data: Path, port: int) -> list[str]:
    binaries = programs()
    assert binaries is not None
    return [str(binaries / "postgres"), "-D", str(data), "-p", str(port)]


def _wait_until_it_answers(cluster: Cluster, folder: Path, process: "subprocess.Popen[bytes] | None" = None) -> None:
    until = time.monotonic() + SECONDS
    while True:
        try:
            psycopg.connect(cluster.conninfo(), connect_timeout=2).close()
        except psycopg.OperationalError:
            if time.monotonic() > until or (process is not None and process.poll() is not None):
                raise AssertionError((folder / "log").read_text()[-4000:]) from None
            time.sleep(0.01)
        else:
            return


def _image() -> dict[str, Any]:
    """Return the folder of a cluster that is not running, and its password: it is sooner copied than made anew."""
    require(programs(), "PostgreSQL's programs (apt-get install postgresql)")
    return run.current().shared("postgresql-image", _make_image)


def _make_image(folder: Path) -> dict[str, str]:
    """Make a cluster with the roles, and with a database that has the store's schema."""
    _own(folder)
    data, password, port = folder / "data", secrets.token_hex(8), free_port()
    password_file = folder / "password"
    password_file.touch(mode=0o600)
    password_file.write_text(password)
    _own(password_file)
    options = ["-D", data, "-U", "postgres", "--pwfile", password_file, "-A", "scram-sha-256", "-E", "UTF8"]
    options += ["--locale", "C.UTF-8", "--no-sync", "-X", folder / "wal", "--wal-segsize", "1"]
    _run("initdb", *options, folder=folder)
    with (data / "postgresql.conf").open("a") as file:
        file.writelines(f"{name} = '{value}'\n" for name, value in _SETTINGS.items())
    cluster = Cluster(port, password)
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(_postgres(data, port), stdout=log, stderr=log, user=run_as(), cwd=folder)
    try:
        _wait_until_it_answers(cluster, folder, process)
        for role in (OWNER, SERVER_ROLE):
            cluster.run(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'")
        cluster.make_database(MIGRATED)
        migrate(cluster.conninfo(MIGRATED, OWNER))
        # A database that somebody is connected to is no template.
        cluster.run(f"ALTER DATABASE {MIGRATED} ALLOW_CONNECTIONS false")
    finally:
        process.send_signal(signal.SIGINT)  # the fast shutdown, after which nothing is to be recovered
        process.wait(SECONDS)
    return {"folder": str(folder), "password": password}


def _copy(image: Path, folder: Path) -> None:
    subprocess.run(["cp", "-a", image / "data", image / "wal", folder], check=True, timeout=SECONDS)
    link = folder / "data" / "pg_wal"
    link.unlink()
    link.symlink_to(folder / "wal")


def _is_alive(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


@contextmanager
def new_cluster() -> Iterator[OwnCluster]:
    """Make and start a cluster that is gone after the block."""
    require(programs(), "PostgreSQL's programs (apt-get install postgresql)")
    with tempfile.TemporaryDirectory(prefix="sa-pg-", dir=IN_MEMORY, ignore_cleanup_errors=True) as folder:
        cluster = OwnCluster(Path(folder))
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.close()


STORE = f"store_{os.getpid()}"
"""The database of this test process in the shared cluster, with the store's schema."""


@cache
def shared_cluster() -> Cluster:
    """Return the cluster of the run, which other test processes use, too, with a database for this one."""
    image = _image()
    told = run.current().shared("postgresql", partial(_start_shared, image))
    cluster = Cluster(told["port"], image["password"])
    cluster.make_store(STORE)
    return cluster


def _start_shared(image: Mapping[str, Any], folder: Path) -> dict[str, int]:
    _own(folder)
    _copy(Path(image["folder"]), folder)
    port = free_port()
    run.current().keep(_postgres(folder / "data", port), folder, end=signal.SIGQUIT, user=run_as())
    _wait_until_it_answers(Cluster(port, image["password"]), folder)
    return {"port": port}


TABLES = [table for table in RIGHTS if table != "schema_version"]


@cache
def _emptying() -> psycopg.Connection[tuple[object, ...]]:
    """Return a connection of the superuser, whom neither row-level security nor the audit log's triggers hold."""
    conninfo = shared_cluster().conninfo(STORE, options="-c session_replication_role=replica")
    connection = psycopg.connect(conninfo, autocommit=True)
    run.current().at_end.callback(connection.close)
    return connection


@cache
def _shared_engine() -> PostgresqlEngine:
    engine = open_postgresql(shared_cluster().conninfo(STORE, SERVER_ROLE))
    run.current().at_end.callback(engine.close)
    return engine


def empty_the_shared_store() -> None:
    """Leave nothing in this process's database; few rows are sooner deleted than tables made anew."""
    _emptying().execute("; ".join(f"DELETE FROM {table}" for table in TABLES).encode())


@contextmanager
def postgresql_world() -> Iterator[SqlWorld]:
    """Make an empty store on PostgreSQL, and verify it at the end."""
    require(programs(), "PostgreSQL's programs (apt-get install postgresql)")
    empty_the_shared_store()
    world = SqlWorld(_shared_engine())
    yield world
    assert world.findings() == []
