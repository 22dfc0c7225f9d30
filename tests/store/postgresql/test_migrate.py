import subprocess
import sys
from collections.abc import Iterator

import pytest
from tests.support.postgresql import OWNER, Cluster, programs, shared_cluster
from tests.support.requirements import require

from supportaccess.errors import InvalidInput, StoreRefused, StoreUnavailable
from supportaccess.store.sql.engine import KNOWN_VERSION
from supportaccess.store.sql.postgresql.schema import RIGHTS, SERVER_ROLE, migrate, plan


@pytest.fixture
def cluster() -> Cluster:
    require(programs(), "PostgreSQL's programs (apt-get install postgresql)")
    return shared_cluster()


@pytest.fixture
def database(cluster: Cluster) -> Iterator[str]:
    """Return the name of an empty database."""
    with cluster.new_database() as name:
        yield name


def test_a_plan_changes_nothing_and_says_what_is_to_be_done(cluster: Cluster, database: str) -> None:
    """Before a migration the plan names every version and table; after it nothing is left."""
    owner = cluster.conninfo(database, OWNER)
    before = plan(owner)
    assert (before.version, before.to_come, before.up_to_date) == (0, list(range(1, KNOWN_VERSION + 1)), False)
    assert before.rights_of == list(RIGHTS)
    assert cluster.run("SELECT to_regclass('access_requests')", database) == [(None,)]

    assert migrate(owner) == before

    assert plan(owner).up_to_date
    assert migrate(owner).up_to_date


def test_many_that_start_at_once_migrate_once(cluster: Cluster, database: str) -> None:
    """Eight migrations at once all end well, and the schema is there once."""
    command = "import sys; from supportaccess.store.sql.postgresql.schema import migrate; migrate(sys.argv[1])"
    owner = cluster.conninfo(database, OWNER)
    running = [
        subprocess.Popen([sys.executable, "-c", command, owner], stderr=subprocess.PIPE, text=True) for _ in range(8)
    ]
    told = [(each.communicate(timeout=120)[1], each.returncode) for each in running]

    assert told == [("", 0)] * 8
    assert cluster.run("SELECT version FROM schema_version", database) == [(KNOWN_VERSION,)]
    assert plan(owner).up_to_date


def test_rights_are_exactly_those_needed(cluster: Cluster, database: str) -> None:
    """A right too many is taken away and one too few is given, whatever was granted in between."""
    owner = cluster.conninfo(database, OWNER)
    migrate(owner)
    cluster.run(f"GRANT UPDATE, TRUNCATE ON audit_events TO {SERVER_ROLE}", database)
    cluster.run(f"REVOKE INSERT ON idempotency FROM {SERVER_ROLE}", database)
    assert plan(owner).rights_of == ["audit_events", "idempotency"]

    migrate(owner)

    assert plan(owner).up_to_date


def test_a_missing_role_is_named_with_the_statement_that_makes_it(cluster: Cluster, database: str) -> None:
    """Without the server's role the schema is made, and the refusal says how to make the role."""
    owner = cluster.conninfo(database, OWNER)
    with pytest.raises(StoreRefused, match="no role nobody_yet") as refused:
        migrate(owner, "nobody_yet")
    assert 'CREATE ROLE "nobody_yet" LOGIN' in str(refused.value.hint)
    assert plan(owner, "nobody_yet").to_come == []


def test_only_the_owner_can(cluster: Cluster, database: str) -> None:
    """As the server's role a migration is refused, and says who has to do it."""
    with pytest.raises(StoreRefused) as refused:
        migrate(cluster.conninfo(database, SERVER_ROLE))
    assert "owner" in str(refused.value.hint)


def test_a_newer_database_is_left_alone(cluster: Cluster, database: str) -> None:
    """A database of a newer program is refused, and says so."""
    owner = cluster.conninfo(database, OWNER)
    migrate(owner)
    cluster.run(f"UPDATE schema_version SET version = {KNOWN_VERSION + 1}", database)
    for act in (plan, migrate):
        with pytest.raises(StoreRefused, match="newer supportaccess"):
            act(owner)


def test_what_cannot_be_reached_or_read(cluster: Cluster) -> None:
    """A server that is not there, a wrong password and a broken connection string are each said, without secrets."""
    for conninfo in (cluster.conninfo(port=1), cluster.conninfo(password="x" * 12)):
        with pytest.raises(StoreUnavailable, match="cannot be reached") as unavailable:
            plan(conninfo)
        assert "xxxxxxxxxxxx" not in str(unavailable.value)
    with pytest.raises(InvalidInput, match="cannot be read") as unreadable:
        plan("host=x hunter2")
    assert "hunter2" not in f"{unreadable.value} {unreadable.value.hint}"
