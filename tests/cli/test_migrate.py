"""`supportaccess store migrate`."""

from collections.abc import Iterator

import pytest
from tests.cli.home import Home
from tests.support.postgresql import OWNER, Cluster, programs, shared_cluster
from tests.support.requirements import require

from supportaccess.store.sql.postgresql.schema import SERVER_ROLE


@pytest.fixture
def cluster() -> Cluster:
    """Return the cluster of the run."""
    require(programs(), "PostgreSQL's programs (apt-get install postgresql)")
    return shared_cluster()


@pytest.fixture
def fresh(cluster: Cluster) -> Iterator[str]:
    """Return the name of an empty database."""
    with cluster.new_database() as name:
        yield name


def test_the_embedded_store_needs_none(new_home: Home) -> None:
    """Without SUPPORTACCESS_DATABASE the embedded store is meant, which is left alone."""
    for arguments in ([], ["--check"]):
        result = new_home.run("store", "migrate", *arguments)
        assert (result.code, result.out) == (0, "")
        assert "brings itself up to date" in result.err
    assert not new_home.database.exists()


def test_a_database_is_brought_up_to_date(new_home: Home, cluster: Cluster, fresh: str) -> None:
    """`--check` says what is to be done and exits 1, without it that is done, and `--check` exits 0 thereafter."""
    owner = {"SUPPORTACCESS_DATABASE": cluster.conninfo(fresh, OWNER)}
    before = new_home.run("store", "migrate", "--check", env=owner)
    assert (before.code, before.out) == (1, "")
    assert "would be brought from version 0 to 3" in before.err

    done = new_home.run("store", "migrate", env=owner)
    assert (done.code, done.out) == (0, "")
    assert f"The role {SERVER_ROLE} was given its rights on access_requests" in done.err

    after = new_home.run("store", "migrate", "--check", env=owner)
    assert (after.code, after.err) == (0, "Up to date: schema 3.\n")


def test_the_password_may_come_from_the_environment(new_home: Home, cluster: Cluster, fresh: str) -> None:
    """The connection string needs no password: PGPASSWORD is read, and no message repeats it."""
    url = f"postgresql://{OWNER}@127.0.0.1:{cluster.port}/{fresh}"
    for password, code in ((cluster.password, 1), ("wrong-and-secret", 8)):
        environment = {"SUPPORTACCESS_DATABASE": url, "PGPASSWORD": password}
        result = new_home.run("store", "migrate", "--check", env=environment)
        assert result.code == code
        assert password not in result.err


def test_a_missing_role(new_home: Home, cluster: Cluster, fresh: str) -> None:
    """Without the server's role the schema is made, and the statement that makes the role is said: exit 1."""
    owner = {"SUPPORTACCESS_DATABASE": cluster.conninfo(fresh, OWNER)}
    result = new_home.run("store", "migrate", "--server-role", "someone else", env=owner)
    assert result.code == 1
    assert 'CREATE ROLE "someone else" LOGIN' in result.err


def test_a_broken_connection_string(new_home: Home) -> None:
    """A connection string that cannot be read is wrong usage, and not repeated: it may have a password in it."""
    environment = {"SUPPORTACCESS_DATABASE": "host=x hunter2"}
    result = new_home.run("store", "migrate", env=environment)
    assert result.code == 2
    assert "hunter2" not in result.err
