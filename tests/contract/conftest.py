"""The set-ups in which every RequestStore is tested: each database, in this process and behind the REST server."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import pytest
from tests.support.http_world import http_client, http_server, over_http
from tests.support.identity_provider import identity_provider
from tests.support.people import EVERYTHING, HOME, SettableClock
from tests.support.postgresql import postgresql_world
from tests.support.worlds import ADA, SqlWorld, throwaway_world

from supportaccess.domain.audit import AuditEntry
from supportaccess.domain.permissions import Permission
from supportaccess.store.protocol import RequestStore
from supportaccess.store.sql.engine import Engine

__all__ = ["http_client", "http_server", "identity_provider"]


class World(Protocol):
    """A request store with its clock, opened for whoever a test wants to be.

    When the test is over, every tenant's audit log is verified.
    """

    clock: SettableClock

    @property
    def engine(self) -> Engine:
        """The database."""
        ...

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
        ...

    def sweep(self) -> int:
        """Let the clock's events be written."""
        ...

    def entries(self, tenant_id: str) -> list[AuditEntry]:
        """Return a tenant's log as it is in the database: nobody has read it by that."""
        ...


DATABASES: dict[str, Callable[[], AbstractContextManager[SqlWorld]]] = {
    "SQLite": throwaway_world,
    "PostgreSQL": postgresql_world,
}
SET_UPS = [f"{way} {database}" for way in ("embedded", "HTTP over") for database in DATABASES]


@pytest.fixture(params=SET_UPS)
def new_world(request: pytest.FixtureRequest) -> Callable[[], AbstractContextManager[World]]:
    """Return what makes an empty store, as often as wanted."""
    way, _, database = str(request.param).rpartition(" ")
    make = DATABASES[database]
    if way == "embedded":
        return make
    return over_http(make, request.getfixturevalue("http_server"), request.getfixturevalue("http_client"))


@pytest.fixture
def world(new_world: Callable[[], AbstractContextManager[World]]) -> Iterator[World]:
    """Return an empty store."""
    with new_world() as fresh:
        yield fresh
