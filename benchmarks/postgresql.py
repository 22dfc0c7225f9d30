"""A PostgreSQL server for one benchmark: made in a folder of its own, and gone with it."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from supportaccess.store.sql.postgresql.schema import SERVER_ROLE, migrate

_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "60",
    "shared_buffers": "1GB",
    "maintenance_work_mem": "512MB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "30min",
}
"""What an operator would set for such sizes. All that makes an acknowledgement durable stays as it is delivered."""
_SECONDS_TO_START = 60


@contextmanager
def postgresql() -> Iterator[str]:
    """Run a server in a temporary folder and yield the connection string of its superuser, on a Unix socket."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = folder / "data"
        account = _account()
        if account is not None:
            os.chown(folder, account.pw_uid, account.pw_gid)
        init = ["initdb", "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"]
        if _start(init, folder, account).wait():
            raise _failed("initdb", folder)
        with (data / "postgresql.auto.conf").open("a") as file:
            settings = _SETTINGS | {"unix_socket_directories": name}
            file.writelines(f"{each} = '{value}'\n" for each, value in settings.items())
        process = _start(["postgres", "-D", str(data)], folder, account)
        try:
            conninfo = f"host={name} user=postgres dbname=postgres"
            _wait_for(conninfo, process, folder)
            yield conninfo
        finally:
            process.send_signal(signal.SIGINT)  # a fast shutdown
            process.wait()


def make_store(conninfo: str, name: str, template: str = "template0") -> str:
    """Make a database with an empty store, or a copy of another, and return how a server's role connects to it."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [SERVER_ROLE]).fetchone() is None:
            connection.execute(f"CREATE ROLE {SERVER_ROLE} LOGIN".encode())
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
    owner = make_conninfo(conninfo, dbname=name)
    migrate(owner)
    return make_conninfo(owner, user=SERVER_ROLE)


def _account() -> pwd.struct_passwd | None:
    """Return whom to run as: PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    return known.get("postgres") or known["nobody"]


def _program(name: str) -> str:
    """Return the newest of the installed programs of a name: Debian keeps them off the path."""
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    newest = sorted(versions, key=lambda path: int(path.parent.name), reverse=True)
    found = shutil.which(name, path=os.pathsep.join([*map(str, newest), os.environ["PATH"]]))
    if found is None:
        sys.exit(f"{name} is missing: apt-get install postgresql")
    return found


def _start(command: Sequence[str], folder: Path, account: pwd.struct_passwd | None) -> "subprocess.Popen[bytes]":
    who: dict[str, Any] = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
    with (folder / "log").open("ab") as log:
        program = [_program(command[0]), *command[1:]]
        return subprocess.Popen(program, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **who)


def _wait_for(conninfo: str, process: "subprocess.Popen[bytes]", folder: Path) -> None:
    until = time.monotonic() + _SECONDS_TO_START
    while True:
        try:
            psycopg.connect(conninfo).close()
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > until:
                raise _failed("postgres", folder) from None
            time.sleep(0.1)
        else:
            return


def _failed(program: str, folder: Path) -> ValueError:
    return ValueError(f"{program} failed: {(folder / 'log').read_text(errors='replace')}")
