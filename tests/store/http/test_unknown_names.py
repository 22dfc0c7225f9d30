"""What a server of a later version answers is taken as it is, whatever names are in it."""

from typing import Any

import pytest
from tests.store.http.scripted import Server, answer
from tests.support.people import HOME

from supportaccess.store.http.store import HttpStore
from supportaccess.store.protocol import AuditQuery, RequestQuery

ID = "99999999-9999-4999-8999-999999999999"
TIME = "2026-03-01T09:30:00Z"
ACTOR = {"kind": "agent", "objectId": "agent-7"}
RECORD: dict[str, Any] = {
    "id": ID,
    "status": "suspended",
    "source": "someVendor",
    "side": "both",
    "supportRequestTenantId": HOME,
    "scope": "identityDiagnosticData",
    "accessLevel": "read",
    "decidedBy": ACTOR,
    "endReason": "policyViolation",
    "updatedAt": TIME,
    "mirror": {"confidence": "guessed", "events": 1},
}
ENTRY: dict[str, Any] = {
    "formatVersion": 1,
    "sequence": 0,
    "time": TIME,
    "tenantId": HOME,
    "activity": "Access suspended",
    "actor": ACTOR,
    "statusBefore": "approved",
    "statusAfter": "suspended",
    "details": {"operation": "suspend"},
}


def test_records(server: Server, store: HttpStore) -> None:
    """One record of a list with unknown names does not keep the others from being read."""
    known = {**RECORD, "status": "pending", "source": "store", "id": HOME}
    server.will(answer(200, {"value": [RECORD, known]}), answer(200, RECORD, {"ETag": '"1"'}))
    first, second = store.page(RequestQuery(), top=5).value

    assert (first.status, first.source, first.end_reason) == ("suspended", "someVendor", "policyViolation")
    assert first.mirror is not None
    assert first.mirror.confidence == "guessed"
    assert first.decided_by is not None
    assert (first.decided_by.kind, second.status.is_known) == ("agent", True)
    assert store.get(ID) == first


def test_entries_and_events(server: Server, store: HttpStore) -> None:
    """Entries and events are read with activities, statuses and names of events that are unknown."""
    told = {"id": "evt_1", "what": "suspended", "time": TIME, "tenantId": HOME, "accessRequestId": ID, "record": RECORD}
    server.will(
        answer(200, {"value": [ENTRY]}),
        answer(200, {"value": [ENTRY]}),
        answer(200, {"value": [told], "next": 1, "size": 1}),
    )
    (entry,) = store.audit_page(AuditQuery(), top=5).value
    assert store.history(ID) == [entry]
    (event,) = store.events(after=0, top=5).value

    assert (entry.activity, entry.status_after, entry.actor.kind) == ("Access suspended", "suspended", "agent")
    assert entry.details == {"operation": "suspend"}
    assert event.what == "suspended"


def test_verdicts(server: Server, store: HttpStore) -> None:
    """A verdict that is unknown is still a finding."""
    finding = {"verdict": "backdated", "message": "entry 3 is older than entry 2"}
    head = {"size": 1, "root": "00"}
    told = {"entries": 1, "accessRequests": 1, "sourceEvents": 0, "head": head, "findings": [finding]}
    server.will(answer(200, told))
    (found,) = store.verify().findings

    assert (found.verdict, found.verdict.is_known) == ("backdated", False)


@pytest.mark.parametrize("field", ["status", "source"])
@pytest.mark.parametrize("value", ["", "x" * 129, 1])
def test_what_is_no_name_is_refused(server: Server, store: HttpStore, field: str, value: object) -> None:
    """A name without an end, or of another type, is not taken."""
    server.will(answer(200, {"value": [{**RECORD, field: value}]}))
    with pytest.raises(Exception, match="does not know"):
        store.page(RequestQuery(), top=5)
