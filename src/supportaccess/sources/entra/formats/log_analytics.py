"""Rows of the table AuditLogs in Log Analytics and Sentinel.

Columns: https://learn.microsoft.com/azure/azure-monitor/reference/tables/auditlogs
"""

from supportaccess.sources.entra.formats.azure_resources import tenant_of_resource
from supportaccess.sources.readers.fields import Fields, get, text

_ONLY_HERE = ("TimeGenerated", "AADTenantId", "AADOperationType", "OperationName")


def looks_like(row: Fields) -> bool:
    """Tell whether the item is a row: it has a column that Graph has no field for."""
    return any(get(row, name) is not None for name in _ONLY_HERE)


def as_directory_audit(row: Fields) -> Fields:
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


def tenants(row: Fields) -> list[str]:
    """Return the tenants that the row names as its own, of which TenantId is none: it is the workspace's ID."""
    named = (text(row, "AADTenantId"), tenant_of_resource(text(row, "ResourceId")))
    return [tenant for tenant in named if tenant]
