"""The REST API in this process: the real application on a real uvicorn on loopback, with a clock that can be set."""

import http.client
import json
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import uvicorn
from tests.support import issuer as issuers
from tests.support.people import FOREIGN, HOME, RESOURCE, SettableClock

from supportaccess.domain.attempts import MOST
from supportaccess.domain.permissions import Permission
from supportaccess.server.database import Database, keys_of
from supportaccess.server.identity.authentication import Authenticator
from supportaccess.server.jobs import Signing
from supportaccess.server.limits import Limits
from supportaccess.server.metrics import Metrics
from supportaccess.server.services import Services
from supportaccess.server.settings import (
    DatabaseSettings,
    IdentitySettings,
    LimitSettings,
    ListenSettings,
    ServerSettings,
)
from supportaccess.server.web.asgi import build
from supportaccess.store.sql.sqlite.engine import SqliteEngine
from supportaccess.store.sql.sqlite.open import open_embedded

SECONDS = 60
NO_LIMITS = LimitSettings(requests_per_address=10**9, requests_per_caller=10**9, refused_tokens_per_address=10**9)
DECIDING_ROBOT = "dddddddd-0000-4000-8000-00000000dec1"
"""Client ID of an application that may decide."""


class Answer(NamedTuple):
    """What was answered. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def error(self) -> Any:
        """The error in the body."""
        return self.json["error"]


class Api:
    """A server. `engine` is a connection of the test's own to its database."""

    def __init__(self, port: int, issuer: issuers.Issuer, engine: SqliteEngine, services: Services) -> None:
        self.services = services
        self.address = ("127.0.0.1", port)
        self.url = f"http://127.0.0.1:{port}"
        self.issuer = issuer
        self.engine = engine
        self._tokens: dict[Any, str] = {}

    @property
    def clock(self) -> SettableClock:
        """The server's clock."""
        assert isinstance(self.services.clock, SettableClock)
        return self.services.clock

    def entries(self, tenant_id: str = HOME) -> list[Any]:
        """Return a tenant's audit log as it is in the database: nobody has read it by that."""
        entries = "SELECT entry FROM audit_events WHERE tenant_id = :tenant_id ORDER BY sequence"
        with self.engine.reading([tenant_id]) as session:
            return [json.loads(row[0]) for row in session.all(entries, {"tenant_id": tenant_id})]

    def done(self, tenant_id: str = HOME) -> list[Any]:
        """Return the entries of what was done, without those of what was only tried, and of readings of the log."""
        return [entry for entry in self.entries(tenant_id) if entry["activity"] not in MOST]

    def token(
        self,
        tenant_id: str = HOME,
        permissions: Iterable[Permission] = tuple(Permission),
        *,
        object_id: str = issuers.ADA,
        app_only: bool = False,
    ) -> str:
        """Return a token of a tenant that carries these permissions, the same one each time."""
        roles = sorted(permissions)
        named = (tenant_id, tuple(roles), object_id, app_only)
        if named not in self._tokens:
            self._tokens[named] = self.issuer.token(tenant_id, roles=roles, oid=object_id, app_only=app_only)
        return self._tokens[named]

    def ask(
        self,
        method: str,
        path: str,
        *,
        token: str | None = "",
        json_body: object = None,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
    ) -> Answer:
        """Send a request: of somebody who may do everything in the home tenant, unless another token is given."""
        own: list[tuple[str, str]] = [] if token is None else [("Authorization", f"Bearer {token or self.token()}")]
        if json_body is not None:
            body = json.dumps(json_body).encode()
            own.append(("Content-Type", "application/json"))
        own += headers.items() if isinstance(headers, Mapping) else headers
        connection = http.client.HTTPConnection(*self.address, timeout=SECONDS)
        try:
            connection.putrequest(method, path)
            if isinstance(body, bytes):
                own.append(("Content-Length", str(len(body))))
            elif body is not None:
                own.append(("Transfer-Encoding", "chunked"))
            for name, value in own:
                connection.putheader(name, value)
            connection.endheaders(body, encode_chunked=body is not None and not isinstance(body, bytes))
            answer = connection.getresponse()
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()


@contextmanager
def running_api(
    folder: Path,
    issuer: issuers.Issuer,
    *,
    limits: LimitSettings = NO_LIMITS,
    public_url: str | None = None,
    auth_context: str | None = None,
) -> Iterator[Api]:
    """Run a server on a store in a folder."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        settings = ServerSettings(
            identity=IdentitySettings(
                tenants=(HOME, RESOURCE, FOREIGN),
                client_id=issuers.API,
                authority=issuer.authority,
                ca_file=issuer.ca_file,
                app_only_may_decide=(DECIDING_ROBOT,),
                decision_auth_context=auth_context,
            ),
            database=DatabaseSettings(sqlite=folder / "store.db"),
            listen=ListenSettings(public_url=public_url),
            limits=limits,
        )
        engine = open_embedded(folder / "store.db")
        try:
            services = services_of(settings, SettableClock())
            with _serving(services, listening):
                yield Api(listening.getsockname()[1], issuer, engine, services)
        finally:
            engine.close()


def services_of(settings: ServerSettings, clock: SettableClock) -> Services:
    """Return the services of a server whose tokens are issued now."""
    database, metrics, keys = Database(settings.database), Metrics(), keys_of(settings.database)
    return Services(
        settings=settings,
        database=database,
        authenticator=Authenticator(settings.identity, now=lambda: issuers.NOW + 10),
        limits=Limits(settings.limits),
        metrics=metrics,
        signing=None if keys is None else Signing(database, keys, metrics),
        clock=clock,
    )


@contextmanager
def _serving(services: Services, listening: socket.socket) -> Iterator[None]:
    config = uvicorn.Config(
        build(services),
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    serving = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    serving.start()
    try:
        yield
    finally:
        server.should_exit = True
        serving.join(SECONDS)
        services.database.close()
        services.limits.close()
