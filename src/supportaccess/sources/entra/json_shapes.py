"""The shapes that events of the audit log have in exports of JSON. Each is brought into Graph's, which `events` reads.

Graph: the resource type directoryAudit, https://learn.microsoft.com/graph/api/resources/directoryaudit
Log Analytics and Sentinel: rows of the table AuditLogs,
https://learn.microsoft.com/azure/azure-monitor/reference/tables/auditlogs
Azure Monitor: lines that diagnostic settings export to storage or an event hub. Each wraps an event of one log, by the
name of its category; those of AuditLogs have the event in `properties`, in Graph's shape. That is an inference:
Microsoft documents the wrapper only.
"""

import re

from supportaccess.sources.readers.fields import Fields, get, mapping, text

_NEVER_NULL = ("activityDateTime", "activityDisplayName")
_ONLY_IN_LOG_ANALYTICS = ("TimeGenerated", "AADTenantId", "AADOperationType", "OperationName")
_AUDIT_LOGS = "auditlogs"
_OUTSIDE = {
    "activityDateTime": "time",
    "activityDisplayName": "operationName",
    "correlationId": "correlationId",
}
"""What the wrapper of Azure Monitor says where the event within does not."""
_TENANT = re.compile(r"/tenants/([^/]+)", re.IGNORECASE)


def is_graph(item: Fields) -> bool:
    """Tell whether the item is spelled as Graph does."""
    return any(name in item for name in _NEVER_NULL)


def may_be_graph(item: Fields) -> bool:
    """Tell whether it may be Graph's: the PowerShell module of Graph capitalises the names."""
    return any(get(item, name) for name in _NEVER_NULL)


def is_log_analytics(row: Fields) -> bool:
    """Tell whether the item is a row: it has a column that Graph has no field for."""
    return any(get(row, name) is not None for name in _ONLY_IN_LOG_ANALYTICS)


def from_log_analytics(row: Fields) -> Fields:
    """Return the row in Graph's shape."""
    return {
        "id": get(row, "Id"),
        "activityDateTime": get(row, "ActivityDateTime") or get(row, "TimeGenerated"),
        "activityDisplayName": get(row, "ActivityDisplayName") or get(row, "OperationName"),
        "category": get(row, "Category"),
        "loggedByService": get(row, "LoggedByService"),
        "result": get(row, "Result") or get(row, "ResultType"),
        "correlationId": get(row, "CorrelationId"),
        "initiatedBy": get(row, "InitiatedBy"),
        "targetResources": get(row, "TargetResources"),
        "additionalDetails": get(row, "AdditionalDetails"),
    }


def tenants_of_log_analytics(row: Fields) -> list[str]:
    """Return the tenants that the row names as its own, of which TenantId is none: it is the workspace's ID."""
    named = (text(row, "AADTenantId"), tenant_of_resource(text(row, "ResourceId")))
    return [tenant for tenant in named if tenant]


def is_azure_monitor(record: Fields) -> bool:
    """Tell whether the item is a line of Azure Monitor's."""
    return get(record, "properties") is not None and get(record, "category") is not None


def from_azure_monitor(record: Fields) -> Fields:
    """Return the wrapped event; an empty one if the line is of another log."""
    if (text(record, "category") or "").strip().casefold() != _AUDIT_LOGS:
        return {}
    event = dict(mapping(record, "properties"))
    for name, outer in _OUTSIDE.items():
        if not get(event, name):
            event[name] = get(record, outer)
    return event


def tenants_of_azure_monitor(record: Fields) -> list[str]:
    """Return the tenants that the line names as its own."""
    named = (text(record, "tenantId"), tenant_of_resource(text(record, "resourceId")))
    return [tenant for tenant in named if tenant]


def tenant_of_resource(resource_id: str | None) -> str | None:
    """Return the tenant of an ID such as /tenants/<tenant ID>/providers/Microsoft.aadiam; None if it names none."""
    match = _TENANT.match(resource_id) if resource_id else None
    return match[1] if match else None
