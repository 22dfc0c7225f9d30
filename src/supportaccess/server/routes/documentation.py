"""The description of the API: for programs, and for people."""

from collections.abc import Sequence

import msgspec

from supportaccess.server.web import openapi
from supportaccess.server.web.page import page as page_of
from supportaccess.server.web.replies import Reply
from supportaccess.server.web.routing import Operation, Visit, route

_HTML = "text/html; charset=utf-8"
_NOTHING_FROM_ELSEWHERE = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def routes(operations: Sequence[Operation]) -> tuple[Operation, ...]:
    """Return the routes that describe the others."""
    described = openapi.document(operations)
    document, page = msgspec.json.encode(described), page_of(described)

    @route("GET", "/openapi.json", "Get the description of the API (OpenAPI 3.1)", signed_in=False)
    async def as_json(visit: Visit) -> Reply:  # noqa: ARG001 - everybody gets the same
        return Reply(document)

    @route("GET", "/docs", "Read the description of the API", signed_in=False, media_type=_HTML)
    async def as_page(visit: Visit) -> Reply:  # noqa: ARG001 - everybody gets the same
        return Reply(page, media_type=_HTML, headers=[("content-security-policy", _NOTHING_FROM_ELSEWHERE)])

    return as_json, as_page
