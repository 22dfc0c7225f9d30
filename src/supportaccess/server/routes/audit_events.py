"""The audit log of the caller's tenant: its entries, and the signed heads, receipts and tiles that prove them."""

from supportaccess.domain.attempts import Act
from supportaccess.domain.permissions import Permission
from supportaccess.errors import NotFound
from supportaccess.server.routes.access_requests import next_link
from supportaccess.server.web.queries import AuditListQuery, HeadQuery, TileQuery
from supportaccess.server.web.replies import Reply
from supportaccess.server.web.routing import Call, route
from supportaccess.store.filters import AuditFilters
from supportaccess.store.verification import Verification
from supportaccess.store.wire import AuditList, Count
from supportaccess.tlog.files import SignedHead
from supportaccess.tlog.tiles import Tile

_ALL = "/v1/audit-events"
_BINARY = "application/octet-stream"


@route("GET", _ALL, "List audit entries", permission=Permission.READ_AUDIT, act=Act.READ_LOG)
async def page(call: Call, query: AuditListQuery) -> AuditList:
    """Return a page, in the order of the log unless asked otherwise."""
    found = await call.read(lambda store: store.audit_page(query, top=query.top, cursor=query.skip_token))
    return AuditList(value=found.value, next_link=next_link(call, found.next))


@route("GET", f"{_ALL}/count", "Count audit entries", permission=Permission.READ_AUDIT, act=Act.COUNT_LOG)
async def count(call: Call, query: AuditFilters) -> Count:
    """Return how many entries there are."""
    return Count(count=await call.read(lambda store: store.audit_count(query)))


@route("GET", f"{_ALL}/verification", "Verify the audit log", permission=Permission.READ_AUDIT, act=Act.VERIFY)
async def verification(call: Call) -> Verification:
    """Recompute the log's tree, and hold it against head, records and raw events."""
    return await call.read_long(lambda store: store.verify())


@route("GET", f"{_ALL}/checkpoint", "Get the signed head of the audit log", act=Act.HEAD)
async def checkpoint(call: Call, query: HeadQuery) -> SignedHead:
    """Return the head, signed, and what shows that it goes on from an earlier size."""
    return await call.prove(lambda proofs: proofs.head(query.earlier_size))


@route(
    "GET",
    f"{_ALL}/{{sequence}}/receipt",
    "Get the receipt of an audit entry",
    permission=Permission.READ_AUDIT,
    act=Act.RECEIPT,
    media_type="text/plain",
)
async def receipt(call: Call, sequence: str) -> Reply:
    """Return the entry and its proof, in one file that verifies by itself."""
    place = _number(sequence)
    return Reply(await call.prove(lambda proofs: proofs.receipt(place)), media_type="text/plain; charset=utf-8")


@route(
    "GET",
    f"{_ALL}/tiles/{{level}}/{{index}}",
    "Get a tile of the audit log's tree",
    permission=Permission.READ_AUDIT,
    act=Act.TILE,
    media_type=_BINARY,
)
async def tile(call: Call, level: str, index: str, query: TileQuery) -> Reply:
    """Return the hashes of a tile, as c2sp.org/tlog-tiles has it."""
    wanted = Tile(level=_number(level), index=_number(index), width=query.width)
    return _bytes(await call.read_proofs(lambda proofs: proofs.tile(wanted)))


@route(
    "GET",
    f"{_ALL}/bundles/{{index}}",
    "Get a bundle of audit entries",
    permission=Permission.READ_AUDIT,
    act=Act.BUNDLE,
    media_type=_BINARY,
)
async def bundle(call: Call, index: str, query: TileQuery) -> Reply:
    """Return the entries under a tile of level 0, each with its length before it."""
    wanted = Tile(level=0, index=_number(index), width=query.width)
    return _bytes(await call.read_proofs(lambda proofs: proofs.bundle(wanted)))


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise NotFound(f"the log has no place {text}")
    return int(text)


def _bytes(data: bytes | None) -> Reply:
    if data is None:
        raise NotFound("the log has not so many entries")
    return Reply(data, media_type=_BINARY)


ROUTES = (page, count, verification, checkpoint, receipt, tile, bundle)
