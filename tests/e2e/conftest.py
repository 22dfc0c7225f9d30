"""What the tests of whole systems share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.shared_store import OnPostgresql, OnSqlite, SharedStore
from tests.support.certificates import certificate_for_loopback
from tests.support.identity_provider import IdentityProvider, identity_provider
from tests.support.postgresql import OwnCluster, new_cluster, shared_cluster

__all__ = ["identity_provider"]

SET_UPS = ("SQLite", "PostgreSQL and two processes")


@pytest.fixture
def cluster() -> Iterator[OwnCluster]:
    """Return a PostgreSQL of this test's own, which it may kill."""
    with new_cluster() as cluster:
        yield cluster


@pytest.fixture(params=SET_UPS)
def shared_store(
    request: pytest.FixtureRequest, identity_provider: IdentityProvider, tmp_path: Path
) -> Iterator[SharedStore]:
    """Run a store over TLS: small on SQLite, and as a larger team has it."""
    certificate = certificate_for_loopback(tmp_path)
    if request.param == "SQLite":
        store = SharedStore(tmp_path, OnSqlite(tmp_path), identity_provider, certificate=certificate)
        with store.running():
            yield store
        return
    with shared_cluster().new_database() as name:
        database = OnPostgresql(shared_cluster(), name)
        store = SharedStore(tmp_path, database, identity_provider, workers=2, certificate=certificate)
        with store.running():
            yield store
