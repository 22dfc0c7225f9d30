import itertools
import random
from collections.abc import Iterator
from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.support.people import HOME, START, asking, caller
from tests.support.worlds import StoreWorld, counted_ids, throwaway_world

from supportaccess.domain import lifecycle
from supportaccess.domain.audit import Step
from supportaccess.domain.expiry import Limit
from supportaccess.domain.records import Status
from supportaccess.store.protocol import LARGEST_PAGE, SHORTEST_PREFIX, AuditOrder, AuditQuery, Order, RequestQuery
from supportaccess.store.sql import maintenance, reader, store
from supportaccess.store.sql.lists import Listing
from supportaccess.store.sql.sqlite.engine import SqliteEngine
from supportaccess.store.sql.writes import lock_and_write

REQUESTS = 3_000
NOW = START + timedelta(minutes=REQUESTS)

FILTERS = [
    RequestQuery(),
    RequestQuery(statuses=frozenset({Status.PENDING})),
    RequestQuery(statuses=frozenset({Status.LAPSED, Status.EXPIRED})),
    RequestQuery(approved_access=True),
    RequestQuery(statuses=frozenset({Status.PENDING}), approved_access=True),
    RequestQuery(support_request_id="7"),
    RequestQuery(statuses=frozenset({Status.APPROVED}), engineer="erin"),
    RequestQuery(since=START, until=START + timedelta(days=1)),
    RequestQuery(search="sign"),
]


@pytest.fixture(scope="module")
def crowded() -> Iterator[StoreWorld]:
    """Return a store with some thousand requests, swept, and without statistics, as a store is."""
    with throwaway_world() as world:
        chance, ids = random.Random(1), counted_ids()
        with world.engine.writing(()) as session:
            lock_and_write(world.engine, session, list(many_steps(chance, ids)), {})
        world.clock.now = NOW
        world.sweep()
        yield world


def many_steps(chance: random.Random, ids: object) -> Iterator[Step]:
    assert callable(ids)
    for number in range(REQUESTS):
        now = START + timedelta(minutes=number)
        raising = lifecycle.raise_request(asking(f"{number % 300}", requested_seconds=3600), caller(), str(ids()), now)
        yield raising
        record = raising.after
        assert record is not None
        match chance.randrange(3):
            case 0:
                yield from lifecycle.approve(
                    record, caller(), etag=record.etag, reason=None, limit=Limit(), also=(), now=now
                )
            case 1:
                yield from lifecycle.reject(record, caller(), etag=record.etag, reason="no", now=now)
            case _:
                pass


def plan(world: StoreWorld, statement: str, parameters: dict[str, object]) -> list[str]:
    """Return the steps in which SQLite would carry a statement out."""
    rows = world.engine.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
    return [str(row[3]) for row in rows]


def check(steps: list[str]) -> None:
    """Check that every read of the table is an index search, narrowed by more than the tenant."""
    reads = [step for step in steps if "access_requests" in step]
    assert reads
    for step in reads:
        assert step.startswith("SEARCH"), steps
        assert step.count("=?") + step.count(">?") + step.count("<?") >= 2, steps


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize("query", FILTERS)
@pytest.mark.parametrize("later", [False, True])
def test_a_page_walks_along_an_index(crowded: StoreWorld, query: RequestQuery, order: Order, later: bool) -> None:
    """The first page and any later one search an index, and sort nothing but the arms' own rows."""
    query = replace(query, order=order)
    cursor = crowded.store(HOME).page(query, top=3).next if later else None
    statement, parameters = Listing(query, HOME, NOW, SqliteEngine.dialect).page(100, cursor)
    steps = plan(crowded, statement, parameters)

    check(steps)
    for search, sorting in _arms(steps):
        if sorting:
            # Sorted are the few rows of one support request, those that no sweep has seen, those of 30 days, and those
            # of a status that is unknown.
            narrow = ("urgency<" in search and order is not Order.ATTENTION) or "status>? AND status<?" in search
            assert "support_request_id=?" in search or narrow, steps
    if query.support_request_id is not None:
        known = [search for search, _ in _arms(steps) if "status>?" not in search and "status<?" not in search]
        assert all("support_request_id=?" in search for search in known)


def _arms(steps: list[str]) -> Iterator[tuple[str, bool]]:
    """Return each arm's search, and whether all that it finds is sorted before its page is cut off."""
    for number, step in enumerate(steps):
        if "access_requests" in step and "id=?" not in step.split("tenant_id=?")[1]:
            yield step, steps[number + 1 : number + 2] == ["USE TEMP B-TREE FOR ORDER BY"]


@pytest.mark.parametrize("query", FILTERS)
def test_a_count_searches_an_index(crowded: StoreWorld, query: RequestQuery) -> None:
    """A count reads an index of its statuses, and where it filters by nothing else, no row at all."""
    statement, parameters = Listing(query, HOME, NOW, SqliteEngine.dialect).count(1000)
    steps = plan(crowded, statement, parameters)

    check(steps)
    if query in FILTERS[:5]:
        known = [
            step for step in steps if "access_requests" in step and "status>?" not in step and "status<?" not in step
        ]
        assert all("COVERING INDEX" in step for step in known)


@pytest.mark.parametrize("text", ["7", "abcd", "01234567-89ab"])
def test_finding_searches_indexes(crowded: StoreWorld, text: str) -> None:
    """A prefix is searched along the primary key and a support request along its index."""
    parameters = {
        "tenant_id": HOME,
        "text": text,
        "support_request_id": text,
        "id": text,
        "shortest": SHORTEST_PREFIX,
        "now": 0,
        "top": 10,
    }
    for statement in (reader._FIND, reader._FIND_EARLIER_ID, store._OF_SUPPORT_REQUEST):
        steps = plan(crowded, statement, parameters)
        check(steps)
        assert not [step for step in steps if step.startswith("SCAN") and "source_events" in step]


def test_a_sweep_looks_at_what_is_due_alone(crowded: StoreWorld) -> None:
    """What fell due is found by the index of open requests, and old answers by their age."""
    for statement in (
        maintenance._WITH_SOMETHING_DUE,
        maintenance._FALLEN_DUE,
        maintenance._WITH_OLD_ANSWERS,
        maintenance._FORGET_ANSWERS,
    ):
        steps = plan(crowded, statement, {"now": 0, "before": 0, "tenant_id": HOME})
        assert not [step for step in steps if step.startswith("SCAN") and ("access_" in step or "idemp" in step)], steps


def test_the_work_for_a_page_does_not_grow_with_the_store(crowded: StoreWorld) -> None:
    """For a first page of 3,000 requests SQLite goes about as many steps as for one of a tenth of them."""
    with throwaway_world() as small:
        with small.engine.writing(()) as session:
            steps = itertools.islice(many_steps(random.Random(1), counted_ids()), 500)
            lock_and_write(small.engine, session, list(steps), {})
        small.clock.now = NOW
        small.sweep()
        for query in FILTERS[:3]:
            for order in Order:
                few, many = (_work(world, replace(query, order=order)) for world in (small, crowded))
                assert many <= 1.5 * few + 100, (query, order)


def _work(world: StoreWorld, query: RequestQuery) -> int:
    """Return how many tens of steps SQLite goes to make a page."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    statement, parameters = Listing(query, HOME, NOW, SqliteEngine.dialect).page(20, None)
    world.engine.connection.set_progress_handler(count, 10)
    try:
        assert len(world.engine.connection.execute(statement, parameters).fetchall()) <= LARGEST_PAGE
    finally:
        world.engine.connection.set_progress_handler(None, 0)
    return steps


@pytest.mark.parametrize("number", [1, 50])
@pytest.mark.parametrize("order", AuditOrder)
def test_entries_of_some_requests_are_found_by_their_index(crowded: StoreWorld, number: int, order: AuditOrder) -> None:
    """The entries of a few requests cost what those have, however long the log is: audits ask for fifty at a time."""
    ids = frozenset(record.id for record in crowded.store(HOME).page(RequestQuery(), top=number).value)
    statements: list[str] = []
    crowded.engine.connection.set_trace_callback(statements.append)
    crowded.store(HOME).audit_page(AuditQuery(access_request_ids=ids, order=order), top=1000)
    crowded.engine.connection.set_trace_callback(None)
    (statement,) = [each for each in statements if "FROM audit_events" in each]
    steps = plan(crowded, statement, {})

    assert len(ids) == number
    assert steps[0].startswith("SEARCH audit_events USING INDEX audit_events_by_request")
    assert "access_request_id=?" in steps[0]
