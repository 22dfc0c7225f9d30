"""Lines that Azure Monitor's diagnostic settings export to storage or an event hub.

Each wraps an event of one log, named by its category; those of AuditLogs have the event in `properties`, in Graph's
shape. That is an inference from examples: Microsoft documents the wrapper only.
"""

from supportaccess.sources.entra.formats.azure_resources import tenant_of_resource
from supportaccess.sources.readers.fields import Fields, get, mapping, text

_AUDIT_LOGS = "auditlogs"


def looks_like(record: Fields) -> bool:
    """Tell whether the item is such a line."""
    return get(record, "properties") is not None and get(record, "category") is not None


def as_directory_audit(record: Fields) -> Fields:
    """Return the wrapped event; an empty one if the line is of another log."""
    if (text(record, "category") or "").strip().casefold() != _AUDIT_LOGS:
        return {}
    event = dict(mapping(record, "properties"))
    for name, outer in _FALLBACKS.items():
        if not get(event, name):
            event[name] = get(record, outer)
    return event


_FALLBACKS = {
    "activityDateTime": "time",
    "activityDisplayName": "operationName",
    "correlationId": "correlationId",
}


def tenants(record: Fields) -> list[str]:
    """Return the tenants that the line names as its own."""
    named = (text(record, "tenantId"), tenant_of_resource(text(record, "resourceId")))
    return [tenant for tenant in named if tenant]
