"""What else would make a hole into row-level security: refused when a server opens the database."""

from collections.abc import Iterator

import pytest
from tests.support.postgresql import OWNER, OwnCluster, new_cluster

from supportaccess.errors import StoreRefused
from supportaccess.store.sql.postgresql.open import check
from supportaccess.store.sql.postgresql.schema import SERVER_ROLE


@pytest.fixture(scope="module")
def cluster() -> Iterator[OwnCluster]:
    """Return a cluster whose roles these tests may change."""
    with new_cluster() as cluster:
        yield cluster


@pytest.mark.parametrize(
    ("name", "mistake", "named"),
    [
        ("database", f"ALTER DATABASE {{name}} OWNER TO {SERVER_ROLE}", "owns the database"),
        ("schema", f"ALTER SCHEMA public OWNER TO {SERVER_ROLE}", "owns the schema public"),
        ("policy", "CREATE POLICY oops ON access_requests USING (true)", "policy oops on access_requests"),
        ("program", f"GRANT pg_execute_server_program TO {SERVER_ROLE}", "beyond the database"),
    ],
)
def test_a_hole_in_the_second_wall_is_named(cluster: OwnCluster, name: str, mistake: str, named: str) -> None:
    """The server's role owns nothing that the tables are in, and no other policy opens them; the hint closes it."""
    database = f"hole_{name}"
    conninfo = cluster.make_store(database)
    check(conninfo)

    cluster.run(mistake.format(name=database), database)
    with pytest.raises(StoreRefused, match=named) as refused:
        check(conninfo)
    cluster.run(str(refused.value.hint).replace("an_owner", OWNER), database)

    check(conninfo)
