"""What else would make a hole into row-level security: refused when a server opens the database."""

import pytest
from tests.support.postgresql import OWNER, shared_cluster

from supportaccess.domain.errors import StoreRefused
from supportaccess.store.postgresql import check
from supportaccess.store.postgresql_schema import SERVER_ROLE, migrate


@pytest.mark.parametrize(
    ("name", "mistake", "named"),
    [
        ("database", f"ALTER DATABASE {{name}} OWNER TO {SERVER_ROLE}", "owns the database"),
        ("schema", f"ALTER SCHEMA public OWNER TO {SERVER_ROLE}", "owns the schema public"),
        ("policy", "CREATE POLICY oops ON access_requests USING (true)", "policy oops on access_requests"),
        ("program", f"GRANT pg_execute_server_program TO {SERVER_ROLE}", "beyond the database"),
    ],
)
def test_a_hole_in_the_second_wall_is_named(name: str, mistake: str, named: str) -> None:
    """The server's role owns nothing that the tables are in, and no other policy opens them; the hint closes it."""
    cluster, database = shared_cluster(), f"hole_{name}"
    conninfo = cluster.make_database(database)
    migrate(cluster.conninfo(database, OWNER))
    check(conninfo)

    cluster.run(mistake.format(name=database), database)
    with pytest.raises(StoreRefused, match=named) as refused:
        check(conninfo)
    cluster.run(str(refused.value.hint).replace("an_owner", OWNER), database)

    check(conninfo)
