"""The request store on SQL: what SqlReader reads, and changes of it."""

import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from supportaccess.domain import lifecycle
from supportaccess.domain.attempts import Act
from supportaccess.domain.audit import Step
from supportaccess.domain.expiry import Limit
from supportaccess.domain.lifecycle import NewRequest
from supportaccess.domain.permissions import Caller, Permission
from supportaccess.domain.records import AccessRequest, Side, Source
from supportaccess.domain.source_events import SourceEvent
from supportaccess.domain.text import check_support_request_id
from supportaccess.domain.times import Clock, system_clock
from supportaccess.errors import Conflict, NotFound, StoreUnavailable
from supportaccess.store.protocol import (
    Imported,
)
from supportaccess.store.sql.engine import Engine, Row, Session, Statement, unless_raced
from supportaccess.store.sql.idempotency import Answers
from supportaccess.store.sql.log import lock_logs
from supportaccess.store.sql.reader import SqlReader
from supportaccess.store.sql.rows import GET, RECORD, record_from
from supportaccess.store.sql.writes import write_steps

_OF_SUPPORT_REQUEST = f"""
    SELECT {RECORD} FROM access_requests
    WHERE tenant_id = :tenant_id AND support_request_id = :id ORDER BY listed_at, id
"""
_SUPPORT_REQUEST_STATE = "SELECT state FROM support_requests WHERE tenant_id = :tenant_id AND id = :id"
_AGAIN = "Run the same command again."


class SqlStore(SqlReader):
    """A RequestStore on a database. `also` are the same caller's proofs for other tenants."""

    def __init__(
        self,
        engine: Engine,
        caller: Caller,
        *,
        also: Sequence[Caller] = (),
        clock: Clock = system_clock,
        note: Callable[[Step], object] | None = None,
    ) -> None:
        super().__init__(engine, caller, clock=clock, note=note)
        self._also = tuple(other for other in also if other.tenant_id != caller.tenant_id)

    def raise_request(self, asked: NewRequest, *, key: str) -> AccessRequest:
        """Create a request."""

        def act(_: Session, state: list[Row]) -> list[Step]:
            step = lifecycle.raise_request(asked, self._caller, str(uuid.uuid4()), self._clock())
            if state and state[0][0] == "closed":
                raise Conflict(f"support request {number} is closed", current_status="closed")
            return [step]

        with self._trying(Act.RAISE, support_request_id=asked.support_request_id, reason=asked.reason):
            self._caller.require(Permission.RAISE)
            number = check_support_request_id(asked.support_request_id)
            state = Statement(_SUPPORT_REQUEST_STATE, self._named(number))
            return self._change(key, ["raise", asked], state, act)[0]

    def approve(
        self, request_id: str, *, etag: str, key: str, limit: Limit | None = None, reason: str | None = None
    ) -> AccessRequest:
        """Open the access."""
        limit = limit or Limit()

        def act(record: AccessRequest) -> list[Step]:
            return lifecycle.approve(
                record, self._caller, etag=etag, reason=reason, limit=limit, also=self._also, now=self._clock()
            )

        payload = ["approve", request_id, etag, limit, reason]
        also = [other.tenant_id for other in self._also]
        with self._trying(Act.APPROVE, access_request_id=request_id, reason=reason):
            return self._decide(Permission.DECIDE, request_id, key, payload, act, also)

    def reject(self, request_id: str, *, etag: str, key: str, reason: str) -> AccessRequest:
        """Refuse the request."""

        def act(record: AccessRequest) -> list[Step]:
            return lifecycle.reject(record, self._caller, etag=etag, reason=reason, now=self._clock())

        payload = ["reject", request_id, etag, reason]
        with self._trying(Act.REJECT, access_request_id=request_id, reason=reason):
            return self._decide(Permission.DECIDE, request_id, key, payload, act)

    def revoke(self, request_id: str, *, etag: str, key: str, reason: str | None = None) -> AccessRequest:
        """End open access."""

        def act(record: AccessRequest) -> list[Step]:
            return lifecycle.revoke(record, self._caller, etag=etag, reason=reason, now=self._clock())

        payload = ["revoke", request_id, etag, reason]
        with self._trying(Act.REVOKE, access_request_id=request_id, reason=reason):
            return self._decide(Permission.DECIDE, request_id, key, payload, act)

    def withdraw(self, request_id: str, *, etag: str, key: str, reason: str | None = None) -> AccessRequest:
        """Take a pending request back."""

        def act(record: AccessRequest) -> list[Step]:
            return lifecycle.withdraw(record, self._caller, etag=etag, reason=reason, now=self._clock())

        payload = ["withdraw", request_id, etag, reason]
        with self._trying(Act.WITHDRAW, access_request_id=request_id, reason=reason):
            return self._decide(Permission.RAISE, request_id, key, payload, act)

    def close(self, support_request_id: str, *, key: str) -> list[AccessRequest]:
        """Close a support request."""
        with self._trying(Act.CLOSE, support_request_id=support_request_id):
            return self._close(support_request_id, key)

    def _close(self, support_request_id: str, key: str) -> list[AccessRequest]:
        self._caller.require(Permission.RAISE)
        with self._engine.reading([self.tenant_id]) as session:
            elsewhere = _resource_tenants(self._of_support_request(session, support_request_id))

        def act(session: Session, state: list[Row]) -> list[Step]:
            if not state:
                raise NotFound(f"there is no support request {support_request_id} in tenant {self.tenant_id}")
            if state[0][0] == "closed":
                raise Conflict(f"support request {support_request_id} is closed already", current_status="closed")
            records = self._to_close(session, support_request_id, elsewhere)
            return lifecycle.close(support_request_id, records, self._caller, self._clock())

        state = Statement(_SUPPORT_REQUEST_STATE, self._named(support_request_id))
        return self._change(key, ["close", support_request_id], state, act, elsewhere)

    def import_events(
        self, events: Iterable[SourceEvent], *, key: str, details: Mapping[str, str | int], dry_run: bool = False
    ) -> Imported:
        """Take a provider's events in."""
        from supportaccess.store.sql.imports import import_events

        callers = [self._caller, *self._also]
        with self._trying(Act.IMPORT):
            self._caller.require(Permission.WRITE_SOURCE_EVENTS)
            return import_events(
                self._engine, events, callers=callers, key=key, details=details, dry_run=dry_run, now=self._clock()
            )

    def _of_support_request(self, session: Session, support_request_id: str) -> list[AccessRequest]:
        """Return the requests of a support request of this tenant that are decided here."""
        rows = session.all(_OF_SUPPORT_REQUEST, self._named(support_request_id))
        # A ticket number says nothing about whose it is: a record here may be of another tenant's ticket.
        return [
            record
            for record in map(record_from, rows)
            if record.source is Source.STORE and record.side is not Side.RESOURCE
        ]

    def _to_close(self, session: Session, support_request_id: str, tenant_ids: Collection[str]) -> list[AccessRequest]:
        """Return the requests of a support request of this tenant, and their records in resource tenants.

        Raises StoreUnavailable when those are in other tenants than the given, whose logs are locked.
        """
        own = self._of_support_request(session, support_request_id)
        if not set(_resource_tenants(own)) <= set(tenant_ids):
            raise StoreUnavailable(f"support request {support_request_id} changed at the same moment", hint=_AGAIN)
        there = [
            Statement(GET, {"tenant_id": record.resource_tenant_id, "id": record.id})
            for record in own
            if record.side is Side.SUPPORT_REQUEST
        ]
        return own + [record_from(row) for result in session.batch(there) for row in result.rows]

    def _decide(
        self,
        permission: Permission,
        request_id: str,
        key: str,
        payload: Sequence[object],
        act: Callable[[AccessRequest], list[Step]],
        also: Sequence[str] = (),
    ) -> AccessRequest:
        self._caller.require(permission)

        def decide(_: Session, rows: list[Row]) -> list[Step]:
            return act(self._record(rows, request_id))

        return self._change(key, payload, Statement(GET, self._named(request_id)), decide, also)[0]

    def _change(
        self,
        key: str,
        payload: Sequence[object],
        state: Statement,
        act: Callable[[Session, list[Row]], list[Step]],
        also: Sequence[str] = (),
    ) -> list[AccessRequest]:
        """Do it once for the key: rows, entries and the answer in one transaction over this tenant and others.

        `act` gets what was read with the logs locked: whatever it decides on cannot change before it is written.
        """
        answers = Answers(self._caller, key, list[AccessRequest])
        return unless_raced(lambda: self._change_once(answers, key, payload, state, act, also))

    def _change_once(
        self,
        answers: Answers[list[AccessRequest]],
        key: str,
        payload: Sequence[object],
        state: Statement,
        act: Callable[[Session, list[Row]], list[Step]],
        also: Sequence[str],
    ) -> list[AccessRequest]:
        tenant_ids = [self.tenant_id, *also]
        with self._engine.writing(tenant_ids) as session:
            writer, (answered, read) = lock_logs(
                self._engine, session, tenant_ids, {self.tenant_id: key}, [answers.asking(), state]
            )
            known = answers.known(answered.rows, payload)
            if known is not None:
                return known
            steps = act(session, read.rows)
            answer = [step.after for step in steps if step.after is not None and step.tenant_id == self.tenant_id]
            write_steps(session, writer, steps, [answers.keeping(payload, answer, self._clock())])
        return answer


def _resource_tenants(records: Iterable[AccessRequest]) -> list[str]:
    """Return the other tenants in which records of these requests are."""
    return sorted(
        {
            record.resource_tenant_id
            for record in records
            if record.side is Side.SUPPORT_REQUEST and record.resource_tenant_id is not None
        }
    )
