"""A user's home in which the program runs: folders, environment, and what is in the store."""

import os
import sqlite3
import subprocess
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from tests.cli.in_process import run_in_pipe, run_on_terminal
from tests.cli.terminal import CTRL_C, PATIENCE, Screen, Terminal
from tests.support.people import HOME, SettableClock, asking, caller
from tests.support.program import installed_program

from supportaccess.domain.expiry import Limit
from supportaccess.domain.records import AccessRequest
from supportaccess.domain.times import Clock, system_clock
from supportaccess.settings.paths import Paths
from supportaccess.settings.profiles import Profile, Settings
from supportaccess.store.sql.sqlite.open import open_embedded
from supportaccess.store.sql.store import SqlStore

TICKET = "2603010050001234"
EXAMPLE = Path(__file__).parents[2] / "examples" / "entra-audit-log.json"


class Result(NamedTuple):
    """How a process in a pipe ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return msgspec.json.decode(self.out)

    @property
    def lines(self) -> list[str]:
        """The lines of standard output."""
        return self.out.splitlines()


@dataclass(frozen=True)
class Home:
    """Folders and environment of one user of the program."""

    folder: Path

    @property
    def config(self) -> Path:
        """The folder of the settings."""
        return self.folder / "config"

    @property
    def database(self) -> Path:
        """The embedded store."""
        return self.folder / "data" / "store.db"

    @property
    def environment(self) -> dict[str, str]:
        """A clean environment."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "TZ": "TEST-2",  # two hours ahead of UTC, without any zone files
            "SUPPORTACCESS_CONFIG_DIR": str(self.config),
            "SUPPORTACCESS_DATA_DIR": str(self.folder / "data"),
            "SUPPORTACCESS_CACHE_DIR": str(self.folder / "cache"),
        }

    def run(self, *arguments: str | bytes, stdin: str | bytes = b"", env: Mapping[str, str] | None = None) -> Result:
        """Run the program in a pipe, within this process."""
        given = stdin.encode() if isinstance(stdin, str) else stdin
        code, out, err = run_in_pipe(arguments, {**self.environment, **(env or {})}, self.folder, given)
        return Result(code, out.decode(), err.decode())

    def process(
        self, *arguments: str | bytes, stdin: str | bytes = b"", env: Mapping[str, str] | None = None
    ) -> Result:
        """Run the program in a pipe, as a process of its own."""
        done = subprocess.run(
            [installed_program(), *arguments],
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            env={**self.environment, **(env or {})},
            cwd=self.folder,
            timeout=PATIENCE,
            check=False,
        )
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    def shell(self, script: str, env: Mapping[str, str] | None = None) -> Result:
        """Run a line of bash, in which the program is known by its name."""
        environment = {**self.environment, **(env or {})}
        environment["PATH"] = f"{Path(installed_program()).parent}{os.pathsep}{environment['PATH']}"
        done = subprocess.run(
            ["bash", "-c", script],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=environment,
            cwd=self.folder,
            timeout=PATIENCE,
            check=False,
        )
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    def terminal(
        self,
        *arguments: str,
        columns: int = 80,
        rows: int = 24,
        env: Mapping[str, str] | None = None,
        output: Path | None = None,
    ) -> Terminal:
        """Start the program on a terminal."""
        return Terminal(
            [installed_program(), *arguments],
            {**self.environment, **(env or {})},
            columns=columns,
            rows=rows,
            output=output,
        )

    def on_terminal(
        self,
        *arguments: str,
        answer: str | None = None,
        columns: int = 80,
        env: Mapping[str, str] | None = None,
        output: Path | None = None,
    ) -> Screen:
        """Run the program on a terminal to its end, and give an answer to its question.

        It runs within this process, but for Ctrl-C as the answer and with variables that are the interpreter's.
        """
        environment = {**self.environment, **(env or {})}
        if answer == CTRL_C or any(name.startswith("PYTHON") for name in environment):
            return self.process_on_terminal(*arguments, answer=answer, columns=columns, env=env, output=output)
        return run_on_terminal(arguments, environment, self.folder, columns=columns, answer=answer, output=output)

    def process_on_terminal(
        self,
        *arguments: str,
        answer: str | None = None,
        columns: int = 80,
        env: Mapping[str, str] | None = None,
        output: Path | None = None,
    ) -> Screen:
        """Do the same as a process of its own."""
        with self.terminal(*arguments, columns=columns, env=env, output=output) as terminal:
            if answer is not None:
                terminal.wait_for("[y/N] ")
                if answer == CTRL_C:
                    return terminal.interrupt()
                terminal.type(answer)
            return terminal.finish()

    def add_tenant(self, tenant_id: str = HOME, alias: str | None = None, *, default: bool = False) -> None:
        """Add a tenant profile."""
        settings = Settings(Paths.from_environment(self.environment), self.environment)
        settings.save(Profile(tenant_id=tenant_id, alias=alias))
        if default:
            settings.use(tenant_id)

    @contextmanager
    def store(
        self, tenant_id: str = HOME, *, also: Sequence[str] = (), clock: Clock = system_clock
    ) -> Iterator[SqlStore]:
        """Open the store in this process, as Ada Administrator who may do everything."""
        engine = open_embedded(self.database)
        try:
            yield SqlStore(engine, caller(tenant_id), also=[caller(other) for other in also], clock=clock)
        finally:
            engine.close()

    def raised(self, *tickets: str, ago: timedelta = timedelta(minutes=5), **fields: Any) -> list[AccessRequest]:
        """Put pending requests into the store."""
        with self.store(clock=SettableClock(now() - ago)) as store:
            return [store.raise_request(asking(ticket, **fields), key=key()) for ticket in tickets or [TICKET]]

    def approved(
        self, *tickets: str, ago: timedelta = timedelta(minutes=5), for_: timedelta | None = None, **fields: Any
    ) -> list[AccessRequest]:
        """Put approved requests into the store."""
        records = self.raised(*tickets, ago=ago, **fields)
        limit = Limit(seconds=int(for_.total_seconds()) if for_ else None)
        with self.store(clock=SettableClock(now() - ago)) as store:
            return [store.approve(each.id, etag=each.etag, key=key(), limit=limit) for each in records]

    def crossing(self, resource_tenant_id: str, *, approve: bool = False, **fields: Any) -> AccessRequest:
        """Put a cross-tenant request into the store, as its support request tenant sees it."""
        with self.store(also=[resource_tenant_id]) as store:
            record = store.raise_request(asking(resource_tenant_id=resource_tenant_id, **fields), key=key())
            return store.approve(record.id, etag=record.etag, key=key()) if approve else record

    def one_of_each(self) -> dict[str, AccessRequest]:
        """Put a request of every status into the store, each with the status as the engineer's name."""
        records: dict[str, AccessRequest] = {}
        clock = SettableClock(now() - timedelta(hours=30))
        with self.store(clock=clock) as store:
            for number, status in enumerate(
                ("completed", "expired", "lapsed", "canceled", "rejected", "revoked", "approved", "pending")
            ):
                clock.advance(timedelta(hours=1))
                record = store.raise_request(
                    asking(
                        f"26030100500000{number:02}",
                        engineer=f"Engineer {status}",
                        requested_seconds=3600 if status == "expired" else None,
                        decide_by=clock() + timedelta(hours=1) if status == "lapsed" else None,
                    ),
                    key=key(),
                )
                if status in {"completed", "expired", "revoked", "approved"}:
                    record = store.approve(record.id, etag=record.etag, key=key())
                match status:
                    case "completed":
                        (record,) = store.close(str(record.support_request_id), key=key())
                    case "revoked":
                        record = store.revoke(record.id, etag=record.etag, key=key())
                    case "canceled":
                        record = store.withdraw(record.id, etag=record.etag, key=key())
                    case "rejected":
                        record = store.reject(record.id, etag=record.etag, key=key(), reason="no")
                records[status] = record
        with self.store() as store:
            return {status: store.get(record.id) for status, record in records.items()}

    def get(self, request_id: str, tenant_id: str = HOME) -> AccessRequest:
        """Return how a request now stands."""
        with self.store(tenant_id) as store:
            return store.get(request_id)

    def read_log(self, *tenant: str) -> None:
        """Read a tenant's audit log: for an hour it has an entry of that, and gets no other."""
        assert self.run("audit", "log", *tenant).code == 0

    def log_size(self, tenant_id: str = HOME) -> int:
        """Return how many entries the audit log has."""
        with self.store(tenant_id) as store:
            return store.log_head().size

    def dump(self) -> list[str]:
        """Return all that the store holds, but for signatures: what was there before may be signed at any time."""
        with closing(sqlite3.connect(self.database)) as database:
            return [line for line in database.iterdump() if not line.startswith('INSERT INTO "audit_checkpoints"')]

    def copy_store(self, to: "Home") -> None:
        """Put the store as it now is in the place of another home's, in one transaction."""
        to.database.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self.database)) as source, closing(sqlite3.connect(to.database)) as target:
            source.backup(target)

    def alter(self, *statements: str) -> None:
        """Change the store behind the program's back."""
        with closing(sqlite3.connect(self.database)) as database:
            for (trigger,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                database.execute(f"DROP TRIGGER {trigger}")
            for statement in statements:
                assert database.execute(statement).rowcount, statement
            database.commit()


class ProcessHome(Home):
    """A home in which every command is a process of its own."""

    run = Home.process
    on_terminal = Home.process_on_terminal


def now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


def key() -> str:
    """Return a new idempotency key."""
    return str(uuid.uuid4())
