from datetime import timedelta

from tests.contract.acts import approved, cross_tenant, new_key, raised
from tests.support.events import CREATED, event
from tests.support.people import HOME, RESOURCE, START, asking
from tests.support.worlds import StoreWorld

from supportaccess.domain.audit import Activity
from supportaccess.store.sql import maintenance
from supportaccess.store.sql.maintenance import ANSWERS_KEPT, tenant_counts

HOUR = timedelta(hours=1)


def test_each_end_is_written_once_with_its_own_time(world: StoreWorld) -> None:
    """A sweep writes every limit and deadline that passed, earliest first, dated with the limit, in each tenant."""
    store = world.store()
    lapsing = [raised(store, asking(decide_by=START + n * HOUR)) for n in (3, 1, 2)]
    expiring = approved(store)
    both = cross_tenant(world)
    still_open = raised(store, asking(decide_by=START + 100 * HOUR))
    world.clock.advance(50 * HOUR)

    assert world.sweep() == 6
    assert world.sweep() == 0

    entries = [e for e in world.entries(HOME) if e.activity in {Activity.LIMIT_REACHED, Activity.DEADLINE_PASSED}]
    assert [e.time for e in entries] == [START + n * HOUR for n in (1, 2, 3, 8, 8)]
    assert {e.access_request_id for e in entries} == {expiring.id, both, *(r.id for r in lapsing)}
    assert [e.activity for e in world.entries(RESOURCE)][1:] == [Activity.LIMIT_REACHED]
    assert store.get(still_open.id) == still_open
    assert world.findings() == []


def test_more_than_fits_in_one_transaction_is_swept(world: StoreWorld) -> None:
    """However many requests fell due, one sweep writes them all."""
    world.engine.connection.execute("PRAGMA synchronous = OFF")
    for _ in range(maintenance._AT_ONCE + 3):
        raised(world.store(), asking(decide_by=START + HOUR))
    world.clock.advance(HOUR)

    assert world.sweep() == maintenance._AT_ONCE + 3
    assert world.sweep() == 0
    assert world.findings() == []


def test_old_answers_are_forgotten(world: StoreWorld) -> None:
    """After a week a sweep forgets the answers to idempotency keys, also when nothing else is to be done."""

    def kept() -> int:
        count: int = world.engine.connection.execute("SELECT count(*) FROM idempotency").fetchone()[0]
        return count

    raised(world.store())
    world.clock.advance(ANSWERS_KEPT)
    raised(world.store())
    assert (world.sweep(), kept()) == (0, 2)

    world.clock.advance(timedelta(microseconds=1))

    assert (world.sweep(), kept()) == (0, 1)


def test_a_sweep_of_nothing_takes_no_lock(world: StoreWorld) -> None:
    """A sweep with nothing to do does not wait for a writer."""
    other = StoreWorld(world.engine.path)
    world.engine.connection.execute("PRAGMA busy_timeout = 50")
    with other.engine.writing(()):
        assert world.sweep() == 0
    other.close()


def test_what_a_store_holds(world: StoreWorld) -> None:
    """The counts name each tenant with its requests, entries and events."""
    approved(world.store())
    cross_tenant(world)
    world.store(RESOURCE).import_events([event(CREATED, tenant_id=RESOURCE)], key=new_key(), details={})

    assert [
        (c.tenant_id, c.access_requests, c.audit_entries, c.source_events) for c in tenant_counts(world.engine)
    ] == [(HOME, 2, 4, 0), (RESOURCE, 2, 3, 1)]
