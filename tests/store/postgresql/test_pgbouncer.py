"""Behind a pooler in transaction mode, where a connection goes to another client after each transaction."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from tests.contract.acts import approved, cross_tenant, raised, revoke
from tests.support.people import FOREIGN, HOME, RESOURCE
from tests.support.postgresql import OWNER, SECONDS, STORE, Cluster, free_port, run_as
from tests.support.requirements import require
from tests.support.worlds import SqlWorld

from supportaccess.store.sql.postgresql.open import open_postgresql
from supportaccess.store.sql.postgresql.schema import SERVER_ROLE, plan

pytestmark = pytest.mark.process

_SETTINGS = """
[databases]
* = host=127.0.0.1 port={database_port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = 2
logfile = {folder}/log
"""


@pytest.fixture
def pooler(shared: Cluster) -> Iterator[int]:
    """Return the port of a pgbouncer with two connections to the database."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    require(program, "pgbouncer (apt-get install pgbouncer)")
    assert program is not None
    folder, port = Path(tempfile.mkdtemp(prefix="sa-pgbouncer-")), free_port()
    (folder / "pgbouncer.ini").write_text(_SETTINGS.format(folder=folder, port=port, database_port=shared.port))
    (folder / "users").write_text("".join(f'"{role}" "{shared.password}"\n' for role in (OWNER, SERVER_ROLE)))
    if account := run_as():
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, account)
    running = subprocess.Popen([program, "-q", folder / "pgbouncer.ini"], user=run_as(), cwd=folder)
    try:
        _wait_for(port)
        yield port
    finally:
        running.terminate()
        running.wait(SECONDS)
        shutil.rmtree(folder)


def _wait_for(port: int) -> None:
    until = time.monotonic() + SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            assert time.monotonic() < until
            time.sleep(0.02)
        else:
            return


@pytest.fixture
def behind(world: SqlWorld, shared: Cluster, pooler: int) -> Iterator[SqlWorld]:
    """Return the store as it is seen through the pooler."""
    usual, world.engine = world.engine, open_postgresql(shared.conninfo(STORE, SERVER_ROLE, port=pooler))
    yield world
    world.engine.close()
    world.engine = usual


def test_everything_works(behind: SqlWorld) -> None:
    """Requests are made, decided, listed, verified and swept, and a migration is planned, through the pooler."""
    record = approved(behind.store())
    assert revoke(behind.store(), record.id).status == "revoked"
    assert len(behind.store().history(record.id)) == 3
    cross_tenant(behind)
    assert behind.store().close("77", key="close")[0].status == "completed"
    assert behind.sweep() == 0
    assert [len(behind.records(tenant_id)) for tenant_id in (HOME, RESOURCE)] == [2, 1]
    assert behind.findings() == []


def test_a_plan_is_made_through_it(shared: Cluster, pooler: int) -> None:
    """Whether a migration is needed can be asked through the pooler."""
    assert plan(shared.conninfo(STORE, OWNER, port=pooler)).up_to_date


def test_tenants_never_leak_to_another_client(behind: SqlWorld, shared: Cluster, pooler: int) -> None:
    """Eight clients of three tenants share two connections; none ever sees the rows of another's tenant."""
    tenants = (HOME, RESOURCE, FOREIGN)
    for tenant_id in tenants:
        raised(behind.store(tenant_id))

    def look(number: int) -> set[tuple[str, bool]]:
        tenant_id = tenants[number % 3]
        seen = set()
        for _ in range(100):
            for opened in (behind.engine.reading, behind.engine.writing):
                with opened([tenant_id]) as session:
                    rows = session.all("SELECT tenant_id FROM access_requests", {})
                seen |= {(row[0], row[0] == tenant_id) for row in rows}
        return seen

    def look_without_tenants(_: int) -> set[tuple[object, ...]]:
        with psycopg.connect(
            shared.conninfo(STORE, SERVER_ROLE, port=pooler), autocommit=True, prepare_threshold=None
        ) as bare:
            return {row for _ in range(200) for row in bare.execute("SELECT tenant_id FROM access_requests")}

    with ThreadPoolExecutor(10) as threads:
        without = [threads.submit(look_without_tenants, number) for number in range(2)]
        seen = list(threads.map(look, range(8)))

    assert seen == [{(tenants[number % 3], True)} for number in range(8)]
    assert [each.result() for each in without] == [set(), set()]
