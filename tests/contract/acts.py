"""Short ways to bring a store into a state."""

import itertools
from collections.abc import Callable, Iterator
from datetime import timedelta

from tests.contract.conftest import World
from tests.support.people import HOME, RESOURCE, asking

from supportaccess.domain.expiry import Limit
from supportaccess.domain.lifecycle import NewRequest
from supportaccess.domain.records import AccessRequest, Status
from supportaccess.store.protocol import RequestStore

_keys: Iterator[int] = itertools.count()


def new_key() -> str:
    """Return an idempotency key that was not used yet."""
    return f"key-{next(_keys)}"


def raised(store: RequestStore, asked: NewRequest | None = None) -> AccessRequest:
    """Return a new pending request."""
    return store.raise_request(asked or asking(), key=new_key())


def approved(store: RequestStore, asked: NewRequest | None = None, limit: Limit | None = None) -> AccessRequest:
    """Return a new request that was approved."""
    record = raised(store, asked)
    return store.approve(record.id, etag=record.etag, key=new_key(), limit=limit)


def cross_tenant(world: World, ticket: str = "77") -> str:
    """Return the ID of a new approved cross-tenant request."""
    return approved(world.store(HOME, also=[RESOURCE]), asking(ticket, resource_tenant_id=RESOURCE)).id


def revoke(store: RequestStore, request_id: str) -> AccessRequest:
    """End access as it now stands."""
    return store.revoke(request_id, etag=store.get(request_id).etag, key=new_key())


def brought_to(world: World, status: Status, ticket: str = "2603010050001234") -> AccessRequest:
    """Return a request of the home tenant that has come to stand as wanted, by whatever leads there."""
    store = world.store()
    asked = asking(ticket, decide_by=world.clock() + timedelta(hours=1))
    record = raised(store, asked)

    def approve() -> AccessRequest:
        return store.approve(record.id, etag=record.etag, key=new_key())

    def wait(by: timedelta) -> AccessRequest:
        world.clock.advance(by)
        return store.get(record.id)

    def end(act: Callable[[], object]) -> AccessRequest:
        act()
        return store.get(record.id)

    match status:
        case Status.PENDING:
            return record
        case Status.APPROVED:
            return approve()
        case Status.REJECTED:
            return store.reject(record.id, etag=record.etag, key=new_key(), reason="no")
        case Status.CANCELED:
            return store.withdraw(record.id, etag=record.etag, key=new_key())
        case Status.LAPSED:
            return wait(timedelta(hours=1))
        case Status.REVOKED:
            approve()
            return revoke(store, record.id)
        case Status.COMPLETED:
            approve()
            return end(lambda: store.close(ticket, key=new_key()))
        case Status.EXPIRED:
            approve()
            return wait(timedelta(hours=8))
