"""The set-ups in which every RequestStore is tested. A new one is a line in SET_UPS."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import pytest
from tests.support.people import EVERYTHING, HOME, SettableClock
from tests.support.worlds import ADA, throwaway_world

from supportaccess.domain.permissions import Permission
from supportaccess.store.protocol import RequestStore


class World(Protocol):
    """A request store with its clock, opened for whoever a test wants to be.

    When the test is over, every tenant's audit log is verified.
    """

    clock: SettableClock

    def store(
        self,
        tenant_id: str = HOME,
        *,
        also: Sequence[str] = (),
        permissions: Iterable[Permission] = EVERYTHING,
        also_permissions: Iterable[Permission] = EVERYTHING,
        name: str = ADA,
    ) -> RequestStore:
        """Open the store for a caller of a tenant, with proofs for others."""
        ...

    def sweep(self) -> int:
        """Let the clock's events be written."""
        ...


SET_UPS: dict[str, Callable[[], AbstractContextManager[World]]] = {"embedded SQLite": throwaway_world}


@pytest.fixture(params=SET_UPS)
def new_world(request: pytest.FixtureRequest) -> Callable[[], AbstractContextManager[World]]:
    """Return what makes an empty store, as often as wanted."""
    return SET_UPS[str(request.param)]


@pytest.fixture
def world(new_world: Callable[[], AbstractContextManager[World]]) -> Iterator[World]:
    """Return an empty store."""
    with new_world() as fresh:
        yield fresh
