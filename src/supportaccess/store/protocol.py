"""What a request store does, whatever stands behind it.

A store is opened for one caller in one tenant, and answers with what that tenant may know: another tenant's record
does not exist for it. Statuses are always those of the clock. Every mutation takes an idempotency key: repeated with
the same key it answers as it did the first time and changes nothing.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import msgspec

from supportaccess.domain.audit import AuditEntry
from supportaccess.domain.records import AccessRequest
from supportaccess.store.filters import AuditFilters, RequestFilters
from supportaccess.structs import Struct

if TYPE_CHECKING:
    from supportaccess.domain.events import EventPage
    from supportaccess.domain.expiry import Limit
    from supportaccess.domain.lifecycle import NewRequest
    from supportaccess.domain.source_events import SourceEvent
    from supportaccess.store.verification import Verification

LARGEST_PAGE = 1000
SHORTEST_PREFIX = 4
"""The fewest characters of an ID that `find` takes."""


class Order(StrEnum):
    """How a list is ordered: the most urgent first, or by creation."""

    ATTENTION = "attention"
    OLDEST = "createdAt"
    NEWEST = "-createdAt"


class AuditOrder(StrEnum):
    """How audit entries are ordered: by their place in the log, upwards or downwards."""

    OLDEST = "sequence"
    NEWEST = "-sequence"


class RequestQuery(RequestFilters, frozen=True, kw_only=True):
    """Which access requests, and in which order."""

    order: Order = msgspec.field(default=Order.ATTENTION, name="orderBy")


class AuditQuery(AuditFilters, frozen=True, kw_only=True):
    """Which audit entries, and in which order."""

    order: AuditOrder = msgspec.field(default=AuditOrder.OLDEST, name="orderBy")


class Page(Struct, frozen=True, kw_only=True):
    """Some access requests, and where the next ones start: absent on the last page."""

    value: list[AccessRequest]
    next: str | None = None


class AuditPage(Struct, frozen=True, kw_only=True):
    """Some audit entries, and where the next ones start: absent on the last page."""

    value: list[AuditEntry]
    next: str | None = None


class LogHead(Struct, frozen=True, kw_only=True):
    """The head of a tenant's audit log: number of entries and root hash of their RFC 6962 tree (lower-case hex)."""

    size: int
    root: str


class Imported(Struct, frozen=True, kw_only=True):
    """What an import did. `unrecognised` counts events that were kept but are no known step."""

    new: int = 0
    known: int = 0
    unrecognised: int = 0
    differing: int = 0
    requests_new: int = 0
    requests_changed: int = 0


class RequestReader(Protocol):
    """The requests and the audit log of one tenant, for one caller, as they are read.

    Every method may raise StoreUnavailable and StoreRefused, and InvalidInput for what no store can hold.
    """

    @property
    def tenant_id(self) -> str:
        """The tenant whose view this is."""
        ...

    @property
    def is_remote(self) -> bool:
        """Whether an answer has a way to go, so that the next page is worth asking for early, from another thread."""
        ...

    def page(self, query: RequestQuery, *, top: int, cursor: str | None = None) -> Page:
        """Return up to `top` (at most LARGEST_PAGE) requests. Raises Forbidden, InvalidInput for a bad cursor."""
        ...

    def count(self, query: RequestFilters, *, at_most: int) -> int:
        """Return how many requests there are, counting no further than `at_most`. Raises Forbidden."""
        ...

    def get(self, request_id: str) -> AccessRequest:
        """Return one request by its full ID. Raises Forbidden, NotFound."""
        ...

    def find(self, text: str, *, top: int) -> list[AccessRequest]:
        """Return up to `top` requests whose ID begins with the text or whose support request ID it is.

        A beginning has at least 4 characters; the earlier ID of a mirror finds it too. Of one support request, open
        requests come first, then the latest. Raises Forbidden.
        """
        ...

    def events(self, *, after: int | None, top: int) -> "EventPage":
        """Return up to `top` (at most LARGEST_PAGE) events, from the place `after` of the audit log on.

        Without a place there are none: `next` is where the next ones will be. Raises Forbidden.
        """
        ...

    def audit_page(self, query: AuditQuery, *, top: int, cursor: str | None = None) -> AuditPage:
        """Return up to `top` (at most LARGEST_PAGE) audit entries. Raises Forbidden, InvalidInput for a bad cursor."""
        ...

    def audit_count(self, query: AuditFilters) -> int:
        """Return how many audit entries there are. Raises Forbidden."""
        ...

    def history(self, request_id: str) -> list[AuditEntry]:
        """Return the audit entries of one request, oldest first. Raises Forbidden."""
        ...

    def log_head(self) -> LogHead:
        """Return the head of the audit log. Raises Forbidden for who may read neither requests nor the log."""
        ...

    def verify(self) -> "Verification":
        """Recompute the audit log's tree and hold it against head, records and raw events. Raises Forbidden."""
        ...

    def source_events(self, request_id: str) -> "list[SourceEvent]":
        """Return the events that a mirror was rebuilt from, oldest first. Raises Forbidden."""
        ...


class RequestStore(RequestReader, Protocol):
    """A store that takes decisions too. Every one may raise KeyReused for a key that was used for something else."""

    def raise_request(self, asked: "NewRequest", *, key: str) -> AccessRequest:
        """Create a request. Raises Forbidden, InvalidInput, Conflict when the support request is closed."""
        ...

    def approve(
        self, request_id: str, *, etag: str, key: str, limit: "Limit | None" = None, reason: str | None = None
    ) -> AccessRequest:
        """Open the access. Raises Forbidden, NotFound, Conflict, Stale, DecidedElsewhere, InvalidInput."""
        ...

    def reject(self, request_id: str, *, etag: str, key: str, reason: str) -> AccessRequest:
        """Refuse the request. Raises Forbidden, NotFound, Conflict, Stale, DecidedElsewhere, InvalidInput."""
        ...

    def revoke(self, request_id: str, *, etag: str, key: str, reason: str | None = None) -> AccessRequest:
        """End open access. Raises Forbidden, NotFound, Conflict, Stale, DecidedElsewhere, InvalidInput."""
        ...

    def withdraw(self, request_id: str, *, etag: str, key: str, reason: str | None = None) -> AccessRequest:
        """Take a pending request back. Raises Forbidden, NotFound, Conflict, Stale, DecidedElsewhere, InvalidInput."""
        ...

    def close(self, support_request_id: str, *, key: str) -> list[AccessRequest]:
        """Close a support request and return its access requests that ended by it.

        Raises Forbidden, NotFound, and Conflict when it is closed already.
        """
        ...

    def import_events(
        self, events: "Iterable[SourceEvent]", *, key: str, details: Mapping[str, str | int], dry_run: bool = False
    ) -> Imported:
        """Take a provider's events in, all or none, and bring the mirrors up to date.

        Raises Forbidden, and InvalidInput for an event of another tenant. A dry run keeps nothing, its key included.
        """
        ...
