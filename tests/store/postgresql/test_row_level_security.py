"""The second wall: whatever a statement says, a session has the rows of its tenants only."""

from collections.abc import Iterator

import psycopg
import pytest
from tests.contract.acts import cross_tenant, new_key, raised
from tests.support.events import CREATED, event
from tests.support.people import FOREIGN, HOME, RESOURCE
from tests.support.postgresql import STORE, TABLES, Cluster
from tests.support.worlds import SqlWorld

from supportaccess.errors import InvalidInput, StoreRefused
from supportaccess.store.protocol import AuditQuery
from supportaccess.store.sql.engine import EVERY_TENANT, Raced, Statement
from supportaccess.store.sql.outbox import Outbox
from supportaccess.store.sql.postgresql.schema import SERVER_ROLE

Connection = psycopg.Connection[tuple[object, ...]]


@pytest.fixture
def full(world: SqlWorld, shared: Cluster) -> Iterator[SqlWorld]:
    """Return a store with rows of several tenants in every table."""
    cross_tenant(world)
    for tenant_id in (HOME, RESOURCE, FOREIGN):
        events = [event(CREATED, tenant_id=tenant_id)]
        world.store(tenant_id).import_events(events, key=new_key(), details={})
        raised(world.store(tenant_id))
        world.store(tenant_id).audit_page(AuditQuery(), top=1)
        with world.engine.writing([tenant_id]) as session:
            for statement in (
                "INSERT INTO audit_log_nodes VALUES (:tenant_id, 1, 0, '')",
                "INSERT INTO audit_checkpoints VALUES (:tenant_id, 1, '')",
            ):
                session.run(statement, {"tenant_id": tenant_id})
    Outbox(world.engine, "siem", "target").begin([HOME, RESOURCE, FOREIGN], world.clock())
    yield world
    shared.run("DELETE FROM audit_log_nodes", STORE)  # which a verification would find


@pytest.fixture
def connection(full: SqlWorld, shared: Cluster) -> Iterator[Connection]:
    """Return a bare connection of the server's role."""
    assert full
    with psycopg.connect(shared.conninfo(STORE, SERVER_ROLE), autocommit=True) as bare:
        yield bare


def tenants_seen(connection: Connection, table: str) -> set[object]:
    return {row[0] for row in connection.execute(f"SELECT tenant_id FROM {table}".encode())}


@pytest.mark.parametrize("table", TABLES)
def test_nothing_is_seen_without_tenants(connection: Connection, table: str) -> None:
    """A connection that no tenants were set for sees no row, nor does one whose setting is empty."""
    assert tenants_seen(connection, table) == set()
    connection.execute("SET supportaccess.tenants = ''")
    assert tenants_seen(connection, table) == set()


@pytest.mark.parametrize("table", TABLES)
def test_a_query_without_a_condition_returns_the_tenants_alone(full: SqlWorld, table: str) -> None:
    """A statement that forgot its tenant returns the rows of the session's tenants, and of no other."""
    for tenant_ids in ([HOME], [RESOURCE], [HOME, RESOURCE]):
        for opened in (full.engine.reading, full.engine.snapshot, full.engine.writing):
            with opened(tenant_ids) as session:
                seen = {row[0] for row in session.all(f"SELECT tenant_id FROM {table}", {})}
            assert seen <= set(tenant_ids)
            assert seen


@pytest.mark.parametrize("table", TABLES)
def test_the_setting_ends_with_its_session(full: SqlWorld, table: str) -> None:
    """After a session its connection, which the next one gets, sees nothing again."""
    for opened in (full.engine.reading, full.engine.snapshot, full.engine.writing):
        with opened([HOME]) as session:
            assert session.all(f"SELECT tenant_id FROM {table}", {})
    with full.engine.reading([]) as session:
        assert session.all(f"SELECT tenant_id FROM {table}", {}) == []


def test_rows_of_another_tenant_cannot_be_written(full: SqlWorld) -> None:
    """An insert for another tenant is refused; an update or a delete of its rows touches none."""
    head = {"tenant_id": FOREIGN, "id": "1"}
    with pytest.raises(StoreRefused, match="row-level security"), full.engine.writing([HOME]) as session:
        session.run("INSERT INTO support_requests (tenant_id, id, state) VALUES (:tenant_id, :id, 'open')", head)
    with full.engine.writing([HOME]) as session:
        assert session.run("UPDATE source_events SET placed = 1 WHERE tenant_id = :tenant_id", head) == 0
        assert session.run("DELETE FROM idempotency WHERE tenant_id = :tenant_id", head) == 0
    with pytest.raises(StoreRefused, match="row-level security"), full.engine.writing([HOME]) as session:
        session.run("UPDATE source_events SET tenant_id = :tenant_id", head)
    move = Statement("UPDATE audit_log_heads SET size = 0 WHERE tenant_id = :tenant_id", head, one_row=True)
    with pytest.raises(Raced), full.engine.writing([HOME]) as session:
        session.finish([move])


def test_every_tenant_can_be_read_and_not_written(full: SqlWorld) -> None:
    """The session of the upkeep reads over all tenants, and writes nothing."""
    with full.engine.reading(EVERY_TENANT) as session:
        assert {row[0] for row in session.all("SELECT tenant_id FROM audit_events", {})} == {HOME, RESOURCE, FOREIGN}
    with full.engine.writing(EVERY_TENANT) as session:
        assert session.run("DELETE FROM idempotency", {}) == 0
        assert session.run("UPDATE source_events SET placed = 1", {}) == 0
    with pytest.raises(StoreRefused, match="row-level security"), full.engine.writing(EVERY_TENANT) as session:
        session.run("INSERT INTO support_requests (tenant_id, id, state) VALUES ('*', '1', 'open')", {})


@pytest.mark.parametrize("tenant_ids", [["*", HOME], [f"{HOME},{RESOURCE}"], ["x'"], [""]])
def test_what_is_no_tenant_opens_no_session(world: SqlWorld, tenant_ids: list[str]) -> None:
    """Nothing that is not a tenant ID comes into the setting."""
    with pytest.raises(InvalidInput), world.engine.reading(tenant_ids) as session:
        session.all("SELECT 1", {})


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_events SET at = 0",
        "DELETE FROM audit_events",
        "TRUNCATE audit_events",
        "DROP TABLE audit_events",
        "ALTER TABLE audit_events DISABLE TRIGGER ALL",
        "ALTER TABLE audit_events NO FORCE ROW LEVEL SECURITY",
        "DROP POLICY of_the_tenants ON audit_events",
        "CREATE TABLE more (id TEXT)",
        "DELETE FROM support_requests",
        "UPDATE schema_version SET version = 0",
        "SET session_replication_role = replica",
        "SET row_security = off; SELECT * FROM audit_events",
    ],
)
def test_the_servers_role_cannot(connection: Connection, statement: str) -> None:
    """The server's role may neither change the audit log nor anything about the tables."""
    connection.execute(f"SET supportaccess.tenants = '{HOME}'".encode())
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.encode())


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_events SET at = 0", "DELETE FROM audit_events", "TRUNCATE audit_events"]
)
def test_even_the_superuser_changes_no_entry_by_accident(full: SqlWorld, shared: Cluster, statement: str) -> None:
    """A trigger refuses to change or delete audit entries, whoever asks."""
    assert full
    with pytest.raises(psycopg.errors.RaiseException, match="never changed"):
        shared.run(statement, STORE)
