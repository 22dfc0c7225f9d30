"""Azure resource IDs, as the exports of diagnostic settings name the tenant in them."""

import re

_TENANT = re.compile(r"/tenants/([^/]+)", re.IGNORECASE)


def tenant_of_resource(resource_id: str | None) -> str | None:
    """Return the tenant of an ID such as /tenants/<tenant ID>/providers/Microsoft.aadiam; None if it names none."""
    match = _TENANT.match(resource_id) if resource_id else None
    return match[1] if match else None
