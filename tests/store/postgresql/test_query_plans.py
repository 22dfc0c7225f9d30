"""Lists are read along indexes, whatever the planner knows of a tenant: without statistics, and with them."""

import json
import random
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.store.test_query_plans import FILTERS, NOW, many_steps
from tests.support import run
from tests.support.people import HOME
from tests.support.postgresql import programs, shared_cluster
from tests.support.requirements import require
from tests.support.worlds import SqlWorld, counted_ids

from supportaccess.store.protocol import SHORTEST_PREFIX, AuditQuery, Order, RequestQuery
from supportaccess.store.sql import maintenance, reader, rows, store
from supportaccess.store.sql.engine import EVERY_TENANT
from supportaccess.store.sql.lists import Listing
from supportaccess.store.sql.maintenance import sweep
from supportaccess.store.sql.postgresql.engine import PostgresqlEngine
from supportaccess.store.sql.postgresql.open import open_postgresql
from supportaccess.store.sql.postgresql.schema import SERVER_ROLE
from supportaccess.store.sql.writes import lock_and_write

Plan = dict[str, Any]
TOP = 100


def make_crowd(folder: Path) -> dict[str, str]:  # noqa: ARG001
    """Make a database with some thousand requests, swept, that no planner has statistics of: costly, so once a run."""
    cluster, name = shared_cluster(), "crowd"
    with closing(open_postgresql(cluster.make_store(name))) as engine:
        cluster.run("ALTER TABLE access_requests SET (autovacuum_enabled = off)", name)
        with engine.writing([HOME]) as session:
            lock_and_write(engine, session, list(many_steps(random.Random(1), counted_ids())), {})
        sweep(engine, lambda: NOW)
    return {"name": name}


@pytest.fixture(scope="module", params=["without statistics", "with statistics"])
def crowded(request: pytest.FixtureRequest) -> Iterator[SqlWorld]:
    """Return a store with these requests, in files that no other test had a part in."""
    require(programs(), "PostgreSQL's programs (apt-get install postgresql)")
    cluster = shared_cluster()
    crowd = run.current().shared("crowd", make_crowd)["name"]
    with cluster.new_database(crowd) as name, closing(open_postgresql(cluster.conninfo(name, SERVER_ROLE))) as engine:
        if request.param == "with statistics":
            cluster.run("ANALYZE access_requests", name)
        world = SqlWorld(engine)
        world.clock.now = NOW
        yield world


def plan(world: SqlWorld, sql: str, parameters: dict[str, object], tenant_ids: tuple[str, ...] = (HOME,)) -> list[Plan]:
    """Return every node of the plan that a session for reads has for a statement, with what it really did."""
    with world.engine.reading(tenant_ids) as session:
        row = session.one(f"EXPLAIN (ANALYZE, FORMAT JSON, COSTS OFF, TIMING OFF) {sql}", parameters)
    assert row is not None
    told = row[0] if isinstance(row[0], list) else json.loads(row[0])
    return list(_nodes(told[0]["Plan"]))


def _nodes(node: Plan) -> Iterator[Plan]:
    yield node
    for child in node.get("Plans", []):
        yield from _nodes(child)


def reads(nodes: list[Plan], table: str = "access_requests") -> list[Plan]:
    found = [node for node in nodes if node.get("Relation Name") == table or table in node.get("Index Name", "")]
    assert found
    return found


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize("query", FILTERS)
@pytest.mark.parametrize("later", [False, True])
def test_a_page_walks_along_an_index(
    request: pytest.FixtureRequest, crowded: SqlWorld, query: RequestQuery, order: Order, later: bool
) -> None:
    """The first page and any later one search an index by more than the tenant, and read no more than the page."""
    # Without statistics the planner goes by the sizes of files, which other tests have a part in.
    analysed = "with statistics" in request.node.name
    query = replace(query, order=order)
    cursor = crowded.store(HOME).page(query, top=3).next if later else None
    statement, parameters = Listing(query, HOME, NOW, PostgresqlEngine.dialect).page(TOP, cursor)
    nodes = plan(crowded, statement, parameters)

    # Read and sorted are the few rows of one support request, those that no sweep has seen, and those of 30 days.
    narrow = query.support_request_id or query.approved_access or "urgency <" in statement
    filtered = query.engineer or query.search or query.since
    arms = reads(nodes)
    if not narrow and not filtered:
        # What is merged is read no further than the page needs, and one row of each arm; so it is of each group.
        groups = 3 if order is Order.ATTENTION else 1
        assert sum(node["Actual Rows"] for node in arms) <= groups * TOP + len(arms), arms
    for node in arms:
        condition = node.get("Index Cond") or node["Recheck Cond"]
        if "status >" in condition:  # those of a status that is unknown: none
            assert "tenant_id =" in condition
            assert "status <" in condition
            assert node["Actual Rows"] == node.get("Rows Removed by Filter", 0) == 0, node
            continue
        assert "tenant_id =" in condition or node["Node Type"] == "Bitmap Heap Scan", node
        if query.support_request_id:
            assert "support_request_id =" in condition or not analysed
        elif not narrow:
            assert node["Node Type"] in {"Index Scan", "Index Only Scan"}, node
            assert "status =" in condition
        if not narrow and not filtered:
            assert node["Actual Rows"] <= TOP, node
            assert node.get("Rows Removed by Filter", 0) == 0, node
        if not narrow and later and order is not Order.ATTENTION:
            assert "ROW(listed_at" in condition, node


@pytest.mark.parametrize("query", FILTERS)
def test_a_count_searches_an_index(crowded: SqlWorld, query: RequestQuery) -> None:
    """A count reads an index of its tenant."""
    statement, parameters = Listing(query, HOME, NOW, PostgresqlEngine.dialect).count(1000)
    for node in reads(plan(crowded, statement, parameters)):
        assert "tenant_id =" in str(node.get("Index Cond") or node.get("Recheck Cond")), node


@pytest.mark.parametrize("text", ["7", "abcd", "01234567-89ab"])
def test_finding_searches_indexes(crowded: SqlWorld, text: str) -> None:
    """A prefix is searched along the primary key and a support request along its index."""
    named: dict[str, object] = {"tenant_id": HOME, "text": text, "support_request_id": text, "id": text}
    parameters = named | {"shortest": SHORTEST_PREFIX, "now": 0, "top": 10}
    for statement in (reader._FIND, reader._FIND_EARLIER_ID, store._OF_SUPPORT_REQUEST):
        nodes = plan(crowded, statement, parameters)
        # A text that is too short for a prefix leaves that half of the statement out: it is planned, and not executed.
        assert not [node for node in nodes if node["Node Type"] == "Seq Scan" and node["Actual Loops"]], nodes
    by_prefix, *_ = reads(plan(crowded, reader._FIND, parameters))
    assert "id >=" in by_prefix.get("Index Cond", "") or len(text) < SHORTEST_PREFIX


@pytest.mark.parametrize("statement", [rows.GET, rows.UPDATE, rows.DELETE], ids=["get", "update", "delete"])
def test_a_decision_looks_its_row_up(crowded: SqlWorld, statement: str) -> None:
    """A decision finds its row by tenant and ID, and looks at no other row of the tenant."""
    record = crowded.records(HOME)[0]
    before = {"status_before": record.status.value, "etag_before": record.etag}
    with crowded.engine.writing([HOME]) as session:
        row = session.one(f"EXPLAIN (FORMAT JSON) {statement}", rows.row_of(HOME, record) | before)
    assert row is not None
    nodes = list(_nodes((row[0] if isinstance(row[0], list) else json.loads(row[0]))[0]["Plan"]))
    found = [node for node in nodes if node.get("Index Name")]
    assert [node["Index Name"] for node in found] == ["access_requests_pkey"], nodes
    assert "(tenant_id = " in found[0]["Index Cond"]
    assert "(id = " in found[0]["Index Cond"]
    assert not [node for node in nodes if node["Node Type"] == "Seq Scan"], nodes


def test_a_sweep_looks_at_what_is_due_alone(crowded: SqlWorld) -> None:
    """What fell due is found by the index of open requests, over all tenants, and reads nothing else."""
    due: dict[str, object] = {"now": 0, "before": 0}
    nodes = plan(crowded, maintenance._WITH_SOMETHING_DUE, due, EVERY_TENANT)
    assert "access_requests_falling_due" in {node.get("Index Name") for node in reads(nodes)}
    assert all("urgency <=" in (node.get("Index Cond") or node["Recheck Cond"]) for node in reads(nodes))


def test_the_log_is_read_along_its_key(crowded: SqlWorld) -> None:
    """A page of the audit log reads its rows and no more, and one request's entries are found by their index."""
    sql = (
        "SELECT entry FROM audit_events WHERE tenant_id = :tenant_id AND sequence > :after ORDER BY sequence LIMIT 100"
    )
    (node,) = reads(plan(crowded, sql, {"tenant_id": HOME, "after": 2000}), "audit_events")
    assert "sequence >" in node["Index Cond"]
    assert node["Actual Rows"] == TOP
    assert crowded.store(HOME).audit_page(AuditQuery(since=NOW - timedelta(days=9999)), top=TOP).next is not None
