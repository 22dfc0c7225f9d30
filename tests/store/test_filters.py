"""The description of the filters is whole, and what is sent of a query is what the server reads."""

from datetime import datetime, timedelta, timezone

import pytest
from tests.support.people import HOME, START

from supportaccess.domain.audit import Activity
from supportaccess.domain.records import Status
from supportaccess.server.web.queries import AuditListQuery, RequestCountQuery, RequestListQuery, read_query
from supportaccess.store.filters import AUDIT_CONDITIONS, REQUEST_CONDITIONS, AuditFilters, RequestFilters
from supportaccess.store.http.lists import encoded, parameters_of
from supportaccess.store.protocol import AuditOrder, AuditQuery, Order, RequestQuery

ELSEWHERE = datetime(2026, 11, 23, 17, 30, 0, 5, tzinfo=timezone(timedelta(hours=5, minutes=30)))
REQUESTS = RequestQuery(
    statuses=frozenset({Status.PENDING, Status.EXPIRED}),
    approved_access=True,
    support_request_id="1 &2",
    resource_tenant_id=HOME,
    engineer="Zoë",
    search="100%",
    since=START,
    until=ELSEWHERE,
    order=Order.NEWEST,
)
SENT = (
    "status=expired&status=pending&approvedAccess=true&supportRequestId=1%20%262"
    f"&resourceTenantId={HOME}&engineer=Zo%C3%AB&search=100%25"
    "&since=2026-03-01T09%3A30%3A00Z&until=2026-11-23T12%3A00%3A00.000005Z"
)
ENTRIES = AuditQuery(
    access_request_ids=frozenset({"b", "a"}),
    activities=frozenset({Activity.IMPORT}),
    actor="Ada",
    since=START,
    after_sequence=0,
    order=AuditOrder.NEWEST,
)


def test_every_filter_says_what_it_finds() -> None:
    """Each field has a condition, but for the two that choose the statements themselves."""
    assert {*REQUEST_CONDITIONS, "statuses", "approved_access"} == set(RequestFilters.__struct_fields__)
    assert set(AUDIT_CONDITIONS) == set(AuditFilters.__struct_fields__)


def test_a_query_is_sent_by_the_names_of_its_fields() -> None:
    """What is given is sent, sets sorted and times in UTC; a count is asked for without an order."""
    assert encoded(parameters_of(REQUESTS, RequestQuery)) == f"{SENT}&orderBy=-createdAt"
    assert encoded(parameters_of(REQUESTS, RequestFilters)) == SENT
    assert encoded(parameters_of(RequestQuery(), RequestQuery)) == "orderBy=attention"
    assert encoded(parameters_of(ENTRIES, AuditQuery)) == (
        "accessRequestId=a&accessRequestId=b&activity=Import&actor=Ada&since=2026-03-01T09%3A30%3A00Z"
        "&afterSequence=0&orderBy=-sequence"
    )


@pytest.mark.parametrize(
    ("query", "kind", "reader"),
    [
        (REQUESTS, RequestQuery, RequestListQuery),
        (REQUESTS, RequestFilters, RequestCountQuery),
        (ENTRIES, AuditQuery, AuditListQuery),
    ],
)
def test_what_is_sent_is_what_is_read(
    query: RequestQuery | AuditQuery,
    kind: type[RequestFilters | AuditFilters],
    reader: type[RequestFilters | AuditFilters],
) -> None:
    """The server has the same filters as the client, whatever a filter takes."""
    read = read_query(reader, encoded(parameters_of(query, kind)).encode())

    assert [getattr(read, name) for name in kind.__struct_fields__] == [
        getattr(query, name) for name in kind.__struct_fields__
    ]
