from collections.abc import Callable
from contextlib import suppress

import pytest
from tests.contract.acts import approved, cross_tenant, new_key, raised
from tests.contract.conftest import World
from tests.support.events import APPROVED, CREATED, PERSON, event
from tests.support.people import EVERYTHING, FOREIGN, HOME, RESOURCE, UNKNOWN_ID, asking
from tests.support.worlds import done_in

from supportaccess.domain.permissions import Permission
from supportaccess.errors import Forbidden, SupportAccessError
from supportaccess.store.protocol import AuditQuery, RequestQuery, RequestStore

Use = Callable[[RequestStore, str], object]
"""Use a store on a request."""

USES: dict[str, tuple[Permission, Use]] = {
    "page": (Permission.READ_REQUESTS, lambda store, _: store.page(RequestQuery(), top=5)),
    "count": (Permission.READ_REQUESTS, lambda store, _: store.count(RequestQuery(), at_most=5)),
    "get": (Permission.READ_REQUESTS, lambda store, request_id: store.get(request_id)),
    "find": (Permission.READ_REQUESTS, lambda store, request_id: store.find(request_id, top=5)),
    "history": (Permission.READ_REQUESTS, lambda store, request_id: store.history(request_id)),
    "source events": (Permission.READ_REQUESTS, lambda store, request_id: list(store.source_events(request_id))),
    "raise": (Permission.RAISE, lambda store, _: store.raise_request(asking(), key=new_key())),
    "approve": (Permission.DECIDE, lambda store, request_id: store.approve(request_id, etag='"x"', key=new_key())),
    "reject": (
        Permission.DECIDE,
        lambda store, request_id: store.reject(request_id, etag='"x"', key=new_key(), reason="no"),
    ),
    "revoke": (Permission.DECIDE, lambda store, request_id: store.revoke(request_id, etag='"x"', key=new_key())),
    "withdraw": (Permission.RAISE, lambda store, request_id: store.withdraw(request_id, etag='"x"', key=new_key())),
    "close": (Permission.RAISE, lambda store, _: store.close("2603010050001234", key=new_key())),
    "audit page": (Permission.READ_AUDIT, lambda store, _: store.audit_page(AuditQuery(), top=5)),
    "verify": (Permission.READ_AUDIT, lambda store, _: store.verify()),
    "import": (
        Permission.WRITE_SOURCE_EVENTS,
        lambda store, _: store.import_events([event(CREATED)], key=new_key(), details={}),
    ),
}


@pytest.mark.parametrize("name", USES)
def test_each_use_needs_its_permission(world: World, name: str) -> None:
    """Without its permission a use is Forbidden, whatever else is allowed; with it alone it is not."""
    permission, use = USES[name]
    record = raised(world.store())
    with pytest.raises(Forbidden, match=permission):
        use(world.store(permissions=EVERYTHING - {permission}), record.id)
    assert world.store().page(RequestQuery(), top=10).value == [record]

    with suppress(SupportAccessError):
        use(world.store(permissions={permission}), record.id)


def test_the_head_of_the_log_is_for_whoever_may_read_in_the_tenant(world: World) -> None:
    """Reading requests, or the log, is enough to see how far the log goes."""
    raised(world.store())
    for permission in (Permission.READ_REQUESTS, Permission.READ_AUDIT):
        assert world.store(permissions={permission}).log_head().size == 1
    with pytest.raises(Forbidden, match=Permission.READ_AUDIT):
        world.store(permissions=EVERYTHING - {Permission.READ_REQUESTS, Permission.READ_AUDIT}).log_head()


@pytest.mark.parametrize("name", USES)
def test_what_is_forbidden_says_nothing_of_what_is_there(world: World, name: str) -> None:
    """Whoever may not do it gets the same answer for a request that is there and for one that is not."""
    permission, use = USES[name]
    record = raised(world.store())

    def answer(request_id: str) -> str:
        with pytest.raises(Forbidden) as refused:
            use(world.store(permissions=EVERYTHING - {permission}), request_id)
        return str(refused.value)

    assert answer(record.id) == answer(UNKNOWN_ID)


@pytest.mark.parametrize("name", USES)
@pytest.mark.parametrize("owner", ["one tenant", "cross-tenant", "mirror"])
def test_another_tenants_request_is_as_unknown_as_any(world: World, name: str, owner: str) -> None:
    """For every use, a foreign ID is answered exactly as one that nobody has, and nothing changes."""
    match owner:
        case "one tenant":
            request_id = approved(world.store(HOME)).id
        case "cross-tenant":
            request_id = cross_tenant(world)
        case _:
            world.store(HOME).import_events([event(CREATED), event(APPROVED, 1, by=PERSON)], key=new_key(), details={})
            request_id = world.store(HOME).page(RequestQuery(), top=5).value[0].id
    before = world.store(HOME).get(request_id)
    _, use = USES[name]

    def answer(asked_for: str) -> str:
        try:
            given = use(world.store(FOREIGN), asked_for)
        except SupportAccessError as refused:
            given = (type(refused), refused.message, refused.hint, vars(refused).get("current_status"))
        return repr(given).replace(asked_for, "ID")

    # These make something new of the caller's own each time; all that matters is that they leave the others alone.
    if name in {"raise", "import"}:
        answer(request_id)
    else:
        assert answer(request_id) == answer(UNKNOWN_ID)
    assert world.store(HOME).get(request_id) == before
    assert request_id not in repr(world.store(FOREIGN).page(RequestQuery(), top=100))
    # All that names it in their log is that they themselves did.
    assert request_id not in repr(done_in(world.entries(FOREIGN)))


def test_a_proof_for_another_tenant_shows_nothing_of_it(world: World) -> None:
    """Proofs for other tenants serve to approve and to join; reads stay those of the store's own tenant."""
    foreign = approved(world.store(RESOURCE)).id
    store = world.store(HOME, also=[RESOURCE])

    assert store.page(RequestQuery(), top=10).value == []
    assert store.find(foreign, top=10) == []
    assert store.history(foreign) == []
