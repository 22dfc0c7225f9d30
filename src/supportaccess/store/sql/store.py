"""The request store on SQL. What only imports and verification need is loaded by them: each list would wait for it."""

import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import msgspec

from supportaccess.domain import expiry, lifecycle
from supportaccess.domain.attempts import Act, reading, refused
from supportaccess.domain.audit import Activity, AuditEntry, Step
from supportaccess.domain.expiry import Limit
from supportaccess.domain.lifecycle import NewRequest
from supportaccess.domain.permissions import MAY_SEE_HEAD, Caller, Permission
from supportaccess.domain.records import FINAL, AccessRequest, Side, Source
from supportaccess.domain.source_events import SourceEvent
from supportaccess.domain.text import check_support_request_id
from supportaccess.domain.times import Clock, system_clock, to_microseconds
from supportaccess.errors import Conflict, InvalidInput, NotFound, StoreUnavailable, SupportAccessError
from supportaccess.store.filters import AuditFilters, RequestFilters
from supportaccess.store.protocol import (
    LARGEST_PAGE,
    SHORTEST_PREFIX,
    AuditPage,
    AuditQuery,
    EventPage,
    Imported,
    LogHead,
    Page,
    RequestQuery,
)
from supportaccess.store.sql import log
from supportaccess.store.sql.attempts import reads_already, record
from supportaccess.store.sql.engine import Engine, Row, Session, Statement, unless_raced
from supportaccess.store.sql.idempotency import Answers
from supportaccess.store.sql.lists import Found, Matching, read_page
from supportaccess.store.sql.log import lock_logs
from supportaccess.store.sql.rows import GET, OPEN_STATUSES, RECORD, record_from
from supportaccess.store.sql.writes import write_steps

if TYPE_CHECKING:
    from supportaccess.store.verification import Verification

_FINAL = ", ".join(f"'{status}'" for status in sorted(FINAL))
_FIND = f"""
    SELECT * FROM (
        SELECT {RECORD}, 0 AS open_last, 0 AS list_time FROM access_requests
        WHERE tenant_id = :tenant_id AND id >= :text AND id < :text || 'g' AND length(:text) >= :shortest
        ORDER BY id LIMIT :top
    ) AS by_id
    UNION ALL
    SELECT * FROM (
        SELECT {RECORD}, CASE WHEN status IN ({_FINAL}) OR status IN ({OPEN_STATUSES}) AND urgency <= :now
            THEN 1 ELSE 0 END, -listed_at
        FROM access_requests
        WHERE tenant_id = :tenant_id AND support_request_id = :support_request_id
        AND NOT (id >= :text AND id < :text || 'g' AND length(:text) >= :shortest)
        ORDER BY 3, 4 LIMIT :top
    ) AS by_support_request
    ORDER BY open_last, list_time, id
"""
# An ID that was shown stays good when an earlier event of the same request is read later.
_FIND_EARLIER_ID = f"""
    SELECT {RECORD} FROM access_requests
    WHERE tenant_id = :tenant_id AND id IN (
        SELECT request_id FROM source_events
        WHERE tenant_id = :tenant_id AND first_request_id >= :text AND first_request_id < :text || 'g'
    )
    ORDER BY id LIMIT :top
"""
_OF_SUPPORT_REQUEST = f"""
    SELECT {RECORD} FROM access_requests
    WHERE tenant_id = :tenant_id AND support_request_id = :id ORDER BY listed_at, id
"""
_SUPPORT_REQUEST_STATE = "SELECT state FROM support_requests WHERE tenant_id = :tenant_id AND id = :id"
_FIRST_IDS = "SELECT first_request_id FROM source_events WHERE tenant_id = :tenant_id AND request_id = :request_id"
_AGAIN = "Run the same command again."


class SqlStore:
    """A RequestStore on a database. `also` are the same caller's proofs for other tenants.

    What is refused, and that the log is read, is written to the log too; `note` does that in place of the store. Where
    it raises a SupportAccessError, the act is refused, or the log read, all the same.
    """

    def __init__(
        self,
        engine: Engine,
        caller: Caller,
        *,
        also: Sequence[Caller] = (),
        clock: Clock = system_clock,
        note: Callable[[Step], object] | None = None,
    ) -> None:
        self._engine = engine
        self._caller = caller
        self._also = tuple(other for other in also if other.tenant_id != caller.tenant_id)
        self._clock = clock
        self._note = note

    @property
    def tenant_id(self) -> str:
        """The tenant whose view this is."""
        return self._caller.tenant_id

    @property
    def is_remote(self) -> bool:
        """Whether an answer has a way to go."""
        return False

    def page(self, query: RequestQuery, *, top: int, cursor: str | None = None) -> Page:
        """Return a page of requests."""
        found = self._found(query, top, cursor)
        return Page(value=found.records(), next=found.next)

    def page_in_json(
        self, query: RequestQuery, *, top: int, cursor: str | None = None
    ) -> tuple[msgspec.Raw, str | None]:
        """Return what `page` does, the requests as the JSON array that goes over the wire."""
        found = self._found(query, top, cursor)
        return found.json(), found.next

    def _found(self, query: RequestQuery, top: int, cursor: str | None) -> Found:
        self._require(Act.LIST, Permission.READ_REQUESTS)
        return read_page(self._engine, self.tenant_id, query, self._clock(), _checked(top), cursor)

    def count(self, query: RequestFilters, *, at_most: int) -> int:
        """Return how many requests there are, no further than `at_most`."""
        self._require(Act.COUNT, Permission.READ_REQUESTS)
        statement, parameters = Matching(query, self.tenant_id, self._clock()).count(at_most)
        with self._engine.reading([self.tenant_id]) as session:
            row = session.one(statement, parameters)
        return 0 if row is None else int(row[0])

    def get(self, request_id: str) -> AccessRequest:
        """Return one request."""
        self._require(Act.GET, Permission.READ_REQUESTS)
        with self._engine.reading([self.tenant_id]) as session:
            rows = session.all(GET, self._named(request_id))
        return expiry.as_of(self._record(rows, request_id), self._clock())

    def find(self, text: str, *, top: int) -> list[AccessRequest]:
        """Return the requests that a prefix of an ID or a support request ID names."""
        self._require(Act.FIND, Permission.READ_REQUESTS)
        now = self._clock()
        parameters = {
            "tenant_id": self.tenant_id,
            "text": text.lower(),
            "support_request_id": text,
            "shortest": SHORTEST_PREFIX,
            "now": to_microseconds(now),
            "top": _checked(top),
        }
        with self._engine.reading([self.tenant_id]) as session:
            rows = session.all(_FIND, parameters)
            if not rows and len(text) >= SHORTEST_PREFIX:
                rows = session.all(_FIND_EARLIER_ID, parameters)
        return [expiry.as_of(record_from(row), now) for row in rows[:top]]

    def events(self, *, after: int | None, top: int) -> EventPage:
        """Return what happened from a place in the audit log on."""
        from supportaccess.store.sql.outbox import read_events

        self._require(Act.EVENTS, Permission.READ_REQUESTS)
        with self._engine.reading([self.tenant_id]) as session:
            return read_events(session, self.tenant_id, after, _checked(top), self._clock())

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

    def audit_page(self, query: AuditQuery, *, top: int, cursor: str | None = None) -> AuditPage:
        """Return a page of audit entries."""
        self._require(Act.READ_LOG, Permission.READ_AUDIT)
        now = self._clock()
        with self._engine.reading([self.tenant_id]) as session:
            page = log.read_log(session, self.tenant_id, query, _checked(top), cursor)
            # A further page belongs to a reading that is noted, unless its cursor was made up, or is of long ago.
            is_noted = cursor is not None and reads_already(session, self._caller, now)
        # Whoever follows the log would else see, note and see again that they see it.
        if not is_noted and any(entry.activity is not Activity.LOG_READ for entry in page.value):
            self._write_down(reading(self._caller, now))
        return page

    def audit_count(self, query: AuditFilters) -> int:
        """Return how many audit entries there are."""
        self._require(Act.COUNT_LOG, Permission.READ_AUDIT)
        with self._engine.reading([self.tenant_id]) as session:
            return log.count_log(session, self.tenant_id, query)

    def history(self, request_id: str) -> list[AuditEntry]:
        """Return the audit entries of one request, under every ID that it had."""
        self._require(Act.HISTORY, Permission.READ_REQUESTS)
        with self._engine.snapshot([self.tenant_id]) as session:
            earlier = session.all(_FIRST_IDS, {"tenant_id": self.tenant_id, "request_id": request_id})
            query = AuditQuery(access_request_ids=frozenset({request_id, *(row[0] for row in earlier)}))
            entries: list[AuditEntry] = []
            cursor: str | None = None
            while True:
                page = log.read_log(session, self.tenant_id, query, LARGEST_PAGE, cursor)
                entries += page.value
                cursor = page.next
                if cursor is None:
                    return entries

    def log_head(self) -> LogHead:
        """Return the head of the audit log."""
        self._require(Act.HEAD, *MAY_SEE_HEAD)
        with self._engine.reading([self.tenant_id]) as session:
            return log.read_head(session, self.tenant_id)[0]

    def verify(self) -> "Verification":
        """Hold the audit log against everything it vouches for."""
        from supportaccess.store.sql.verify import verify

        self._require(Act.VERIFY, Permission.READ_AUDIT)
        with self._engine.snapshot([self.tenant_id]) as session:
            return verify(session, self.tenant_id)

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

    def source_events(self, request_id: str) -> list[SourceEvent]:
        """Return the events that a mirror was rebuilt from."""
        from supportaccess.store.sql.imports import events_of

        self._require(Act.SOURCE_EVENTS, Permission.READ_REQUESTS)
        with self._engine.reading([self.tenant_id]) as session:
            return events_of(session, self.tenant_id, request_id)

    def _require(self, act: Act, permission: Permission, *others: Permission) -> None:
        """Raise Forbidden, and write that down, unless the caller holds one of the permissions."""
        with self._trying(act):
            self._caller.require(permission, *others)

    @contextmanager
    def _trying(self, act: Act, **named: str | None) -> Iterator[None]:
        """Write down what is refused, once it was taken back. `named` as for an attempt."""
        try:
            yield
        except SupportAccessError as error:
            attempt = refused(self._caller, act, error, self._clock(), **named)
            if attempt is not None:
                self._write_down(attempt)
            raise

    def _write_down(self, attempt: Step) -> None:
        with suppress(SupportAccessError):
            if self._note is not None:
                self._note(attempt)
            else:
                record(self._engine, attempt)

    def _named(self, value: str) -> dict[str, object]:
        """Return the parameters that name one thing of this tenant."""
        return {"tenant_id": self.tenant_id, "id": value}

    def _record(self, rows: Sequence[Row], request_id: str) -> AccessRequest:
        if not rows:
            raise NotFound(f"there is no access request {request_id} in tenant {self.tenant_id}")
        return record_from(rows[0])

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


def _checked(top: int) -> int:
    if not 1 <= top <= LARGEST_PAGE:
        raise InvalidInput(f"a page has 1 to {LARGEST_PAGE:,} rows, not {top:,}")
    return top
