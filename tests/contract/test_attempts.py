"""What is refused, and that the log is read, is in the log: once, so often and no more, the rest as a count."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from tests.contract.acts import approved, cross_tenant, new_key, raised, revoke
from tests.contract.conftest import World
from tests.contract.test_permissions import USES
from tests.support.events import CREATED, PERSON, event
from tests.support.people import EVERYTHING, FOREIGN, HOME, RESOURCE, START, UNKNOWN_ID, asking, object_id
from tests.support.worlds import ADA, done_in, every_entry

from supportaccess.domain.attempts import MOST, WINDOW
from supportaccess.domain.audit import Activity, AuditEntry
from supportaccess.domain.permissions import Permission
from supportaccess.errors import (
    Conflict,
    DecidedElsewhere,
    Forbidden,
    InvalidInput,
    KeyReused,
    NotFound,
    Stale,
    SupportAccessError,
)
from supportaccess.store.protocol import AuditQuery, RequestQuery, RequestStore

A_MOMENT = timedelta(microseconds=1)
FAILED, DENIED, READ = Activity.ATTEMPT_FAILED, Activity.ACCESS_DENIED, Activity.LOG_READ


def attempts(world: World, tenant_id: str = HOME) -> list[AuditEntry]:
    """Return the entries that tell of nothing that was done."""
    return [entry for entry in world.entries(tenant_id) if entry.activity in MOST]


def details(entry: AuditEntry) -> dict[str, str | int]:
    return dict(entry.details or {})


def stale(store: RequestStore) -> object:
    return store.approve(raised(store).id, etag='"old"', key=new_key(), reason="go on")


def decided(store: RequestStore) -> object:
    return revoke(store, store.reject((one := raised(store)).id, etag=one.etag, key=new_key(), reason="no").id)


def key_reused(store: RequestStore) -> object:
    key = new_key()
    store.raise_request(asking("1"), key=key)
    return store.raise_request(asking("2"), key=key)


def mirror(store: RequestStore) -> object:
    store.import_events([event(CREATED)], key=new_key(), details={})
    return revoke(store, store.page(RequestQuery(), top=1).value[0].id)


def closed_twice(store: RequestStore) -> object:
    store.close(raised(store, asking("1")).support_request_id or "", key=new_key())
    return store.close("1", key=new_key())


REFUSALS: dict[str, tuple[Callable[[RequestStore], object], type[SupportAccessError], dict[str, str]]] = {
    "stale": (stale, Stale, {"operation": "approve", "error": "Stale", "currentStatus": "pending"}),
    "decided": (decided, Conflict, {"operation": "revoke", "error": "Conflict", "currentStatus": "rejected"}),
    "key reused": (key_reused, KeyReused, {"operation": "raise", "error": "IdempotencyKeyReused"}),
    "mirror": (mirror, DecidedElsewhere, {"operation": "revoke", "error": "DecidedElsewhere"}),
    "closed": (closed_twice, Conflict, {"operation": "close", "error": "Conflict", "currentStatus": "closed"}),
    "unknown": (
        lambda store: store.withdraw(UNKNOWN_ID, etag='"x"', key=new_key()),
        NotFound,
        {"operation": "withdraw", "error": "NotFound"},
    ),
    "no reason": (
        lambda store: store.reject((one := raised(store)).id, etag=one.etag, key=new_key(), reason=""),
        InvalidInput,
        {"operation": "reject", "error": "InvalidInput"},
    ),
    "no event of ours": (
        lambda store: store.import_events([event(CREATED, tenant_id=FOREIGN)], key=new_key(), details={}),
        InvalidInput,
        {"operation": "import", "error": "InvalidInput"},
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_is_one_entry(world: World, name: str) -> None:
    """Whatever the rules or the state refuse is one entry, which says who tried what and why it was refused."""
    act, error, told = REFUSALS[name]
    with pytest.raises(error):
        act(world.store())

    (entry,) = attempts(world)
    assert (entry.activity, details(entry)) == (FAILED, told)
    assert (entry.time, entry.actor.object_id, entry.actor.display_name) == (START, object_id(ADA), ADA)
    assert (entry.record, entry.seen, entry.status_after, entry.idempotency_key) == (None, None, None, None)


@pytest.mark.parametrize("name", USES)
def test_a_denial_is_one_entry(world: World, name: str) -> None:
    """Whatever somebody may not do, or see, is one entry."""
    permission, use = USES[name]
    with pytest.raises(Forbidden):
        use(world.store(permissions=EVERYTHING - {permission}), UNKNOWN_ID)

    (entry,) = attempts(world)
    assert (entry.activity, details(entry)["error"]) == (DENIED, "Forbidden")
    assert entry.actor.object_id == object_id(ADA)


def test_it_says_what_was_named_and_why(world: World) -> None:
    """The request or support request that was named, and the reason, are in the entry: as far as a record could."""
    store, key = world.store(), new_key()
    for request_id, reason in ((UNKNOWN_ID.upper(), "go on"), ("../x", "a\x00b"), (UNKNOWN_ID, "x" * 1001)):
        with pytest.raises(SupportAccessError):
            store.approve(request_id, etag='"x"', key=key, reason=reason)
    for support_request_id in ("1234", "12 34"):
        with pytest.raises(SupportAccessError):
            store.close(support_request_id, key=key)

    assert [(e.access_request_id, e.support_request_id, e.reason) for e in attempts(world)] == [
        (UNKNOWN_ID, None, "go on"),
        (None, None, None),
        (UNKNOWN_ID, None, None),
        (None, "1234", None),
        (None, None, None),
    ]


def test_a_refused_look_at_nothing_is_none(world: World) -> None:
    """That a read finds nothing, or asks for what cannot be, is no entry."""
    store = world.store()
    for look in (
        lambda: store.get(UNKNOWN_ID),
        lambda: store.audit_page(AuditQuery(), top=5, cursor="x"),
        lambda: store.page(RequestQuery(), top=0),
    ):
        with pytest.raises(SupportAccessError):
            look()
    store.history(UNKNOWN_ID)
    store.verify()
    store.log_head()

    assert world.entries(HOME) == []


def test_a_missing_proof_is_asked_for(world: World) -> None:
    """That a cross-tenant approval takes a proof for the other tenant is no entry; that it does not do is one."""
    record = raised(world.store(), asking(resource_tenant_id=RESOURCE))
    for also in ([], [RESOURCE]):
        store = world.store(also=also, also_permissions={Permission.READ_REQUESTS})
        with pytest.raises(Forbidden):
            store.approve(record.id, etag=record.etag, key=new_key())

    (entry,) = attempts(world)
    assert (entry.activity, entry.access_request_id) == (DENIED, record.id)
    assert world.entries(RESOURCE) == []


def test_a_foreign_request_leaves_nothing_with_its_owner(world: World) -> None:
    """Who tries another tenant's request is told of in their own log alone, and as of one that nobody has."""
    foreign = cross_tenant(world)
    before = world.entries(HOME), world.entries(RESOURCE)
    for request_id in (foreign, UNKNOWN_ID):
        with pytest.raises(NotFound):
            world.store(FOREIGN).revoke(request_id, etag='"x"', key=new_key())

    assert (world.entries(HOME), world.entries(RESOURCE)) == before
    first, second = attempts(world, FOREIGN)
    assert (first.access_request_id, second.access_request_id) == (foreign, UNKNOWN_ID)
    assert (details(first), first.support_request_id) == (details(second), second.support_request_id)


def test_it_is_in_the_requests_history_and_vouches_for_nothing(world: World) -> None:
    """An attempt on a request is in its history; the record is still held against what was last done to it."""
    store = world.store()
    record = approved(store)
    with pytest.raises(Stale):
        store.revoke(record.id, etag='"old"', key=new_key())
    with pytest.raises(Forbidden):
        world.store(permissions={Permission.READ_REQUESTS}).revoke(record.id, etag=record.etag, key=new_key())

    history = store.history(record.id)
    assert [entry.activity for entry in history[2:-1]] == [FAILED]
    assert history[-1].activity is DENIED
    assert store.get(record.id) == record
    assert store.verify().findings == []
    assert store.events(after=0, top=10).value[-1].sequence == 1


@pytest.mark.parametrize("activity", [DENIED, FAILED])
def test_so_many_in_a_window_and_the_rest_as_a_count(world: World, activity: Activity) -> None:
    """A caller gets twenty entries in an hour; what was only counted is told by the first one after it."""
    most, more = MOST[activity], 7
    permissions = EVERYTHING - ({Permission.DECIDE} if activity is DENIED else set())

    def attempt(name: str = ADA) -> None:
        with pytest.raises(SupportAccessError):
            world.store(name=name, permissions=permissions).revoke(UNKNOWN_ID, etag='"x"', key=new_key())

    for _ in range(most + more):
        attempt()
    assert len(attempts(world)) == most
    attempt("Grace")
    assert len(attempts(world)) == most + 1

    world.clock.advance(WINDOW - A_MOMENT)
    attempt()
    world.sweep()
    assert len(attempts(world)) == most + 1
    world.clock.advance(A_MOMENT)
    attempt()
    attempt()

    *_, first, second = attempts(world)
    assert details(first)["notLogged"] == more + 1
    assert details(first)["notLoggedSince"] == "2026-03-01T09:30:00Z"
    assert (details(first)["operation"], first.activity) == ("revoke", activity)
    assert "notLogged" not in details(second)
    assert world.store().verify().findings == []


def test_the_count_lands_in_the_log_without_its_caller(world: World) -> None:
    """After the window a sweep writes an entry for each caller and activity that was only counted, and once."""
    for name in (ADA, "Grace"):
        for _ in range(MOST[FAILED] + 2):
            with pytest.raises(NotFound):
                world.store(name=name).close("1", key=new_key())
    world.store(RESOURCE)
    before = len(attempts(world))
    world.clock.advance(WINDOW)
    world.sweep()
    world.sweep()

    told = attempts(world)[before:]
    assert [(e.activity, e.actor.object_id, details(e)) for e in told] == [
        (FAILED, object_id(name), {"notLogged": 2, "notLoggedSince": "2026-03-01T09:30:00Z"})
        for name in sorted((ADA, "Grace"), key=object_id)
    ]
    assert {entry.time for entry in told} == {START + WINDOW}
    with pytest.raises(NotFound):
        world.store().close("1", key=new_key())
    assert details(attempts(world)[-1]) == {"operation": "close", "error": "NotFound"}


def test_a_reading_is_one_entry(world: World) -> None:
    """Who reads the log is told once in an hour, however many pages and readings there are; then how many."""
    for number in range(5):
        raised(world.store(), asking(str(number)))
    for _ in range(3):
        every_entry(world.store(), top=2)
    every_entry(world.store(name="Grace"))

    assert [(entry.activity, entry.actor.display_name) for entry in attempts(world)] == [(READ, ADA), (READ, "Grace")]
    world.clock.advance(WINDOW)
    world.sweep()
    assert [(e.actor.display_name, details(e)["notLogged"]) for e in attempts(world)[2:]] == [(ADA, 2)]


def test_a_page_in_the_middle_is_a_reading_too(world: World) -> None:
    """Whoever goes on from a place that they did not come to, or an hour later, has read the log."""
    for number in range(5):
        raised(world.store(), asking(str(number)))
    place = world.store(name="Grace").audit_page(AuditQuery(), top=2).next
    place = world.store().audit_page(AuditQuery(), top=1, cursor=place).next
    world.clock.advance(WINDOW)
    world.store().audit_page(AuditQuery(), top=1, cursor=place)

    assert [(entry.activity, entry.actor.display_name) for entry in attempts(world)] == [
        (READ, "Grace"),
        (READ, ADA),
        (READ, ADA),
    ]


def test_a_reading_of_readings_is_none(world: World) -> None:
    """Who sees nothing, or only that the log was read, has read nothing: else following a log would make it grow."""
    store = world.store()
    every_entry(store)
    raised(store)
    every_entry(store)
    place = world.entries(HOME)[-1].sequence
    for _ in range(3):
        world.clock.advance(WINDOW)
        world.sweep()
        every_entry(store, AuditQuery(after_sequence=place - 1))
    every_entry(store, AuditQuery(activities=frozenset({READ, Activity.IMPORT})))

    assert [entry.activity for entry in world.entries(HOME)] == [Activity.REQUEST_CREATED, READ]


def test_what_only_was_tried_is_found_by_its_outcome(world: World) -> None:
    """Attempts are filtered and counted like any other entry."""
    with pytest.raises(NotFound):
        world.store().close("1", key=new_key())
    query = AuditQuery(activities=frozenset({FAILED}), actor="ada")

    assert world.store().audit_count(query) == 1
    assert world.store().audit_page(query, top=5).value == attempts(world)[:1]


def test_imports_of_what_does_not_hold(world: World) -> None:
    """An import that is refused half-way leaves its attempt and nothing else."""
    store = world.store()
    with pytest.raises(InvalidInput):
        store.import_events([event(CREATED, by=PERSON), event(CREATED, tenant_id=FOREIGN)], key=new_key(), details={})

    assert [entry.activity for entry in world.entries(HOME)] == [FAILED]
    assert done_in(world.entries(HOME)) == []
    assert store.verify().source_events == 0
