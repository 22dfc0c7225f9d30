from collections.abc import Iterator

import pytest
from tests.support.postgresql import Cluster, OwnCluster, new_cluster, postgresql_world, shared_cluster
from tests.support.worlds import SqlWorld


@pytest.fixture
def world() -> Iterator[SqlWorld]:
    """Return an empty store on PostgreSQL; it is verified when the test is over."""
    with postgresql_world() as fresh:
        yield fresh


@pytest.fixture
def shared(world: SqlWorld) -> Cluster:  # noqa: ARG001 - it makes the database empty
    """Return the cluster of the world."""
    return shared_cluster()


@pytest.fixture
def cluster() -> Iterator[OwnCluster]:
    """Return a cluster to be broken, with a database `store`."""
    with new_cluster() as fresh:
        fresh.make_store("store")
        yield fresh


@pytest.fixture
def small_data_disk(cluster: OwnCluster) -> OwnCluster:
    """Return a cluster whose data is on a disk with hardly any room."""
    cluster.on_a_small_disk(cluster.data, 4_000_000)
    return cluster


@pytest.fixture
def small_wal_disk(cluster: OwnCluster) -> OwnCluster:
    """Return a cluster whose write-ahead log is on a disk with hardly any room."""
    cluster.run("CHECKPOINT")
    cluster.on_a_small_disk(cluster.wal, 4_000_000)
    return cluster
