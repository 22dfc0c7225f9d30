"""Exports in every form, built from a few words."""

import csv
import gzip
import io
import json
from collections.abc import Iterable
from typing import Any

import pytest

from supportaccess.domain.source_events import SourceEvent
from supportaccess.errors import UnreadableExport
from supportaccess.sources.entra.export import Export, Format
from supportaccess.sources.entra.portal_csv import COLUMNS

TENANT = "8d3fc0a1-5a52-4c6e-9c0e-3f5b0a6d2e71"
OTHER_TENANT = "11111111-2222-4333-8444-555555555555"
CATEGORY = "MicrosoftSupportAccessManagement"
REQUEST_ID = "0a1b2c3d-0000-4000-8000-00000000abcd"
CORRELATION_ID = "77777777-8888-4999-8aaa-bbbbbbbbbbbb"
USER = {"id": "user-1", "displayName": "Ada Admin", "userPrincipalName": "ada@example.com"}
APP = {"appId": None, "displayName": "Support Service", "servicePrincipalId": "sp-1", "servicePrincipalName": None}

Json = dict[str, Any]


def event(**changes: Any) -> Json:
    """Return a directoryAudit of Graph that is a step of a support access request."""
    return {
        "id": "Directory_1_A_1",
        "category": CATEGORY,
        "correlationId": CORRELATION_ID,
        "result": "success",
        "resultReason": "",
        "activityDisplayName": "Request approved",
        "activityDateTime": "2026-05-01T12:34:56.1234567Z",
        "loggedByService": "Core Directory",
        "operationType": "Update",
        "initiatedBy": {"user": USER, "app": None},
        "targetResources": [{"id": REQUEST_ID, "displayName": "Support access request", "type": "Other"}],
        "additionalDetails": [{"key": "SupportRequestId", "value": "2605010040001234"}],
        **changes,
    }


def unrelated(**changes: Any) -> Json:
    """Return a directoryAudit that has nothing to do with support access."""
    return event(category="UserManagement", activityDisplayName="Update user", **changes)


def row(**changes: Any) -> Json:
    """Return the same step as a row of Log Analytics."""
    audit = event()
    return {
        "TenantId": "the workspace",
        "TimeGenerated": audit["activityDateTime"],
        "AADTenantId": TENANT,
        "ResourceId": f"/tenants/{TENANT}/providers/Microsoft.aadiam",
        "Id": audit["id"],
        "Category": CATEGORY,
        "CorrelationId": CORRELATION_ID,
        "Result": "success",
        "OperationName": audit["activityDisplayName"],
        "ActivityDisplayName": audit["activityDisplayName"],
        "ActivityDateTime": audit["activityDateTime"],
        "LoggedByService": "Core Directory",
        "InitiatedBy": audit["initiatedBy"],
        "TargetResources": audit["targetResources"],
        "AdditionalDetails": audit["additionalDetails"],
        **changes,
    }


def line(**changes: Any) -> Json:
    """Return the same step as Azure Monitor exports it."""
    return {
        "time": "2026-05-01T12:34:56.1234567Z",
        "resourceId": f"/tenants/{TENANT}/providers/Microsoft.aadiam",
        "operationName": "Request approved",
        "category": "AuditLogs",
        "tenantId": TENANT,
        "properties": event(),
        **changes,
    }


def cells(**changes: str) -> dict[str, str]:
    """Return the same step as a record of the portal's CSV; a column's name without its blanks and brackets."""
    filled = {
        "Date (UTC)": changes.pop("date", "2026-05-01T12:34:56.1234567+00:00"),
        "CorrelationId": CORRELATION_ID,
        "Service": "Core Directory",
        "Category": CATEGORY,
        "Activity": "Request approved",
        "Result": "success",
        "ActorType": "User",
        "ActorDisplayName": "Ada Admin",
        "ActorObjectId": "user-1",
        "ActorUserPrincipalName": "ada@example.com",
        "Target1Type": "Other",
        "Target1DisplayName": "Support access request",
        "Target1ObjectId": REQUEST_ID,
        "AdditionalDetail1Key": "SupportRequestId",
        "AdditionalDetail1Value": "2605010040001234",
        **changes,
    }
    return {column: filled.get(column, "") for column in COLUMNS}


def table(*records: dict[str, str], headings: Iterable[str] = COLUMNS) -> bytes:
    """Return the portal's CSV."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(headings)
    writer.writerows(record.values() for record in records)
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def page(*items: object, **members: Any) -> bytes:
    """Return a page of Graph."""
    return json.dumps({"value": items, **members}).encode()


def lines(*items: object) -> bytes:
    """Return JSON lines."""
    return b"".join(json.dumps(item).encode() + b"\n" for item in items)


def query_answer(*rows: Json) -> bytes:
    """Return the answer of the Log Analytics query API."""
    columns = [{"name": name, "type": "string"} for name in row()]
    listed = [list(cells.values()) for cells in rows]
    return json.dumps({"tables": [{"name": "PrimaryResult", "columns": columns, "rows": listed}]}).encode()


def packed(data: bytes) -> bytes:
    """Return the data as gzip."""
    return gzip.compress(data, mtime=0)


def export(data: bytes, form: Format | None = None, *, name: str = "audit.json") -> Export:
    """Return an export over the bytes."""
    return Export(io.BytesIO(data), name=name, tenant_id=TENANT, format=form)


def read(data: bytes, form: Format | None = None) -> list[SourceEvent]:
    """Return the events of an export."""
    return list(export(data, form))


def read_one(item: Json) -> SourceEvent:
    """Return the event that a single item is read as."""
    (found,) = read(page(item))
    return found


def refusal(data: bytes, form: Format | None = None, *, name: str = "audit.json") -> UnreadableExport:
    """Return how the bytes are refused."""
    with pytest.raises(UnreadableExport) as caught:
        list(export(data, form, name=name))
    return caught.value
