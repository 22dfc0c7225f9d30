"""Who may do what."""

from enum import StrEnum

from supportaccess.domain.records import Actor
from supportaccess.errors import Forbidden
from supportaccess.structs import Struct


class Permission(StrEnum):
    """What a caller may be allowed. The names are those of the API."""

    READ_REQUESTS = "AccessRequests.Read"
    DECIDE = "AccessRequests.Decide"
    RAISE = "AccessRequests.Raise"
    READ_AUDIT = "AuditEvents.Read"
    WRITE_SOURCE_EVENTS = "SourceEvents.Write"


MAY_SEE_HEAD = (Permission.READ_AUDIT, Permission.READ_REQUESTS)
"""Of these one is enough to see a log's head: it tells how much there is, and nothing of what."""


class Caller(Struct, frozen=True, kw_only=True):
    """Somebody proven to be an actor of one tenant, with what they may do there."""

    tenant_id: str
    actor: Actor
    permissions: frozenset[Permission]

    def require(self, permission: Permission, *others: Permission) -> None:
        """Raise Forbidden, naming the first, unless the caller holds one of the permissions in their tenant."""
        if self.permissions.isdisjoint({permission, *others}):
            held = ", ".join(sorted(self.permissions)) or "none"
            raise Forbidden(f"this needs the permission {permission} in tenant {self.tenant_id}; held: {held}")
