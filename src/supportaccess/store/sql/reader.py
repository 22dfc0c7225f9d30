"""Reads requests and the audit log from SQL. What only some reading needs is loaded by it: a list would wait for it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import msgspec

from supportaccess.domain import expiry
from supportaccess.domain.attempts import Act, reading, refused
from supportaccess.domain.audit import Activity, AuditEntry, Step
from supportaccess.domain.permissions import MAY_SEE_HEAD, Caller, Permission
from supportaccess.domain.records import FINAL, AccessRequest
from supportaccess.domain.times import Clock, system_clock, to_microseconds
from supportaccess.errors import InvalidInput, NotFound, SupportAccessError
from supportaccess.store.filters import AuditFilters, RequestFilters
from supportaccess.store.protocol import (
    LARGEST_PAGE,
    SHORTEST_PREFIX,
    AuditPage,
    AuditQuery,
    LogHead,
    Page,
    RequestQuery,
)
from supportaccess.store.sql import log
from supportaccess.store.sql.engine import Engine, Row
from supportaccess.store.sql.lists import Found, Matching, read_page
from supportaccess.store.sql.rows import GET, OPEN_STATUSES, RECORD, record_from

if TYPE_CHECKING:
    from supportaccess.domain.events import EventPage
    from supportaccess.domain.source_events import SourceEvent
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
_FIRST_IDS = "SELECT first_request_id FROM source_events WHERE tenant_id = :tenant_id AND request_id = :request_id"


class SqlReader:
    """A RequestReader on a database.

    What is refused, and that the log is read, is written to the log too; `note` does that in place of the store. Where
    it raises a SupportAccessError, the act is refused, or the log read, all the same.
    """

    def __init__(
        self,
        engine: Engine,
        caller: Caller,
        *,
        clock: Clock = system_clock,
        note: Callable[[Step], object] | None = None,
    ) -> None:
        self._engine = engine
        self._caller = caller
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

    def events(self, *, after: int | None, top: int) -> "EventPage":
        """Return what happened from a place in the audit log on."""
        from supportaccess.store.sql.outbox import read_events

        self._require(Act.EVENTS, Permission.READ_REQUESTS)
        with self._engine.reading([self.tenant_id]) as session:
            return read_events(session, self.tenant_id, after, _checked(top), self._clock())

    def audit_page(self, query: AuditQuery, *, top: int, cursor: str | None = None) -> AuditPage:
        """Return a page of audit entries."""
        self._require(Act.READ_LOG, Permission.READ_AUDIT)
        from supportaccess.store.sql.attempts import reads_already

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

    def source_events(self, request_id: str) -> "list[SourceEvent]":
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
                from supportaccess.store.sql.attempts import record

                record(self._engine, attempt)

    def _named(self, value: str) -> dict[str, object]:
        """Return the parameters that name one thing of this tenant."""
        return {"tenant_id": self.tenant_id, "id": value}

    def _record(self, rows: Sequence[Row], request_id: str) -> AccessRequest:
        if not rows:
            raise NotFound(f"there is no access request {request_id} in tenant {self.tenant_id}")
        return record_from(rows[0])


def _checked(top: int) -> int:
    if not 1 <= top <= LARGEST_PAGE:
        raise InvalidInput(f"a page has 1 to {LARGEST_PAGE:,} rows, not {top:,}")
    return top
