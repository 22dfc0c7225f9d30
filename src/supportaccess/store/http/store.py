"""The request store over HTTP: a call of the protocol is a route of the REST API."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from supportaccess.domain.audit import AuditEntry
from supportaccess.domain.events import EventPage
from supportaccess.domain.expiry import Limit
from supportaccess.domain.lifecycle import NewRequest
from supportaccess.domain.records import AccessRequest, canonical_json
from supportaccess.domain.source_events import SourceEvent
from supportaccess.errors import (
    InvalidInput,
    NotSignedIn,
    OutcomeUnknown,
    ProofRequired,
    StoreRefused,
    StoreUnavailable,
)
from supportaccess.store import wire
from supportaccess.store.filters import AuditFilters, RequestFilters
from supportaccess.store.http.client import ANSWER_SECONDS, KEY_HEADER, Client
from supportaccess.store.http.lists import Pages, Parameters, encoded, parameters_of, segment
from supportaccess.store.http.refusals import ClaimsWanted
from supportaccess.store.http.transport import Answer
from supportaccess.store.protocol import AuditPage, AuditQuery, Imported, LogHead, Page, RequestQuery

if TYPE_CHECKING:
    from supportaccess.store.verification import Verification


class Token(Protocol):
    """Gives an access token of one tenant, as often as one is needed."""

    def __call__(self, claims: str | None = None, /) -> str:
        """Return a token; with `claims`, one whose sign-in meets them. Raises NotSignedIn."""
        ...


_LONG = 900.0
"""Seconds for what grows with the log: a verification, an import."""
_RUN_AGAIN = "Run the command again: what was done already stands, and is not done twice."
_TAG = r'"[\x21\x23-\x7e]*"'
"""A strong entity tag (RFC 9110, section 8.8.3). What is none is of no record, and sent as one that matches none."""
_LOOK_FIRST = "See whether it is there before you raise it again: supportaccess list --support-request {}"

T = TypeVar("T")


class Notice(Protocol):
    """Is told after each answer what it says of the audit log. Raises VerificationFailed, not after a change."""

    def __call__(self, header: str | None, *, changed: bool) -> None:
        """Take the header of an answer, or None without one."""
        ...


def unnoticed(header: str | None, *, changed: bool) -> None:
    """Take no notice."""


class HttpStore:
    """A RequestStore at an endpoint. `token` signs in to the tenant, `also` to others, for what needs both.

    `mend` tells what to do when the server does not take the token.
    """

    def __init__(
        self,
        client: Client,
        tenant_id: str,
        token: Token,
        *,
        also: Mapping[str, Token] | None = None,
        mend: Callable[[], str] | None = None,
        notice: Notice = unnoticed,
    ) -> None:
        self._client = client
        self._tenant_id = tenant_id
        self._token = token
        self._mend = mend
        self._notice = notice
        self._also = {other: proof for other, proof in (also or {}).items() if other != tenant_id}

    @property
    def tenant_id(self) -> str:
        """The tenant whose view this is."""
        return self._tenant_id

    @property
    def is_remote(self) -> bool:
        """Whether an answer has a way to go."""
        return True

    def page(self, query: RequestQuery, *, top: int, cursor: str | None = None) -> Page:
        """Return a page of requests."""
        pages = Pages(self._client.endpoint, "/v1/access-requests", parameters_of(query, RequestQuery))
        found = self._get(pages.place(cursor, top), wire.RequestList)
        return Page(value=found.value, next=pages.cursor(found.next_link))

    def count(self, query: RequestFilters, *, at_most: int) -> int:
        """Return how many requests there are, no further than `at_most`."""
        parameters = [*parameters_of(query, RequestFilters), ("atMost", str(max(at_most, 1)))]
        return min(self._get(_path("/v1/access-requests/count", parameters), wire.Count).count, at_most)

    def get(self, request_id: str) -> AccessRequest:
        """Return one request."""
        return self._get(_of(request_id), AccessRequest)

    def find(self, text: str, *, top: int) -> list[AccessRequest]:
        """Return the requests that a prefix of an ID or a support request ID names."""
        path = _path("/v1/access-requests/find", [("text", text), ("top", str(top))])
        return self._get(path, wire.RequestList).value

    def events(self, *, after: int | None, top: int) -> EventPage:
        """Return what happened from a place in the audit log on."""
        place = [] if after is None else [("after", str(after))]
        return self._get(_path("/v1/access-requests/events", [*place, ("top", str(top))]), EventPage)

    def raise_request(self, asked: NewRequest, *, key: str) -> AccessRequest:
        """Create a request."""
        look_first = _LOOK_FIRST.format(asked.support_request_id)
        return self._post("/v1/access-requests", asked, AccessRequest, key=key, if_unknown=look_first)

    def approve(
        self, request_id: str, *, etag: str, key: str, limit: Limit | None = None, reason: str | None = None
    ) -> AccessRequest:
        """Open the access. Only when the server asks for it does the resource tenant's token go along."""
        bounds = None if limit is None else wire.LimitBody(seconds=limit.seconds, until=limit.until)
        body = wire.ApproveBody(reason=reason, limit=bounds)
        try:
            return self._decide(request_id, "approve", body, etag=etag, key=key)
        except ProofRequired as refused:
            tenant_id = refused.resource_tenant_id or ""
            if tenant_id not in self._also:
                raise
            return self._decide(request_id, "approve", body, etag=etag, key=key, also=tenant_id)

    def reject(self, request_id: str, *, etag: str, key: str, reason: str) -> AccessRequest:
        """Refuse the request."""
        return self._decide(request_id, "reject", wire.RejectBody(reason=reason), etag=etag, key=key)

    def revoke(self, request_id: str, *, etag: str, key: str, reason: str | None = None) -> AccessRequest:
        """End open access."""
        return self._decide(request_id, "revoke", wire.ReasonBody(reason=reason), etag=etag, key=key)

    def withdraw(self, request_id: str, *, etag: str, key: str, reason: str | None = None) -> AccessRequest:
        """Take a pending request back."""
        return self._decide(request_id, "withdraw", wire.ReasonBody(reason=reason), etag=etag, key=key)

    def close(self, support_request_id: str, *, key: str) -> list[AccessRequest]:
        """Close a support request."""
        path = f"/v1/support-requests/{segment(support_request_id)}/close"
        return self._post(path, wire.CloseBody(), wire.RequestList, key=key).value

    def audit_page(self, query: AuditQuery, *, top: int, cursor: str | None = None) -> AuditPage:
        """Return a page of audit entries."""
        pages = Pages(self._client.endpoint, "/v1/audit-events", parameters_of(query, AuditQuery))
        found = self._get(pages.place(cursor, top), wire.AuditList)
        return AuditPage(value=found.value, next=pages.cursor(found.next_link))

    def audit_count(self, query: AuditFilters) -> int:
        """Return how many audit entries there are."""
        return self._get(_path("/v1/audit-events/count", parameters_of(query, AuditFilters)), wire.Count).count

    def history(self, request_id: str) -> list[AuditEntry]:
        """Return the audit entries of one request, under every ID that it had."""
        return self._get(_of(request_id, "/history"), wire.AuditList).value

    def log_head(self) -> LogHead:
        """Return the head of the audit log."""
        return self._get("/v1/audit-events/checkpoint", LogHead)

    def verify(self) -> "Verification":
        """Let the server hold the audit log against everything it vouches for."""
        from supportaccess.store.verification import Verification

        return self._get("/v1/audit-events/verification", Verification, patience=_LONG)

    def import_events(
        self, events: Iterable[SourceEvent], *, key: str, details: Mapping[str, str | int], dry_run: bool = False
    ) -> Imported:
        """Take a provider's events in: written to a temporary file first, so that they can be sent again."""
        from supportaccess.store.http.spool import spooled

        path = "/v1/source-events" + ("?dryRun=true" if dry_run else "")
        with spooled(wire.ImportHead(details=dict(details)), events) as (body, size):
            own = {KEY_HEADER: _checked(key), "Content-Type": "application/x-ndjson", "Content-Length": str(size)}
            answer = self._signed_in(
                lambda tokens: self._client.post(path, tokens | own, body, if_unknown=_RUN_AGAIN, patience=_LONG),
                also=list(self._proofs()),
            )
        self._notice(answer.headers.get(wire.CHECKPOINT_HEADER), changed=True)
        return _decoded(answer, Imported, if_unknown=_RUN_AGAIN)

    def source_events(self, request_id: str) -> list[SourceEvent]:
        """Return the events that a mirror was rebuilt from."""
        return self._get(_of(request_id, "/source-events"), wire.SourceEventList).value

    def me(self) -> wire.Me:
        """Return who the caller is to the server. Raises NotSignedIn."""
        return self._get("/v1/me", wire.Me)

    def _get(self, path: str, kind: type[T], *, patience: float = ANSWER_SECONDS) -> T:
        answer = self._signed_in(lambda tokens: self._client.get(path, tokens, patience=patience))
        self._notice(answer.headers.get(wire.CHECKPOINT_HEADER), changed=False)
        return _decoded(answer, kind)

    def _decide(
        self, request_id: str, act: str, body: wire.Body, *, etag: str, key: str, also: str | None = None
    ) -> AccessRequest:
        path, tag = _of(request_id, f"/{act}"), etag if re.fullmatch(_TAG, etag) else '""'
        return self._post(path, body, AccessRequest, key=key, headers={"If-Match": tag}, also=also)

    def _post(
        self,
        path: str,
        body: wire.Body | NewRequest,
        kind: type[T],
        *,
        key: str,
        if_unknown: str = _RUN_AGAIN,
        headers: Mapping[str, str] | None = None,
        also: str | None = None,
    ) -> T:
        own = {KEY_HEADER: _checked(key), "Content-Type": "application/json", **(headers or {})}
        data = canonical_json(body)
        answer = self._signed_in(
            lambda tokens: self._client.post(path, tokens | own, data, if_unknown=if_unknown),
            also=[] if also is None else [(also, self._also[also]())],
        )
        self._notice(answer.headers.get(wire.CHECKPOINT_HEADER), changed=True)
        return _decoded(answer, kind, if_unknown=if_unknown)

    def _signed_in(self, send: Callable[[dict[str, str]], Answer], *, also: Sequence[tuple[str, str]] = ()) -> Answer:
        """Send something with a token, and those of other tenants `also`.

        Where the server asks for a stronger sign-in to one of the tenants, it is sent again with that, once for each.
        """
        own, others = self._token(), dict(also)
        met: set[str] = set()
        while True:
            headers = {"Authorization": f"Bearer {own}"}
            if proofs := ", ".join(f"Bearer {token}" for token in others.values()):
                headers[wire.AUXILIARY_HEADER] = proofs
            try:
                return send(headers)
            except ClaimsWanted as wanted:
                tenant_id = wanted.tenant_id or self._tenant_id
                if tenant_id in met or (tenant_id != self._tenant_id and tenant_id not in others):
                    raise
                met.add(tenant_id)
                if tenant_id == self._tenant_id:
                    own = self._token(wanted.claims)
                else:
                    others[tenant_id] = self._also[tenant_id](wanted.claims)
            except NotSignedIn as refused:
                if self._mend is not None:
                    refused.hint = self._mend()
                raise

    def _proofs(self) -> Iterator[tuple[str, str]]:
        """Yield tokens of other tenants, as many as may be sent; a tenant without one is left out."""
        left = wire.MOST_AUXILIARY_TOKENS
        for tenant_id, token in self._also.items():
            if not left:
                return
            with suppress(NotSignedIn):
                yield tenant_id, token()
                left -= 1


def discover(client: Client) -> wire.Discovery:
    """Return what a server says of itself to anyone."""
    return discovery_in(client.get(wire.DISCOVERY_PATH, {}))


def discovery_in(answer: Answer) -> wire.Discovery:
    """Return what an answer says of the server. Raises StoreRefused, StoreUnavailable for what is none."""
    return _decoded(answer, wire.Discovery)


def _decoded(answer: Answer, kind: type[T], *, if_unknown: str | None = None) -> T:
    """Return what an answer holds; `if_unknown` is what to do when one to a change cannot be read."""
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except msgspec.ValidationError as error:
        message = f"the server answered with something that this version does not know: {error}"
        if if_unknown is not None:
            raise OutcomeUnknown(f"{message}; whether it was done is not known", hint=if_unknown) from error
        raise StoreRefused(message, hint="pip install --upgrade supportaccess") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        message = f"the server's answer cannot be read: {error}"
        if if_unknown is not None:
            raise OutcomeUnknown(f"{message}; whether it was done is not known", hint=if_unknown) from error
        raise StoreUnavailable(message, hint="Is something between? supportaccess doctor") from error


def _of(request_id: str, what: str = "") -> str:
    return f"/v1/access-requests/{segment(request_id)}{what}"


def _path(path: str, parameters: Parameters) -> str:
    return f"{path}?{encoded(parameters)}"


def _checked(key: str) -> str:
    """Return the key. Raises InvalidInput for what a header cannot hold."""
    if not (key.isascii() and key.isprintable()):
        raise InvalidInput("an idempotency key has printable ASCII characters alone")
    return key
