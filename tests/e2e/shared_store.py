"""A shared store as a team runs it: a real database, real server processes, and people with tokens."""

import json
import os
import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psycopg
from tests.cli.home import ProcessHome
from tests.support.certificates import ServerCertificate
from tests.support.identity_provider import IdentityProvider, object_id
from tests.support.issuer import API
from tests.support.people import HOME, RESOURCE
from tests.support.postgresql import OWNER, Cluster
from tests.support.program import installed_program
from tests.support.servers import SECONDS, RunningServer, running_server

from supportaccess.domain.permissions import Permission
from supportaccess.settings.paths import Paths
from supportaccess.settings.profiles import Profile, Settings
from supportaccess.store.sql.postgresql.schema import SERVER_ROLE

ADMINISTRATOR = (Permission.READ_REQUESTS, Permission.DECIDE)
AUDITOR = (Permission.READ_REQUESTS, Permission.READ_AUDIT)
PROVIDER = (Permission.READ_REQUESTS, Permission.RAISE)
IMPORTER = (Permission.READ_REQUESTS, Permission.WRITE_SOURCE_EVENTS)


@dataclass(frozen=True)
class Person(ProcessHome):
    """The home of somebody who signed in: a profile for each tenant, and a token for each."""

    tokens: str
    trusted: Path | None

    @property
    def environment(self) -> dict[str, str]:
        """A clean environment, with the tokens in it."""
        trust = {"REQUESTS_CA_BUNDLE": str(self.trusted)} if self.trusted else {}
        return {**super().environment, **trust, "SUPPORTACCESS_ACCESS_TOKEN": self.tokens}

    def start(self, *arguments: str, stdin: str = "") -> "subprocess.Popen[str]":
        """Start the program in pipes, with what it may read."""
        process = subprocess.Popen(
            [installed_program(), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment,
            cwd=self.folder,
            text=True,
        )
        assert process.stdin is not None
        process.stdin.write(stdin)
        process.stdin.close()
        process.stdin = None  # so that communicate leaves it alone
        return process


class Database(Protocol):
    """What stands behind the server."""

    settings: str
    environment: dict[str, str]

    def held(self) -> AbstractContextManager[None]:
        """Let no change through while the block runs: whoever changes something waits."""
        ...


class OnSqlite:
    """One file, and one server process."""

    settings = '[database]\nsqlite = "store.db"\n'

    def __init__(self, folder: Path) -> None:
        self._path = folder / "store.db"
        self.environment: dict[str, str] = {}

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold SQLite's one right to write."""
        with closing(sqlite3.connect(self._path, isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
            yield


class OnPostgresql:
    """An empty database in a cluster, and two server processes that sign in as the role that is meant for them."""

    settings = "[database]\n"
    workers = 2

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster = cluster
        self.name = name
        # As a variable, for it has the password in it.
        self.environment = {"SUPPORTACCESS_DATABASE": cluster.conninfo(name, SERVER_ROLE)}
        owner = {"PATH": os.environ["PATH"], "SUPPORTACCESS_DATABASE": cluster.conninfo(name, OWNER)}
        subprocess.run([installed_program(), "store", "migrate", "-q"], env=owner, check=True, timeout=SECONDS)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the heads of all logs."""
        with psycopg.connect(self.cluster.conninfo(self.name)) as connection:
            connection.execute("LOCK TABLE audit_log_heads IN EXCLUSIVE MODE")
            yield


class SharedStore:
    """A store with its settings. `server` is the one that runs, `endpoint` what people call it."""

    def __init__(
        self,
        folder: Path,
        database: Database,
        provider: IdentityProvider,
        *,
        workers: int = 1,
        certificate: ServerCertificate | None = None,
    ) -> None:
        self.folder = folder
        self.database = database
        self.server: RunningServer
        self.endpoint: str
        self._provider = provider
        self._trusted = certificate.authority if certificate else None
        self._settings = folder / "server.toml"
        tls = f'certificate = "{certificate.certificate}"\nkey = "{certificate.key}"\n' if certificate else ""
        self._settings.write_text(
            # No sweep while a test runs: it takes the same locks as decisions do.
            f'sweep_seconds = 3600\n[identity]\ntenants = ["{HOME}", "{RESOURCE}"]\nclient_id = "{API}"\n'
            f'authority = "{provider.authority}"\nca_file = "{provider.ca_file}"\n'
            f"{database.settings}[listen]\nport = 0\nworkers = {workers}\n{tls}"
        )

    @contextmanager
    def running(self, *, port: int = 0) -> Iterator[RunningServer]:
        """Run the server: on the port of an earlier one, if it is named."""
        more = {"SUPPORTACCESS_SERVER_PORT": str(port)} if port else {}
        with running_server(self.folder, self._settings, {**self.database.environment, **more}) as self.server:
            self.endpoint = self.server.url
            yield self.server

    def token(self, name: str, roles: Sequence[str], tenant: str = HOME, *, app_only: bool = False) -> str:
        """Return a token that somebody has for a tenant."""
        return self._provider.token(tenant, oid=object_id(name), name=name, roles=roles, app_only=app_only)

    def raised(self, *tickets: str, tenant: str = HOME) -> list[str]:
        """Raise a request for each ticket, without the command line, and return the IDs."""
        token = self.token("Provider", PROVIDER, tenant, app_only=True)
        return [self._raised(ticket, token) for ticket in tickets]

    def _raised(self, ticket: str, token: str) -> str:
        body = {"supportRequestId": ticket, "engineer": {"displayName": "Erin Engineer"}, "reason": "sign-ins fail"}
        answer = self.server.ask(
            "/v1/access-requests",
            method="POST",
            token=token,
            body=json.dumps(body).encode(),
            headers={"Idempotency-Key": f"for {ticket}"},
        )
        assert answer.status == 201, answer.body
        return str(answer.json["id"])

    def person(
        self, name: str, roles: Sequence[str], *, tenants: Sequence[str] = (HOME, RESOURCE), app_only: bool = False
    ) -> Person:
        """Return somebody who signed in to some tenants, and has profiles for both: contoso and fabrikam."""
        tokens = [self.token(name, roles, tenant, app_only=app_only) for tenant in tenants]
        folder = self.folder / f"home of {name}"
        folder.mkdir()
        person = Person(folder, " ".join(tokens), self._trusted)
        settings = Settings(Paths.from_environment(person.environment), person.environment)
        for tenant, alias in ((HOME, "contoso"), (RESOURCE, "fabrikam")):
            settings.save(Profile(tenant_id=tenant, alias=alias, store=self.endpoint))
        settings.use(HOME)
        return person
