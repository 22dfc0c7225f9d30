"""Many writers at once: no double decision, no fork of a log, no gap in it. The world verifies every log at the end."""

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import pytest
from tests.contract.acts import approved, new_key, raised
from tests.support.events import CREATED, event
from tests.support.people import HOME, RESOURCE, SettableClock, asking, caller
from tests.support.postgresql import STORE, Cluster
from tests.support.worlds import SqlWorld

from supportaccess.domain.attempts import MOST, WINDOW
from supportaccess.domain.audit import Activity
from supportaccess.domain.records import AccessRequest
from supportaccess.errors import Conflict, NotFound, SupportAccessError
from supportaccess.store.protocol import RequestQuery, RequestStore
from supportaccess.store.sql.engine import Raced
from supportaccess.store.sql.maintenance import sweep
from supportaccess.store.sql.postgresql.engine import PostgresqlEngine
from supportaccess.store.sql.postgresql.schema import SERVER_ROLE
from supportaccess.store.sql.store import SqlStore

WRITERS = 16
T = TypeVar("T")


@pytest.fixture
def world(world: SqlWorld, shared: Cluster) -> Iterator[SqlWorld]:
    """Return a store with a connection for each writer."""
    usual, world.engine = world.engine, PostgresqlEngine(shared.conninfo(STORE, SERVER_ROLE), pool=WRITERS)
    yield world
    world.engine.close()
    world.engine = usual


def at_once(acts: Sequence[Callable[[], T]]) -> list[T | SupportAccessError]:
    """Begin all acts at the same moment, and return what each returned or raised."""
    barrier = threading.Barrier(len(acts))

    def begin(act: Callable[[], T]) -> T | SupportAccessError:
        barrier.wait(60)
        try:
            return act()
        except SupportAccessError as error:
            return error

    with ThreadPoolExecutor(len(acts)) as threads:
        return list(threads.map(begin, acts))


def deciding(world: SqlWorld, tenant_id: str, numbers: Sequence[int]) -> Callable[[], list[str]]:
    def act() -> list[str]:
        store = world.store(tenant_id)
        ids = []
        for number in numbers:
            record = raised(store, asking(f"{number}"))
            ids.append(store.approve(record.id, etag=record.etag, key=new_key()).id)
        return ids

    return act


def test_many_writers_in_one_tenant(world: SqlWorld) -> None:
    """16 writers in one tenant, new to the store, all get their turn; the log has an entry of every act, once."""
    told = at_once([deciding(world, HOME, range(writer * 10, writer * 10 + 10)) for writer in range(WRITERS)])

    ids = [request_id for each in told if isinstance(each, list) for request_id in each]
    assert len(set(ids)) == WRITERS * 10
    entries = world.entries(HOME)
    assert [entry.sequence for entry in entries] == list(range(2 * WRITERS * 10))
    assert Counter(entry.access_request_id for entry in entries) == dict.fromkeys(ids, 2)


def test_many_writers_in_many_tenants(world: SqlWorld) -> None:
    """16 writers over a hundred tenants do not wait for each other's logs, nor mix them up."""
    tenants = [f"{number:08}-0000-4000-8000-000000000000" for number in range(100)]

    def in_a_quarter(writer: int) -> None:
        for tenant_id in tenants[writer % 4 :: 4]:
            deciding(world, tenant_id, [writer])()

    told = at_once([partial(in_a_quarter, writer) for writer in range(WRITERS)])

    assert not [each for each in told if isinstance(each, SupportAccessError)]
    for tenant_id in tenants:
        assert [entry.sequence for entry in world.entries(tenant_id)] == list(range(8))


def test_what_many_try_at_once_is_counted_to_the_last(world: SqlWorld) -> None:
    """Connections that try at once share one limit, and while sweeps write the counts down nothing is lost of them."""

    def attempt(clock: SettableClock) -> Callable[[], None]:
        def act() -> None:
            store = SqlStore(world.engine, caller(), clock=clock)
            for _ in range(25):
                with pytest.raises(NotFound):
                    store.close("1", key=new_key())

        return act

    assert at_once([attempt(world.clock)] * WRITERS) == [None] * WRITERS
    assert len(world.entries(HOME)) == MOST[Activity.ATTEMPT_FAILED]

    later = SettableClock(world.clock() + WINDOW)
    sweeping = [lambda: sweep(world.engine, later)] * 2
    # One machine's clock is behind another's: attempts of the old window come while it is written down.
    told = at_once([*[attempt(world.clock)] * WRITERS, *sweeping])
    assert not [each for each in told if isinstance(each, Exception)], told
    sweep(world.engine, SettableClock(later() + WINDOW))

    entries = world.entries(HOME)
    single = [entry for entry in entries if "operation" in (entry.details or {})]
    counted = sum(int((entry.details or {}).get("notLogged", 0)) for entry in entries)
    assert len(single) + counted == 2 * WRITERS * 25


DECISIONS = ("approve", "reject", "withdraw", "close")
ENDINGS = ("revoke", "close")


def act_of(world: SqlWorld, name: str, record: AccessRequest, key: str) -> Callable[[], str]:
    store, etag = world.store(), record.etag
    return {
        "approve": lambda: store.approve(record.id, etag=etag, key=key).status,
        "reject": lambda: store.reject(record.id, etag=etag, key=key, reason="no").status,
        "withdraw": lambda: store.withdraw(record.id, etag=etag, key=key).status,
        "revoke": lambda: store.revoke(record.id, etag=etag, key=key).status,
        "close": lambda: ",".join(each.status for each in store.close(record.support_request_id or "", key=key)),
    }[name]


PAIRS = [
    *((make, pair) for make in (raised,) for pair in itertools.combinations_with_replacement(DECISIONS, 2)),
    *((make, pair) for make in (approved,) for pair in itertools.combinations_with_replacement(ENDINGS, 2)),
]


@pytest.mark.parametrize(("make", "pair"), PAIRS, ids=lambda value: getattr(value, "__name__", value))
def test_two_decisions_at_once_are_one_after_the_other(
    world: SqlWorld, make: Callable[..., AccessRequest], pair: tuple[str, str]
) -> None:
    """Whatever two decisions meet, it ends as if one had come first: the loser's conflict names what there is now."""

    def outcome(told: Sequence[object], record: AccessRequest) -> tuple[object, ...]:
        named = tuple(f"Conflict: {each.current_status}" if isinstance(each, Conflict) else str(each) for each in told)
        return *named, world.store().get(record.id).status

    numbers = itertools.count()
    allowed = set()
    for order in (0, 1), (1, 0):
        record = make(world.store(), asking(f"{next(numbers)}"))
        told: list[object] = [None, None]
        for place in order:
            (told[place],) = at_once([act_of(world, pair[place], record, new_key())])
        allowed.add(outcome(told, record))
    for _ in range(6):
        record = make(world.store(), asking(f"{next(numbers)}"))
        met = at_once([act_of(world, name, record, new_key()) for name in pair])
        assert outcome(met, record) in allowed


def test_one_key_at_once_is_one_act(world: SqlWorld) -> None:
    """The same request asked for by 16 at once with one key is made once, and all get the same answer."""
    told = at_once([lambda: world.store().raise_request(asking(), key="the key")] * WRITERS)

    (record,) = world.store().page(RequestQuery(), top=10).value
    assert told == [record] * WRITERS
    assert len(world.entries(HOME)) == 1


def test_opposite_cross_tenant_decisions_do_not_wait_for_each_other(world: SqlWorld) -> None:
    """Approvals from A into B and from B into A at once, and closes of both, all succeed: no deadlock."""
    stores = [world.store(HOME, also=[RESOURCE]), world.store(RESOURCE, also=[HOME])]

    def approve(store: RequestStore, record: AccessRequest) -> str:
        return store.approve(record.id, etag=record.etag, key=new_key()).status

    def close(store: RequestStore, record: AccessRequest) -> str:
        return store.close(str(record.support_request_id), key=new_key())[0].status

    for number in range(10):
        records = [
            raised(store, asking(f"{number}", resource_tenant_id=other))
            for store, other in zip(stores, (RESOURCE, HOME), strict=True)
        ]
        for act, status in ((approve, "approved"), (close, "completed")):
            both = [partial(act, store, record) for store, record in zip(stores, records, strict=True)]
            assert at_once(both) == [status, status]


def test_sweeps_at_once_write_each_end_once(world: SqlWorld) -> None:
    """Several sweeps at the same moment write down what fell due once between them."""
    records = [approved(world.store(), asking(f"{number}")) for number in range(20)]
    world.clock.advance(records[0].expires_at - world.clock.now)  # type: ignore[operator]  # approved: it has a limit
    told = at_once([world.sweep] * 4)

    assert not [each for each in told if isinstance(each, SupportAccessError)]
    assert len(world.entries(HOME)) == 3 * len(records)


def test_imports_at_once_take_each_event_once(world: SqlWorld) -> None:
    """Of four imports of the same events at once each is taken whole or refused; every event is there once."""
    events = [event(CREATED, number, ticket=f"{number}", correlation=f"{number}") for number in range(300)]

    def take(key: str) -> int:
        return world.store().import_events(events, key=key, details={}).new

    told = at_once([partial(take, new_key()) for _ in range(4)])

    assert sum(each for each in told if isinstance(each, int)) == len(events)
    assert {type(each) for each in told} <= {int, Raced}
    assert world.store().count(RequestQuery(), at_most=1000) == len(events)
