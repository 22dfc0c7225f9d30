import json
from collections import Counter
from pathlib import Path

import pytest
from tests.contract.acts import new_key, raised
from tests.support.children import run
from tests.support.people import caller
from tests.support.worlds import StoreWorld, done_in

from supportaccess.domain import lifecycle
from supportaccess.domain.attempts import MOST
from supportaccess.domain.audit import Activity
from supportaccess.domain.records import Status
from supportaccess.store.protocol import RequestQuery
from supportaccess.store.sql.engine import Raced
from supportaccess.store.sql.writes import lock_and_write

pytestmark = pytest.mark.process

PROCESSES = 50

# Every process has its own connection, and waits at the barrier until the others have theirs.
DECIDERS = """
    import json, multiprocessing
    context = multiprocessing.get_context("fork")
    path, request_id, etag, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    barrier, answers = context.Barrier(count), context.SimpleQueue()

    def decide(number):
        store = store_at(path)
        act = (
            lambda: store.approve(request_id, etag=etag, key=f"decider-{number}"),
            lambda: store.reject(request_id, etag=etag, key=f"decider-{number}", reason="no"),
            lambda: store.withdraw(request_id, etag=etag, key=f"decider-{number}"),
        )[number % 3]
        barrier.wait(60)
        try:
            answers.put(["won", act().status.value])
        except Exception as error:
            answers.put([type(error).__name__, getattr(error, "current_status", str(error))])

    children = [context.Process(target=decide, args=(number,)) for number in range(count)]
    for child in children:
        child.start()
    told = [answers.get() for _ in children]
    for child in children:
        child.join()
    print(json.dumps(told))
"""


def test_of_fifty_processes_that_decide_exactly_one_wins(world: StoreWorld, path: Path) -> None:
    """Of 50 processes that approve, reject and withdraw one request at once, one wins and the others get a conflict.

    They are all one caller, who gets so many entries of it; the rest is counted.
    """
    record = raised(world.store())
    told = json.loads(run(DECIDERS, path, record.id, record.etag, PROCESSES))

    outcomes = Counter(kind for kind, _ in told)
    assert outcomes == {"won": 1, "Conflict": PROCESSES - 1}
    (status,) = {status for _, status in told}
    assert world.store().get(record.id).status == status
    history = world.store().history(record.id)
    assert [entry.status_after for entry in done_in(history)] == [Status.PENDING, status]
    assert [entry.activity for entry in history[2:]] == [Activity.ATTEMPT_FAILED] * MOST[Activity.ATTEMPT_FAILED]
    counted = world.engine.connection.execute("SELECT logged, not_logged FROM attempt_counts").fetchall()
    assert counted == [(MOST[Activity.ATTEMPT_FAILED], PROCESSES - 1 - MOST[Activity.ATTEMPT_FAILED])]
    assert world.findings() == []


def test_a_step_from_a_row_that_has_changed_is_taken_back(world: StoreWorld) -> None:
    """Should two writers ever begin from one row, the second finds it changed and writes neither row nor entry."""
    record = raised(world.store())
    steps = lifecycle.reject(record, caller(), etag=record.etag, reason="no", now=world.clock())
    approval = world.store().approve(record.id, etag=record.etag, key=new_key())
    with pytest.raises(Raced), world.engine.writing(()) as session:
        lock_and_write(world.engine, session, steps, {})

    assert world.store().get(record.id) == approval
    assert len(world.store().history(record.id)) == 2
    assert world.findings() == []


SAME_KEY = """
    import json, multiprocessing
    context = multiprocessing.get_context("fork")
    path, count = sys.argv[1], int(sys.argv[2])
    barrier, answers = context.Barrier(count), context.SimpleQueue()

    def ask(number):
        store = store_at(path)
        barrier.wait(60)
        answers.put(store.raise_request(asking(), key="the key").id)

    children = [context.Process(target=ask, args=(number,)) for number in range(count)]
    for child in children:
        child.start()
    print(json.dumps([answers.get() for _ in children]))
    for child in children:
        child.join()
"""


def test_the_same_key_from_many_processes_has_one_effect(world: StoreWorld, path: Path) -> None:
    """Twenty processes that send the same act with the same key at once all get the one record it made."""
    ids = set(json.loads(run(SAME_KEY, path, 20)))

    assert ids == {record.id for record in world.store().page(RequestQuery(), top=10).value}
    assert len(ids) == 1
    assert [entry.activity for entry in world.entries(world.store().tenant_id)] == [Activity.REQUEST_CREATED]


OPENERS = """
    import multiprocessing
    context = multiprocessing.get_context("fork")
    path, count = sys.argv[1], int(sys.argv[2])
    barrier = context.Barrier(count)

    def begin(number):
        barrier.wait(60)
        store_at(path).raise_request(asking(str(number)), key=f"key-{number}")

    children = [context.Process(target=begin, args=(number,)) for number in range(count)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    print([child.exitcode for child in children])
"""


def test_many_processes_may_open_a_store_that_is_not_there_yet(path: Path, tmp_path: Path) -> None:
    """Processes that open a fresh store at once make it once, and all can use it."""
    for attempt in range(4):
        fresh = tmp_path / f"{attempt}" / path.name
        assert run(OPENERS, fresh, 8).strip() == str([0] * 8)
        world = StoreWorld(fresh)
        assert len(world.records(world.store().tenant_id)) == 8
        assert world.findings() == []
        world.close()
