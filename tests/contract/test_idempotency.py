from collections.abc import Callable
from datetime import timedelta

import pytest
from tests.contract.acts import approved, cross_tenant, new_key, raised, revoke
from tests.contract.conftest import World
from tests.support.events import CREATED, event
from tests.support.people import FOREIGN, HOME, RESOURCE, asking
from tests.support.worlds import done_in

from supportaccess.domain.expiry import Limit
from supportaccess.domain.records import AccessRequest, Status
from supportaccess.errors import InvalidInput, KeyReused, NotFound, Stale
from supportaccess.store.protocol import RequestQuery, RequestStore

Mutation = Callable[[RequestStore, AccessRequest, str, str], object]
"""Change something with a key; the text makes one payload differ from another."""

MUTATIONS: dict[str, Mutation] = {
    "raise": lambda store, _, key, text: store.raise_request(asking(reason=text), key=key),
    "approve": lambda store, record, key, text: store.approve(record.id, etag=record.etag, key=key, reason=text),
    "reject": lambda store, record, key, text: store.reject(record.id, etag=record.etag, key=key, reason=text),
    "revoke": lambda store, record, key, text: store.revoke(record.id, etag=record.etag, key=key, reason=text),
    "withdraw": lambda store, record, key, text: store.withdraw(record.id, etag=record.etag, key=key, reason=text),
    "close": lambda store, _, key, text: store.close("2603010050001234" if text == "one" else text, key=key),
    "import": lambda store, _, key, text: store.import_events(
        [event(CREATED, event_id=text, tenant_id=store.tenant_id)], key=key, details={"file": "x"}
    ),
}


def ready_for(world: World, name: str) -> AccessRequest:
    """Return a request that the mutation can be done to."""
    return approved(world.store()) if name == "revoke" else raised(world.store())


def entries(world: World, tenant_id: str = HOME) -> int:
    return len(done_in(world.entries(tenant_id)))


@pytest.mark.parametrize("name", MUTATIONS)
def test_the_same_key_answers_as_it_did_and_changes_nothing(world: World, name: str) -> None:
    """Repeated with its key, also after time and the record went on, a mutation gives the first answer."""
    record, mutate = ready_for(world, name), MUTATIONS[name]
    first = mutate(world.store(), record, "the key", "one")
    world.clock.advance(timedelta(hours=1))
    if name == "approve":
        revoke(world.store(), record.id)
    if name == "raise":
        world.store().close("2603010050001234", key=new_key())
    before = entries(world)

    assert mutate(world.store(), record, "the key", "one") == first
    assert entries(world) == before


@pytest.mark.parametrize("name", MUTATIONS)
def test_the_same_key_for_something_else_is_refused(world: World, name: str) -> None:
    """A key that belongs to another payload, or to another kind of act, is refused, and nothing changes."""
    record, mutate = ready_for(world, name), MUTATIONS[name]
    mutate(world.store(), record, "the key", "one")
    before, at_first = entries(world), world.store().page(RequestQuery(), top=100)
    with pytest.raises(KeyReused):
        mutate(world.store(), record, "the key", "two")
    with pytest.raises(KeyReused):
        MUTATIONS["raise" if name != "raise" else "import"](world.store(), record, "the key", "three")

    assert entries(world) == before
    assert world.store().page(RequestQuery(), top=100) == at_first


@pytest.mark.parametrize("name", ["raise", "import"])
def test_keys_of_different_callers_do_not_meet(world: World, name: str) -> None:
    """Two people of a tenant, or one in two tenants, may use the same key for different things."""
    mutate, record = MUTATIONS[name], raised(world.store())
    stores = [world.store(), world.store(name="Grace"), world.store(FOREIGN), world.store(RESOURCE)]
    answers = [mutate(store, record, "the key", f"text {number}") for number, store in enumerate(stores)]

    assert [mutate(s, record, "the key", f"text {n}") for n, s in enumerate(stores)] == answers
    if name == "raise":
        assert len({answer.id for answer in answers if isinstance(answer, AccessRequest)}) == 4


def test_a_key_is_not_used_up_by_a_refusal(world: World) -> None:
    """After a refusal the same key serves for the act as it should have been."""
    store = world.store()
    record = raised(store)
    with pytest.raises(Stale):
        store.approve(record.id, etag='"old"', key="the key")

    assert store.approve(record.id, etag=record.etag, key="the key").status is Status.APPROVED


def test_the_limit_belongs_to_what_was_asked(world: World) -> None:
    """Approving with the same key and another limit is another approval, and refused."""
    store = world.store()
    record = raised(store)
    granted = store.approve(record.id, etag=record.etag, key="the key", limit=Limit(seconds=60))
    with pytest.raises(KeyReused):
        store.approve(record.id, etag=record.etag, key="the key", limit=Limit(seconds=61))

    assert store.approve(record.id, etag=record.etag, key="the key", limit=Limit(seconds=60)) == granted


def test_a_replay_gives_a_tenant_its_own_side(world: World) -> None:
    """A cross-tenant approval that is repeated answers with the support request tenant's record, and only that."""
    store = world.store(HOME, also=[RESOURCE])
    record = raised(store, asking(resource_tenant_id=RESOURCE))
    first = store.approve(record.id, etag=record.etag, key="the key")
    revoke(world.store(RESOURCE), record.id)

    assert store.approve(record.id, etag=record.etag, key="the key") == first
    with pytest.raises(NotFound):
        world.store(FOREIGN).approve(record.id, etag=record.etag, key="the key")


def test_a_key_is_told_to_its_own_tenant_alone(world: World) -> None:
    """The entry of an act names its key in the caller's tenant, and in no other."""
    request_id = cross_tenant(world)
    ours, theirs = world.store(HOME).history(request_id)[-1], world.store(RESOURCE).history(request_id)[-1]

    assert ours.idempotency_key is not None
    assert theirs.idempotency_key is None


@pytest.mark.parametrize("key", ["", "x" * 129, "é", "a\nb", "\x00", "\ud800"])
@pytest.mark.parametrize("name", MUTATIONS)
def test_what_is_no_key_is_refused(world: World, name: str, key: str) -> None:
    """A key has 1 to 128 printable ASCII characters; anything else is InvalidInput and nothing happens."""
    record = ready_for(world, name)
    before = entries(world)
    with pytest.raises(InvalidInput):
        MUTATIONS[name](world.store(), record, key, "one")

    assert entries(world) == before


def test_a_dry_run_does_not_use_a_key_up(world: World) -> None:
    """An import that was only tried leaves its key for the one that is meant."""
    store = world.store()
    tried = store.import_events([event(CREATED)], key="the key", details={}, dry_run=True)

    assert tried == store.import_events([event(CREATED)], key="the key", details={})
    assert tried.new == 1
