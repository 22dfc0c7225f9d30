"""Places in which the same acts can be done: the pure rules over a dictionary, and stores."""

import itertools
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pytest
from msgspec.structs import replace
from tests.support.people import EVERYTHING, HOME, SettableClock, caller
from tests.support.run import IN_MEMORY

from supportaccess.domain import expiry, lifecycle
from supportaccess.domain.attempts import MOST
from supportaccess.domain.audit import AuditEntry, Step, entry_of
from supportaccess.domain.expiry import Limit
from supportaccess.domain.lifecycle import NewRequest
from supportaccess.domain.permissions import Caller, Permission
from supportaccess.domain.records import AccessRequest, Side
from supportaccess.errors import NotFound
from supportaccess.store.protocol import LARGEST_PAGE, AuditQuery, Order, RequestQuery, RequestStore
from supportaccess.store.sql.engine import Engine
from supportaccess.store.sql.log import read_log
from supportaccess.store.sql.maintenance import sweep
from supportaccess.store.sql.sqlite.engine import SqliteEngine
from supportaccess.store.sql.sqlite.open import open_embedded
from supportaccess.store.sql.store import SqlStore

ADA = "Ada Administrator"


class Acts(Protocol):
    """What is done to requests, as a store names it."""

    def get(self, request_id: str) -> AccessRequest: ...

    def raise_request(self, asked: NewRequest, *, key: str) -> AccessRequest: ...

    def approve(
        self, request_id: str, *, etag: str, key: str, limit: Limit | None = None, reason: str | None = None
    ) -> AccessRequest: ...

    def reject(self, request_id: str, *, etag: str, key: str, reason: str) -> AccessRequest: ...

    def revoke(self, request_id: str, *, etag: str, key: str, reason: str | None = None) -> AccessRequest: ...

    def withdraw(self, request_id: str, *, etag: str, key: str, reason: str | None = None) -> AccessRequest: ...

    def close(self, support_request_id: str, *, key: str) -> list[AccessRequest]: ...


class World(Protocol):
    """A place in which acts are done, with its clock."""

    clock: SettableClock

    def acts(self, tenant_id: str, also: Sequence[str] = ()) -> Acts: ...

    def sweep(self) -> int: ...

    def records(self, tenant_id: str) -> list[AccessRequest]: ...

    def entries(self, tenant_id: str) -> list[AuditEntry]: ...

    def done(self, tenant_id: str) -> list[AuditEntry]: ...


class MemoryWorld:
    """The pure rules, over a dictionary."""

    def __init__(self) -> None:
        self.clock = SettableClock()
        self.rows: dict[tuple[str, str], AccessRequest] = {}
        self.log: dict[str, list[AuditEntry]] = {}
        self.closed: set[tuple[str, str]] = set()
        self.next_id = counted_ids()

    def acts(self, tenant_id: str, also: Sequence[str] = ()) -> Acts:
        return _MemoryActs(self, caller(tenant_id), [caller(other) for other in also])

    def sweep(self) -> int:
        steps = [step for row in self.rows.values() if (step := expiry.fall_due(row, self.clock())) is not None]
        self.write(sorted(steps, key=lambda step: (step.at, step.before.id if step.before else "")))
        return len(steps)

    def records(self, tenant_id: str) -> list[AccessRequest]:
        return [expiry.as_of(row, self.clock()) for (tenant, _), row in self.rows.items() if tenant == tenant_id]

    def entries(self, tenant_id: str) -> list[AuditEntry]:
        return self.log.get(tenant_id, [])

    def done(self, tenant_id: str) -> list[AuditEntry]:
        return self.entries(tenant_id)

    def write(self, steps: Iterable[Step]) -> list[Step]:
        """Do what a store does with steps, without a disk."""
        steps = list(steps)
        for step in steps:
            if step.subject is not None:
                where = step.tenant_id, step.subject.id
                assert step.before == self.rows.get(where)
                if step.after is None:
                    del self.rows[where]
                else:
                    self.rows[where] = step.after
            log = self.log.setdefault(step.tenant_id, [])
            log.append(entry_of(step, len(log), None))
        return steps


class _MemoryActs:
    def __init__(self, world: MemoryWorld, who: Caller, also: Sequence[Caller]) -> None:
        self._world, self._who, self._also = world, who, also

    def get(self, request_id: str) -> AccessRequest:
        return expiry.as_of(self._stored(request_id), self._world.clock())

    def raise_request(self, asked: NewRequest, *, key: str) -> AccessRequest:  # noqa: ARG002
        step = lifecycle.raise_request(asked, self._who, str(self._world.next_id()), self._world.clock())
        return self._done([step])

    def approve(
        self,
        request_id: str,
        *,
        etag: str,
        key: str,  # noqa: ARG002
        limit: Limit | None = None,
        reason: str | None = None,
    ) -> AccessRequest:
        return self._done(
            lifecycle.approve(
                self._stored(request_id),
                self._who,
                etag=etag,
                reason=reason,
                limit=limit or Limit(),
                also=self._also,
                now=self._world.clock(),
            )
        )

    def reject(self, request_id: str, *, etag: str, key: str, reason: str) -> AccessRequest:  # noqa: ARG002
        record, now = self._stored(request_id), self._world.clock()
        return self._done(lifecycle.reject(record, self._who, etag=etag, reason=reason, now=now))

    def revoke(self, request_id: str, *, etag: str, key: str, reason: str | None = None) -> AccessRequest:  # noqa: ARG002
        record, now = self._stored(request_id), self._world.clock()
        return self._done(lifecycle.revoke(record, self._who, etag=etag, reason=reason, now=now))

    def withdraw(self, request_id: str, *, etag: str, key: str, reason: str | None = None) -> AccessRequest:  # noqa: ARG002
        record, now = self._stored(request_id), self._world.clock()
        return self._done(lifecycle.withdraw(record, self._who, etag=etag, reason=reason, now=now))

    def close(self, support_request_id: str, *, key: str) -> list[AccessRequest]:  # noqa: ARG002
        own = [
            row
            for (tenant, _), row in self._world.rows.items()
            if tenant == self._who.tenant_id
            and row.support_request_id == support_request_id
            and row.side is not Side.RESOURCE
        ]
        elsewhere = [
            self._world.rows[row.resource_tenant_id, row.id]
            for row in own
            if row.resource_tenant_id != self._who.tenant_id
            and row.resource_tenant_id
            and (row.resource_tenant_id, row.id) in self._world.rows
        ]
        if not own:
            raise NotFound(f"there is no support request {support_request_id} here")
        steps = self._world.write(
            lifecycle.close(support_request_id, [*own, *elsewhere], self._who, self._world.clock())
        )
        return [step.after for step in steps if step.after and step.tenant_id == self._who.tenant_id]

    def _stored(self, request_id: str) -> AccessRequest:
        try:
            return self._world.rows[self._who.tenant_id, request_id]
        except KeyError:
            raise NotFound(f"there is no access request {request_id} here") from None

    def _done(self, steps: Iterable[Step]) -> AccessRequest:
        after = self._world.write(steps)[0].after
        assert after is not None
        return after


class SqlWorld:
    """A store on a database."""

    engine: Engine

    def __init__(self, engine: Engine) -> None:
        self.clock = SettableClock()
        self.engine = engine
        self.tenants: set[str] = set()

    def store(
        self,
        tenant_id: str = HOME,
        *,
        also: Sequence[str] = (),
        permissions: Iterable[Permission] = EVERYTHING,
        also_permissions: Iterable[Permission] = EVERYTHING,
        name: str = ADA,
    ) -> SqlStore:
        """Open the store for a caller in a tenant, with proofs for other tenants."""
        self.tenants |= {tenant_id, *also}
        return SqlStore(
            self.engine,
            caller(tenant_id, permissions=permissions, name=name),
            also=[caller(other, permissions=also_permissions, name=name) for other in also],
            clock=self.clock,
        )

    def acts(self, tenant_id: str, also: Sequence[str] = ()) -> RequestStore:
        return self.store(tenant_id, also=also)

    def sweep(self) -> int:
        return sweep(self.engine, self.clock)

    def records(self, tenant_id: str) -> list[AccessRequest]:
        return every_record(self.store(tenant_id), RequestQuery(order=Order.OLDEST))

    def entries(self, tenant_id: str) -> list[AuditEntry]:
        """Return a tenant's log as it is in the database: nobody has read it by that."""
        entries = list[AuditEntry]()
        cursor: str | None = None
        with self.engine.reading([tenant_id]) as session:
            while True:
                page = read_log(session, tenant_id, AuditQuery(), LARGEST_PAGE, cursor)
                entries += page.value
                cursor = page.next
                if cursor is None:
                    return entries

    def done(self, tenant_id: str) -> list[AuditEntry]:
        """Return the entries of what was done, numbered as if nothing else had been written."""
        return done_in(self.entries(tenant_id))

    def findings(self) -> list[str]:
        """Return everything that a verification finds in any tenant that was used."""
        return [
            finding.message for tenant_id in sorted(self.tenants) for finding in self.store(tenant_id).verify().findings
        ]

    def close(self) -> None:
        self.engine.close()


class StoreWorld(SqlWorld):
    """The embedded store: one SQLite file."""

    engine: SqliteEngine

    def __init__(self, path: Path, *, durable: bool = True) -> None:
        super().__init__(open_embedded(path))
        if not durable:  # where hypothesis makes many short-lived stores and none has to survive a power cut
            self.engine.connection.execute("PRAGMA synchronous = OFF")


def done_in(entries: Iterable[AuditEntry]) -> list[AuditEntry]:
    """Return the entries that do not tell of what was only tried, or of a reading of the log, numbered anew."""
    done = [entry for entry in entries if entry.activity not in MOST]
    return [replace(entry, sequence=number) for number, entry in enumerate(done)]


def every_record(store: RequestStore, query: RequestQuery, *, top: int = LARGEST_PAGE) -> list[AccessRequest]:
    """Follow a list's pages to the end."""
    records: list[AccessRequest] = []
    cursor: str | None = None
    while True:
        page = store.page(query, top=top, cursor=cursor)
        assert len(page.value) <= top
        records += page.value
        cursor = page.next
        if cursor is None:
            return records


def every_entry(store: RequestStore, query: AuditQuery | None = None, *, top: int = LARGEST_PAGE) -> list[AuditEntry]:
    """Follow an audit log's pages to the end."""
    entries: list[AuditEntry] = []
    cursor: str | None = None
    while True:
        page = store.audit_page(query or AuditQuery(), top=top, cursor=cursor)
        assert len(page.value) <= top
        entries += page.value
        cursor = page.next
        if cursor is None:
            return entries


def counted_ids() -> Callable[[], uuid.UUID]:
    """Return a stand-in for uuid4 that gives the same IDs in the same order each time, in no order of size."""
    numbers = itertools.count()
    return lambda: uuid.uuid5(uuid.NAMESPACE_OID, str(next(numbers)))


@contextmanager
def throwaway_world() -> Iterator[StoreWorld]:
    """Make a store in memory where the machine has such a folder, and verify it at the end."""
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as folder:
        world = StoreWorld(Path(folder) / "store.db", durable=False)
        try:
            yield world
            assert world.findings() == []
        finally:
            world.close()


@contextmanager
def with_counted_ids() -> Iterator[None]:
    """Let the stores draw counted IDs while a block runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uuid, "uuid4", counted_ids())
        yield
