"""A store behind a REST server, for the contract: one server for a whole test process, with a store for each test."""

import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import TypeVar

import pytest
import uvicorn
from tests.support import run
from tests.support.apis import NO_LIMITS
from tests.support.certificates import certificate_for_loopback
from tests.support.identity_provider import IdentityProvider
from tests.support.issuer import API
from tests.support.people import EVERYTHING, FOREIGN, HOME, RESOURCE, SettableClock, object_id
from tests.support.postgresql import STORE, shared_cluster
from tests.support.worlds import ADA, SqlWorld

from supportaccess.domain.audit import AuditEntry
from supportaccess.domain.permissions import Permission
from supportaccess.server.database import Database
from supportaccess.server.identity.authentication import Authenticator
from supportaccess.server.limits import Limits
from supportaccess.server.metrics import Metrics
from supportaccess.server.services import Services
from supportaccess.server.settings import DatabaseSettings, IdentitySettings, ListenSettings, ServerSettings
from supportaccess.server.web.asgi import build
from supportaccess.store.http.client import Client
from supportaccess.store.http.store import HttpStore
from supportaccess.store.protocol import RequestStore
from supportaccess.store.sql.engine import Engine
from supportaccess.store.sql.postgresql.schema import SERVER_ROLE
from supportaccess.store.sql.sqlite.engine import SqliteEngine

SECONDS = 60
T = TypeVar("T")


class _Present(Database):
    """The database of the present world."""

    def __init__(self) -> None:
        self.database: Database | None = None

    async def read(self, act: Callable[[Engine], T]) -> T:
        assert self.database is not None
        return await self.database.read(act)

    async def read_long(self, act: Callable[[Engine], T]) -> T:
        assert self.database is not None
        return await self.database.read_long(act)

    async def write(self, act: Callable[[Engine], T], *, tenant_id: str | None = None) -> T:
        assert self.database is not None
        return await self.database.write(act, tenant_id=tenant_id)


class HttpServer:
    """A running server, and how people of a tenant come to it. It serves one world after the other."""

    def __init__(self, url: str, authority: Path, provider: IdentityProvider) -> None:
        self.url = url
        self.authority = authority
        self.database = _Present()
        self.clock = SettableClock()
        self._provider = provider
        self._tokens: dict[object, str] = {}

    def now(self) -> datetime:
        """Return the present world's time."""
        return self.clock()

    def token(self, tenant_id: str, permissions: frozenset[Permission] = EVERYTHING, name: str = ADA) -> str:
        """Return a token of somebody, the same one each time."""
        named = (tenant_id, permissions, name)
        if named not in self._tokens:
            roles = sorted(permissions)
            self._tokens[named] = self._provider.token(tenant_id, oid=object_id(name), name=name, roles=roles)
        return self._tokens[named]


class HttpWorld:
    """A world's store, over HTTP."""

    def __init__(self, world: SqlWorld, database: Database, server: HttpServer, client: Client) -> None:
        self.clock = world.clock
        self.engine = world.engine
        self._world = world
        self._database = database
        self._server = server
        self._client = client

    def store(
        self,
        tenant_id: str = HOME,
        *,
        also: Sequence[str] = (),
        permissions: Iterable[Permission] = EVERYTHING,
        also_permissions: Iterable[Permission] = EVERYTHING,
        name: str = ADA,
    ) -> RequestStore:
        """Open the store for a caller of a tenant, with proofs for others."""
        self._world.tenants |= {tenant_id, *also}
        token = partial(self._token, tenant_id, frozenset(permissions), name)
        proofs = {other: partial(self._token, other, frozenset(also_permissions), name) for other in also}
        return HttpStore(self._client, tenant_id, token, also=proofs)

    def sweep(self) -> int:
        """Let the clock's events be written."""
        return self._world.sweep()

    def entries(self, tenant_id: str) -> list[AuditEntry]:
        """Return a tenant's log as it is in the database."""
        return self._world.entries(tenant_id)

    def _token(self, tenant_id: str, permissions: frozenset[Permission], name: str) -> str:
        """Return a token. It is asked for before each request: by that, whose turn it is at the server."""
        self._server.database.database, self._server.clock = self._database, self.clock
        return self._server.token(tenant_id, permissions, name)


def over_http(
    make: Callable[[], AbstractContextManager[SqlWorld]], server: HttpServer, client: Client
) -> Callable[[], AbstractContextManager[HttpWorld]]:
    """Return what makes such a world with the server before it."""

    @contextmanager
    def made() -> Iterator[HttpWorld]:
        with make() as world, _database_of(world) as database:
            yield HttpWorld(world, database, server, client)

    return made


@contextmanager
def _database_of(world: SqlWorld) -> Iterator[Database]:
    if not isinstance(world.engine, SqliteEngine):
        yield _on_the_shared_cluster()
        return
    database = Database(DatabaseSettings(sqlite=world.engine.path))
    try:
        yield database
    finally:
        database.close()


@pytest.fixture(scope="session")
def http_server(tmp_path_factory: pytest.TempPathFactory, identity_provider: IdentityProvider) -> Iterator[HttpServer]:
    """Run the server."""
    certificate = certificate_for_loopback(tmp_path_factory.mktemp("http-server"))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        url = f"https://localhost:{listening.getsockname()[1]}"
        server = HttpServer(url, certificate.authority, identity_provider)
        config = uvicorn.Config(
            build(_services(server, identity_provider)),
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            ssl_certfile=certificate.certificate,
            ssl_keyfile=certificate.key,
            timeout_graceful_shutdown=1,
        )
        running = uvicorn.Server(config)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            running.should_exit = True
            thread.join(SECONDS)


@pytest.fixture(scope="session")
def http_client(http_server: HttpServer) -> Iterator[Client]:
    """Return a client of the server, which all tests of a process share as one run of the program would."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(http_server.authority))
        patch.delenv("REQUESTS_CA_BUNDLE", raising=False)
        client = Client(http_server.url)
    yield client
    client.close()  # or the server would wait for it


def _services(server: HttpServer, provider: IdentityProvider) -> Services:
    settings = ServerSettings(
        identity=IdentitySettings(
            tenants=(HOME, RESOURCE, FOREIGN), client_id=API, authority=provider.authority, ca_file=provider.ca_file
        ),
        database=DatabaseSettings(),
        listen=ListenSettings(public_url=server.url),
        limits=NO_LIMITS,
    )
    return Services(
        settings=settings,
        database=server.database,
        authenticator=Authenticator(settings.identity),
        limits=Limits(settings.limits),
        metrics=Metrics(),
        clock=server.now,
    )


@cache
def _on_the_shared_cluster() -> Database:
    database = Database(DatabaseSettings(postgresql=shared_cluster().conninfo(STORE, SERVER_ROLE), pool=4))
    run.current().at_end.callback(database.close)
    return database
