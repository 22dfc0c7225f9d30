"""Tenants, callers and requests as the tests name them."""

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from supportaccess.domain.lifecycle import NewRequest
from supportaccess.domain.permissions import Caller, Permission
from supportaccess.domain.records import Actor, ActorKind, Engineer

HOME = "11111111-1111-4111-8111-111111111111"
"""The tenant in which support requests are opened."""
RESOURCE = "22222222-2222-4222-8222-222222222222"
"""The tenant whose data is asked for in cross-tenant requests."""
FOREIGN = "33333333-3333-4333-8333-333333333333"
"""A tenant that has nothing to do with the others."""

START = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
EVERYTHING = frozenset(Permission)
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"


class SettableClock:
    """A clock that stands still until it is told otherwise."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, by: timedelta) -> None:
        """Let time pass."""
        self.now += by


def object_id(name: str) -> str:
    """Return an object ID for somebody, the same each time."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, name))


def caller(
    tenant_id: str = HOME, *, permissions: Iterable[Permission] = EVERYTHING, name: str = "Ada Administrator"
) -> Caller:
    """Return a person of a tenant, allowed everything unless told otherwise."""
    actor = Actor(kind=ActorKind.USER, tenant_id=tenant_id, object_id=object_id(name), display_name=name)
    return Caller(tenant_id=tenant_id, actor=actor, permissions=frozenset(permissions))


def asking(
    support_request_id: str = "2603010050001234",
    *,
    engineer: str = "Erin Engineer",
    reason: str = "Sign-in fails for guests",
    title: str | None = "Guest sign-in",
    resource_tenant_id: str | None = None,
    requested_seconds: int | None = 8 * 3600,
    decide_by: datetime | None = None,
) -> NewRequest:
    """Return what a provider asks for."""
    return NewRequest(
        support_request_id=support_request_id,
        engineer=Engineer(id="erin@provider.example", display_name=engineer),
        reason=reason,
        title=title,
        resource_tenant_id=resource_tenant_id,
        requested_seconds=requested_seconds,
        decide_by=decide_by,
    )
