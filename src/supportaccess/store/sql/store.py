"""The request store on SQL. What only imports and verification need is loaded by them: each list would wait for it."""

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence

from supportaccess.domain import due, lifecycle
from supportaccess.domain.audit import AuditEntry, Step
from supportaccess.domain.errors import Conflict, InvalidInput, NotFound
from supportaccess.domain.lifecycle import NewRequest
from supportaccess.domain.limits import Limit
from supportaccess.domain.permissions import Caller, Permission
from supportaccess.domain.records import AccessRequest, Side
from supportaccess.domain.source_events import SourceEvent
from supportaccess.domain.times import Clock, system_clock, to_microseconds
from supportaccess.store.protocol import (
    LARGEST_PAGE,
    SHORTEST_PREFIX,
    AuditPage,
    AuditQuery,
    Imported,
    LogHead,
    Page,
    RequestQuery,
    Verification,
)
from supportaccess.store.sql import log
from supportaccess.store.sql.answers import Answers
from supportaccess.store.sql.changes import write_steps
from supportaccess.store.sql.engine import Engine, Session
from supportaccess.store.sql.lists import Listing
from supportaccess.store.sql.rows import GET, RECORD, RECORD_WIDTH, record_from

_FIND = f"""
    SELECT * FROM (
        SELECT {RECORD}, 0 AS open_last, 0 AS list_time FROM access_requests
        WHERE tenant_id = :tenant_id AND id >= :text AND id < :text || 'g' AND length(:text) >= :shortest
        ORDER BY id LIMIT :top
    ) AS by_id
    UNION ALL
    SELECT * FROM (
        SELECT {RECORD}, CASE WHEN status IN ('pending', 'approved') AND urgency > :now THEN 0 ELSE 1 END, -listed_at
        FROM access_requests
        WHERE tenant_id = :tenant_id AND support_request_id = :support_request_id
        AND NOT (id >= :text AND id < :text || 'g' AND length(:text) >= :shortest)
        ORDER BY 28, 29 LIMIT :top
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
    WHERE tenant_id = :tenant_id AND support_request_id = :support_request_id AND source = 'store'
    ORDER BY listed_at, id
"""
_SUPPORT_REQUEST_STATE = "SELECT state FROM support_requests WHERE tenant_id = :tenant_id AND id = :id"
_FIRST_IDS = "SELECT first_request_id FROM source_events WHERE tenant_id = :tenant_id AND request_id = :request_id"


class SqlStore:
    """A RequestStore on a database. `also` are the same caller's proofs for other tenants."""

    def __init__(
        self, engine: Engine, caller: Caller, *, also: Sequence[Caller] = (), clock: Clock = system_clock
    ) -> None:
        self._engine = engine
        self._caller = caller
        self._also = tuple(other for other in also if other.tenant_id != caller.tenant_id)
        self._clock = clock

    @property
    def tenant_id(self) -> str:
        """The tenant whose view this is."""
        return self._caller.tenant_id

    def page(self, query: RequestQuery, *, top: int, cursor: str | None = None) -> Page:
        """Return a page of requests."""
        self._caller.require(Permission.READ_REQUESTS)
        top = _checked(top)
        now = self._clock()
        listing = Listing(query, self.tenant_id, now)
        statement, parameters = listing.page(top + 1, cursor)
        with self._engine.reading() as session:
            rows = session.all(statement, parameters)
        following = None
        if len(rows) > top:
            last = rows[top - 1]
            following = listing.cursor_at(last[RECORD_WIDTH : RECORD_WIDTH + 3], last[0])
        return Page(value=[due.as_of(record_from(row), now) for row in rows[:top]], next=following)

    def count(self, query: RequestQuery, *, at_most: int) -> int:
        """Return how many requests there are, no further than `at_most`."""
        self._caller.require(Permission.READ_REQUESTS)
        statement, parameters = Listing(query, self.tenant_id, self._clock()).count(at_most)
        with self._engine.reading() as session:
            row = session.one(statement, parameters)
        return 0 if row is None else int(row[0])

    def get(self, request_id: str) -> AccessRequest:
        """Return one request."""
        self._caller.require(Permission.READ_REQUESTS)
        with self._engine.reading() as session:
            return due.as_of(self._fetch(session, request_id), self._clock())

    def find(self, text: str, *, top: int) -> list[AccessRequest]:
        """Return the requests that a prefix of an ID or a support request ID names."""
        self._caller.require(Permission.READ_REQUESTS)
        now = self._clock()
        parameters = {
            "tenant_id": self.tenant_id,
            "text": text.lower(),
            "support_request_id": text,
            "shortest": SHORTEST_PREFIX,
            "now": to_microseconds(now),
            "top": _checked(top),
        }
        with self._engine.reading() as session:
            rows = session.all(_FIND, parameters)
            if not rows and len(text) >= SHORTEST_PREFIX:
                rows = session.all(_FIND_EARLIER_ID, parameters)
        return [due.as_of(record_from(row), now) for row in rows[:top]]

    def raise_request(self, asked: NewRequest, *, key: str) -> AccessRequest:
        """Create a request."""
        self._caller.require(Permission.RAISE)

        def act(session: Session) -> list[Step]:
            step = lifecycle.raise_request(asked, self._caller, str(uuid.uuid4()), self._clock())
            number = step.after.support_request_id if step.after else None
            row = session.one(_SUPPORT_REQUEST_STATE, {"tenant_id": self.tenant_id, "id": number})
            if row is not None and row[0] == "closed":
                raise Conflict(f"support request {number} is closed", current_status="closed")
            return [step]

        return self._change(key, ["raise", asked], act)[0]

    def approve(
        self, request_id: str, *, etag: str, key: str, limit: Limit | None = None, reason: str | None = None
    ) -> AccessRequest:
        """Open the access."""
        limit = limit or Limit()

        def act(session: Session) -> list[Step]:
            return lifecycle.approve(
                self._fetch(session, request_id),
                self._caller,
                etag=etag,
                reason=reason,
                limit=limit,
                also=self._also,
                now=self._clock(),
            )

        return self._decide(Permission.DECIDE, key, ["approve", request_id, etag, limit, reason], act)

    def reject(self, request_id: str, *, etag: str, key: str, reason: str) -> AccessRequest:
        """Refuse the request."""

        def act(session: Session) -> list[Step]:
            record = self._fetch(session, request_id)
            return lifecycle.reject(record, self._caller, etag=etag, reason=reason, now=self._clock())

        return self._decide(Permission.DECIDE, key, ["reject", request_id, etag, reason], act)

    def revoke(self, request_id: str, *, etag: str, key: str, reason: str | None = None) -> AccessRequest:
        """End open access."""

        def act(session: Session) -> list[Step]:
            record = self._fetch(session, request_id)
            return lifecycle.revoke(record, self._caller, etag=etag, reason=reason, now=self._clock())

        return self._decide(Permission.DECIDE, key, ["revoke", request_id, etag, reason], act)

    def withdraw(self, request_id: str, *, etag: str, key: str, reason: str | None = None) -> AccessRequest:
        """Take a pending request back."""

        def act(session: Session) -> list[Step]:
            record = self._fetch(session, request_id)
            return lifecycle.withdraw(record, self._caller, etag=etag, reason=reason, now=self._clock())

        return self._decide(Permission.RAISE, key, ["withdraw", request_id, etag, reason], act)

    def close(self, support_request_id: str, *, key: str) -> list[AccessRequest]:
        """Close a support request."""
        self._caller.require(Permission.RAISE)

        def act(session: Session) -> list[Step]:
            row = session.one(_SUPPORT_REQUEST_STATE, {"tenant_id": self.tenant_id, "id": support_request_id})
            if row is None:
                raise NotFound(f"there is no support request {support_request_id} in tenant {self.tenant_id}")
            if row[0] == "closed":
                raise Conflict(f"support request {support_request_id} is closed already", current_status="closed")
            records = self._of_support_request(session, support_request_id)
            return lifecycle.close(support_request_id, records, self._caller, self._clock())

        return self._change(key, ["close", support_request_id], act)

    def audit_page(self, query: AuditQuery, *, top: int, cursor: str | None = None) -> AuditPage:
        """Return a page of audit entries."""
        self._caller.require(Permission.READ_AUDIT)
        with self._engine.reading() as session:
            return log.read_log(session, self.tenant_id, query, _checked(top), cursor)

    def audit_count(self, query: AuditQuery) -> int:
        """Return how many audit entries there are."""
        self._caller.require(Permission.READ_AUDIT)
        with self._engine.reading() as session:
            return log.count_log(session, self.tenant_id, query)

    def history(self, request_id: str) -> list[AuditEntry]:
        """Return the audit entries of one request, under every ID that it had."""
        self._caller.require(Permission.READ_REQUESTS)
        with self._engine.snapshot() as session:
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
        self._caller.require(Permission.READ_AUDIT)
        with self._engine.reading() as session:
            return log.read_head(session, self.tenant_id)[0]

    def verify(self) -> Verification:
        """Hold the audit log against everything it vouches for."""
        from supportaccess.store.sql.verify import verify

        self._caller.require(Permission.READ_AUDIT)
        with self._engine.snapshot() as session:
            return verify(session, self.tenant_id)

    def import_events(
        self, events: Iterable[SourceEvent], *, key: str, details: Mapping[str, str | int], dry_run: bool = False
    ) -> Imported:
        """Take a provider's events in."""
        from supportaccess.store.sql.imports import import_events

        self._caller.require(Permission.WRITE_SOURCE_EVENTS)
        callers = [self._caller, *self._also]
        return import_events(
            self._engine, events, callers=callers, key=key, details=details, dry_run=dry_run, now=self._clock()
        )

    def source_events(self, request_id: str) -> list[SourceEvent]:
        """Return the events that a mirror was rebuilt from."""
        from supportaccess.store.sql.imports import events_of

        self._caller.require(Permission.READ_REQUESTS)
        with self._engine.reading() as session:
            return events_of(session, self.tenant_id, request_id)

    def _fetch(self, session: Session, request_id: str) -> AccessRequest:
        row = session.one(GET, {"tenant_id": self.tenant_id, "id": request_id})
        if row is None:
            raise NotFound(f"there is no access request {request_id} in tenant {self.tenant_id}")
        return record_from(row)

    def _of_support_request(self, session: Session, support_request_id: str) -> list[AccessRequest]:
        """Return the requests of a support request of this tenant, and their records in resource tenants."""
        parameters = {"tenant_id": self.tenant_id, "support_request_id": support_request_id}
        records = [record_from(row) for row in session.all(_OF_SUPPORT_REQUEST, parameters)]
        # A ticket number says nothing about whose it is: a record here may be of another tenant's ticket.
        own = [record for record in records if record.side is not Side.RESOURCE]
        elsewhere = []
        for record in own:
            if record.side is Side.SUPPORT_REQUEST:
                row = session.one(GET, {"tenant_id": record.resource_tenant_id, "id": record.id})
                if row is not None:
                    elsewhere.append(record_from(row))
        return own + elsewhere

    def _decide(
        self, permission: Permission, key: str, payload: Sequence[object], act: Callable[[Session], list[Step]]
    ) -> AccessRequest:
        self._caller.require(permission)
        return self._change(key, payload, act)[0]

    def _change(self, key: str, payload: Sequence[object], act: Callable[[Session], list[Step]]) -> list[AccessRequest]:
        """Do it once for the key: rows, entries and the answer in one transaction."""
        answers = Answers(self._caller, key, list[AccessRequest])
        with self._engine.writing() as session:
            known = answers.known(session, payload)
            if known is not None:
                return known
            steps = act(session)
            write_steps(self._engine, session, steps, {self.tenant_id: key})
            answer = [step.after for step in steps if step.after is not None and step.tenant_id == self.tenant_id]
            answers.keep(session, payload, answer, self._clock())
        return answer


def _checked(top: int) -> int:
    if not 1 <= top <= LARGEST_PAGE:
        raise InvalidInput(f"a page has 1 to {LARGEST_PAGE:,} rows, not {top:,}")
    return top
