"""The server refuses a database that does not keep what the store promises."""

from collections.abc import Iterator

import pytest
from tests.support.postgresql import OWNER, OwnCluster, new_cluster

from supportaccess.errors import StoreRefused
from supportaccess.store.sql.engine import KNOWN_VERSION
from supportaccess.store.sql.postgresql.open import check, open_postgresql
from supportaccess.store.sql.postgresql.schema import SERVER_ROLE


@pytest.fixture(scope="module")
def cluster() -> Iterator[OwnCluster]:
    with new_cluster() as fresh:
        fresh.make_store("store")
        fresh.run("CREATE ROLE mighty SUPERUSER")
        yield fresh


def refusal(cluster: OwnCluster, user: str = SERVER_ROLE, database: str = "store") -> StoreRefused:
    with pytest.raises(StoreRefused) as refused:
        open_postgresql(cluster.conninfo(database, user))
    return refused.value


def test_a_database_as_it_should_be(cluster: OwnCluster) -> None:
    """As the server's role, on a migrated database with PostgreSQL's own settings, nothing is refused."""
    open_postgresql(cluster.conninfo("store", SERVER_ROLE)).close()


@pytest.mark.parametrize(
    ("before", "after", "named", "mend"),
    [
        ("ALTER ROLE {} SUPERUSER", "ALTER ROLE {} NOSUPERUSER", "a superuser", "NOSUPERUSER"),
        ("ALTER ROLE {} BYPASSRLS", "ALTER ROLE {} NOBYPASSRLS", "row-level security does not hold", "NOBYPASSRLS"),
        ("ALTER ROLE {} CREATEROLE", "ALTER ROLE {} NOCREATEROLE", "other roles", "NOCREATEROLE"),
        ("ALTER ROLE {} REPLICATION", "ALTER ROLE {} NOREPLICATION", "copy the whole", "NOREPLICATION"),
        ("GRANT mighty TO {}", "REVOKE mighty FROM {}", "member of mighty", 'REVOKE "mighty"'),
        (
            f"GRANT {OWNER} TO {{}}",
            f"REVOKE {OWNER} FROM {{}}",
            f"is a member of {OWNER}, which owns access_requests, ",
            f'REVOKE "{OWNER}"',
        ),
        (
            "ALTER TABLE idempotency OWNER TO {}",
            f"ALTER TABLE idempotency OWNER TO {OWNER}; GRANT SELECT, INSERT, DELETE ON idempotency TO {{}}",
            "owns idempotency",
            "REASSIGN OWNED",
        ),
        (
            "ALTER TABLE audit_events DISABLE ROW LEVEL SECURITY",
            "ALTER TABLE audit_events ENABLE ROW LEVEL SECURITY",
            "enabled and forced on audit_events",
            "ALTER TABLE audit_events ENABLE ROW LEVEL SECURITY",
        ),
        (
            "ALTER TABLE source_events NO FORCE ROW LEVEL SECURITY",
            "ALTER TABLE source_events FORCE ROW LEVEL SECURITY",
            "enabled and forced on source_events",
            "FORCE ROW LEVEL SECURITY",
        ),
        ("GRANT DELETE ON audit_events TO {}", "REVOKE DELETE ON audit_events FROM {}", "other rights", "migrate"),
        ("REVOKE INSERT ON audit_events FROM {}", "GRANT INSERT ON audit_events TO {}", "other rights", "migrate"),
        (
            "GRANT UPDATE (entry) ON audit_events TO {}",
            "REVOKE UPDATE (entry) ON audit_events FROM {}",
            "does not need: UPDATE on audit_events, column entry",
            f"REVOKE UPDATE (entry) ON audit_events FROM {SERVER_ROLE};",
        ),
        (
            "GRANT UPDATE (version) ON schema_version TO PUBLIC",
            "REVOKE UPDATE (version) ON schema_version FROM PUBLIC",
            "UPDATE on schema_version, column version",
            "REVOKE UPDATE (version) ON schema_version FROM PUBLIC;",
        ),
        (
            "ALTER TABLE audit_events DISABLE TRIGGER audit_events_are_not_changed",
            "ALTER TABLE audit_events ENABLE TRIGGER audit_events_are_not_changed",
            "the trigger audit_events_are_not_changed on audit_events is disabled",
            "ALTER TABLE audit_events ENABLE TRIGGER audit_events_are_not_changed;",
        ),
        (
            "ALTER TABLE audit_events ENABLE REPLICA TRIGGER audit_events_are_not_emptied",
            "ALTER TABLE audit_events ENABLE TRIGGER audit_events_are_not_emptied",
            "audit_events_are_not_emptied on audit_events is disabled",
            "ENABLE TRIGGER audit_events_are_not_emptied;",
        ),
        (
            "ALTER ROLE {} SET session_replication_role = replica",
            "ALTER ROLE {} RESET session_replication_role",
            "session_replication_role is replica",
            "ALTER ROLE",
        ),
        (
            "ALTER ROLE {} SET synchronous_commit = off",
            "ALTER ROLE {} RESET synchronous_commit",
            "synchronous_commit is off",
            "ALTER SYSTEM SET synchronous_commit = on",
        ),
        (
            "ALTER ROLE {} SET synchronous_commit = local",
            "ALTER ROLE {} RESET synchronous_commit",
            "synchronous_commit is local",
            "synchronous_commit = on",
        ),
        (
            "ALTER ROLE {} SET synchronous_commit = remote_write",
            "ALTER ROLE {} RESET synchronous_commit",
            "synchronous_commit is remote_write",
            "synchronous_commit = on",
        ),
        (
            "UPDATE schema_version SET version = 0",
            f"UPDATE schema_version SET version = {KNOWN_VERSION}",
            "schema is 0",
            "supportaccess store migrate",
        ),
        (
            f"UPDATE schema_version SET version = {KNOWN_VERSION + 1}",
            f"UPDATE schema_version SET version = {KNOWN_VERSION}",
            "newer supportaccess",
            "pip install --upgrade",
        ),
    ],
)
def test_what_is_wrong_is_named_with_what_mends_it(
    cluster: OwnCluster, before: str, after: str, named: str, mend: str
) -> None:
    """Each thing that is wrong is refused by its name, with the statement that mends it."""
    cluster.run(before.format(SERVER_ROLE), "store")
    try:
        refused = refusal(cluster)
    finally:
        cluster.run(after.format(SERVER_ROLE), "store")
    assert named in refused.message
    assert mend in str(refused.hint)
    check(cluster.conninfo("store", SERVER_ROLE))


def test_rights_on_columns_that_the_table_gives_anyway(cluster: OwnCluster) -> None:
    """A right on a column that the role has on the whole table is none too many."""
    cluster.run(f"GRANT SELECT (entry) ON audit_events TO {SERVER_ROLE}", "store")

    check(cluster.conninfo("store", SERVER_ROLE))


def test_the_superuser_and_the_owner_are_refused(cluster: OwnCluster) -> None:
    """Signed in as either, the server does not start: row-level security would not hold."""
    superuser, owner = refusal(cluster, "postgres"), refusal(cluster, OWNER)
    assert superuser.message == "the server's role postgres is a superuser"
    assert "owns access_requests, attempt_counts, audit_checkpoints, audit_events, " in owner.message
    for refused in (superuser, owner):
        assert str(refused.hint).startswith("Let the server sign in as a role of its own")


def test_an_empty_database_says_what_to_run(cluster: OwnCluster) -> None:
    """A database without the schema is refused with the command that makes it."""
    cluster.make_database("empty")
    refused = refusal(cluster, database="empty")
    assert "schema is 0" in refused.message
    assert refused.hint == "supportaccess store migrate"


def test_another_encoding_is_refused(cluster: OwnCluster) -> None:
    """In a database that is not UTF8 not every text could be kept."""
    cluster.run(f"CREATE DATABASE latin OWNER {OWNER} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    assert "encoding is LATIN1" in refusal(cluster, database="latin").message


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
def test_settings_that_lose_what_was_told_as_done(cluster: OwnCluster, setting: str) -> None:
    """With fsync or full_page_writes off a crash may lose or tear what was acknowledged: the server does not start."""
    cluster.run(f"ALTER SYSTEM SET {setting} = off")
    cluster.run("SELECT pg_reload_conf()")
    try:
        cluster.wait_for(f"SELECT current_setting('{setting}') = 'off'")
        refused = refusal(cluster)
    finally:
        cluster.run(f"ALTER SYSTEM RESET {setting}")
        cluster.run("SELECT pg_reload_conf()")
        cluster.wait_for(f"SELECT current_setting('{setting}') = 'on'")
    assert f"{setting} is off" in refused.message
    assert f"ALTER SYSTEM SET {setting} = on" in str(refused.hint)
