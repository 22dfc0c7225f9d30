"""The audit log of the caller's tenant."""

from supportaccess.domain.attempts import Act
from supportaccess.domain.permissions import Permission
from supportaccess.server.routes.access_requests import next_link
from supportaccess.server.web.queries import AuditFilters, AuditListQuery
from supportaccess.server.web.routing import Call, route
from supportaccess.store.verification import Verification
from supportaccess.store.wire import AuditList, Count

_ALL = "/v1/audit-events"


@route("GET", _ALL, "List audit entries", permission=Permission.READ_AUDIT, act=Act.READ_LOG)
async def page(call: Call, query: AuditListQuery) -> AuditList:
    """Return a page, in the order of the log unless asked otherwise."""
    wanted = query.wanted(query.order_by)
    found = await call.read(lambda store: store.audit_page(wanted, top=query.top, cursor=query.skip_token))
    return AuditList(value=found.value, next_link=next_link(call, found.next))


@route("GET", f"{_ALL}/count", "Count audit entries", permission=Permission.READ_AUDIT, act=Act.COUNT_LOG)
async def count(call: Call, query: AuditFilters) -> Count:
    """Return how many entries there are."""
    return Count(count=await call.read(lambda store: store.audit_count(query.wanted())))


@route("GET", f"{_ALL}/verification", "Verify the audit log", permission=Permission.READ_AUDIT, act=Act.VERIFY)
async def verification(call: Call) -> Verification:
    """Recompute the log's tree, and hold it against head, records and raw events."""
    return await call.read_long(lambda store: store.verify())


ROUTES = (page, count, verification)
