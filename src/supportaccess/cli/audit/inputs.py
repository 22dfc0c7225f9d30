"""What audits ask of a store, gathered from its lists and its log."""

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from itertools import chain, islice, takewhile
from pathlib import Path

from supportaccess.domain.attention import APPROVED_ACCESS_KEPT
from supportaccess.domain.audit import Activity, AuditEntry
from supportaccess.domain.lint.rules import Evidence
from supportaccess.domain.records import OPEN, WAS_APPROVED, AccessRequest, Actor, Source, Status
from supportaccess.domain.roles.assignments import Deciders, deciders_of
from supportaccess.domain.roles.table import LARGEST_TABLE, RoleTable, parse_role_table
from supportaccess.errors import InvalidInput
from supportaccess.sources.entra.roles import shipped_role_table
from supportaccess.store.paging import each_row
from supportaccess.store.protocol import LARGEST_PAGE, AuditOrder, AuditQuery, RequestQuery, RequestReader

_IDS_AT_ONCE = 50
_TICKETS_ASKED = 50


def evidence_of(store: RequestReader, now: datetime, deciders: Deciders | None) -> Evidence:
    """Return what is looked at: what is open, and what was approved and ended, or lapsed, in the last 30 days."""
    approved_and_open = requests(store, RequestQuery(statuses=OPEN, approved_access=True))
    # The latest end comes first.
    lapsed = takewhile(
        lambda record: record.ended_at is not None and now - record.ended_at <= APPROVED_ACCESS_KEPT,
        requests(store, RequestQuery(statuses=frozenset({Status.LAPSED}))),
    )
    return evidence_for(store, list(chain(approved_and_open, lapsed)), deciders)


def evidence_for(store: RequestReader, records: list[AccessRequest], deciders: Deciders | None) -> Evidence:
    """Return what the store tells beside these records."""
    imports = AuditQuery(activities=frozenset({Activity.IMPORT}), order=AuditOrder.NEWEST)
    last_import = next(entries(store, imports), None)
    return Evidence(
        tenant_id=store.tenant_id,
        records=records,
        related=_related(store, records) if last_import is not None else records,
        closed=_closed(store),
        raised_by=_raised_by(store, records),
        imported_at=None if last_import is None else last_import.time,
        deciders=deciders,
    )


def requests(store: RequestReader, query: RequestQuery) -> Iterator[AccessRequest]:
    """Yield the requests of a query, page by page."""
    return each_row(lambda cursor: store.page(query, top=LARGEST_PAGE, cursor=cursor), most=None, ahead=store.is_remote)


def entries(store: RequestReader, query: AuditQuery) -> Iterator[AuditEntry]:
    """Yield the entries of a query, page by page."""
    return each_row(lambda cursor: store.audit_page(query, top=LARGEST_PAGE, cursor=cursor), most=None, ahead=False)


def read_deciders(files: Collection[Path], table: RoleTable) -> Deciders | None:
    """Return who may decide by an export of role assignments, None without one. Raises UnreadableExport."""
    if not files:
        return None
    from supportaccess.sources.entra.role_assignments import read_role_assignments

    return deciders_of(read_role_assignments(list(files)), table)


def read_role_table(path: Path | None) -> RoleTable:
    """Return the role table in a file, or the one that comes with the program. Raises InvalidInput."""
    if path is None:
        return shipped_role_table()
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_TABLE + 1)
    except OSError as error:
        raise InvalidInput(f"the role table {path} cannot be read: {error.strerror}") from None
    return parse_role_table(data, str(path))


def _related(store: RequestReader, records: Iterable[AccessRequest]) -> list[AccessRequest]:
    """Return every request of the records' support requests."""
    tickets = {record.support_request_id for record in records if record.support_request_id is not None}
    if len(tickets) <= _TICKETS_ASKED:
        each = (requests(store, RequestQuery(support_request_id=ticket)) for ticket in sorted(tickets))
        return list(chain.from_iterable(each))
    return [record for record in requests(store, RequestQuery()) if record.support_request_id in tickets]


def _closed(store: RequestReader) -> dict[str, datetime]:
    """Return when each support request of the tenant was closed. The access that ended by it has entries of its own."""
    closings = entries(store, AuditQuery(activities=frozenset({Activity.SUPPORT_REQUEST_CLOSED})))
    return {
        entry.support_request_id: entry.time
        for entry in closings
        if entry.support_request_id is not None and entry.access_request_id is None
    }


def _raised_by(store: RequestReader, records: Iterable[AccessRequest]) -> dict[str, Actor]:
    """Return who raised each request that was approved, as far as this tenant's log has its creation."""
    ids = iter(
        [record.id for record in records if record.source is Source.STORE and record.status.counts_as in WAS_APPROVED]
    )
    found: dict[str, Actor] = {}
    created = frozenset({Activity.REQUEST_CREATED})
    while some := frozenset(islice(ids, _IDS_AT_ONCE)):
        for entry in entries(store, AuditQuery(access_request_ids=some, activities=created)):
            if entry.access_request_id is not None:
                found[entry.access_request_id] = entry.actor
    return found
