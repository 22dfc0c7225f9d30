"""What an access request is: the record that the store keeps, the API sends and the tables show.

One record belongs to one tenant and holds only what that tenant may know. A field that does not apply, or that
the tenant may not know, is absent. All times are UTC.
"""

import base64
from datetime import datetime
from enum import StrEnum
from typing import Annotated, NamedTuple

import msgspec

from supportaccess.errors import InvalidInput
from supportaccess.structs import OpenName, Struct


class Status(OpenName):
    """Where a request stands. All but the first two are final."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    CANCELED = "canceled"
    LAPSED = "lapsed"
    REVOKED = "revoked"
    COMPLETED = "completed"
    EXPIRED = "expired"

    @property
    def counts_as(self) -> "Status":
        """What it is in filters and rules: an unknown one is open access, so that nobody overlooks it."""
        return self if self.is_known else Status.APPROVED

    @property
    def tone(self) -> "Tone":
        """How it is set off: one that is unknown needs attention."""
        return FACTS[self].tone if self.is_known else Tone.WARN


class Tone(StrEnum):
    """How a status is set off where it is shown."""

    WARN = "warn"
    GOOD = "good"
    BAD = "bad"
    QUIET = "quiet"


class Facts(NamedTuple):
    """What a status means. `ended_by_clock` is the open status that the clock alone turns into it."""

    is_open: bool
    was_approved: bool
    tone: Tone
    ended_by_clock: Status | None = None


FACTS = {
    Status.PENDING: Facts(is_open=True, was_approved=False, tone=Tone.WARN),
    Status.APPROVED: Facts(is_open=True, was_approved=True, tone=Tone.GOOD),
    Status.REJECTED: Facts(is_open=False, was_approved=False, tone=Tone.BAD),
    Status.CANCELED: Facts(is_open=False, was_approved=False, tone=Tone.QUIET),
    Status.LAPSED: Facts(is_open=False, was_approved=False, tone=Tone.QUIET, ended_by_clock=Status.PENDING),
    Status.REVOKED: Facts(is_open=False, was_approved=True, tone=Tone.BAD),
    Status.COMPLETED: Facts(is_open=False, was_approved=True, tone=Tone.QUIET),
    Status.EXPIRED: Facts(is_open=False, was_approved=True, tone=Tone.QUIET, ended_by_clock=Status.APPROVED),
}
OPEN = frozenset(status for status, facts in FACTS.items() if facts.is_open)
FINAL = frozenset(FACTS) - OPEN
WAS_APPROVED = frozenset(status for status, facts in FACTS.items() if facts.was_approved)
"""The statuses of a request whose access is open or was open."""
BY_CLOCK = {status: facts.ended_by_clock for status, facts in FACTS.items() if facts.ended_by_clock is not None}
"""The statuses that the clock alone gives, and the open one that each ends."""


class Source(OpenName):
    """Where a record comes from: decided in this store, or a mirror of a provider's record."""

    STORE = "store"
    ENTRA = "entra"


class Side(StrEnum):
    """Which of the two tenants this record is the view of."""

    BOTH = "both"
    SUPPORT_REQUEST = "supportRequest"
    RESOURCE = "resource"


class ActorKind(OpenName):
    """What an actor is. `local` is an operating-system account, vouched for by that machine alone."""

    USER = "user"
    APPLICATION = "application"
    LOCAL = "local"
    SYSTEM = "system"


class Confidence(OpenName):
    """How much of a mirror was read from the provider's record.

    `read`: creation and every later step were read. `partial`: a step before the first event is missing.
    `inferred`: the status rests on an inference.
    """

    READ = "read"
    PARTIAL = "partial"
    INFERRED = "inferred"


Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time that says from where it is: without an offset it cannot be compared."""

IDENTITY_DIAGNOSTIC_DATA = "identityDiagnosticData"
READ = "read"


class Actor(Struct, frozen=True, kw_only=True):
    """Who did something. `(tenant_id, object_id)` names them; the display name is for people only."""

    kind: ActorKind
    tenant_id: str | None = None
    object_id: str | None = None
    display_name: str | None = None

    @property
    def key(self) -> str:
        """What names them within their tenant."""
        return f"{self.kind}:{self.object_id or ''}"


class Engineer(Struct, frozen=True, kw_only=True):
    """The provider's support engineer who asks."""

    id: str | None = None
    display_name: str | None = None


class Mirror(Struct, frozen=True, kw_only=True):
    """What is known about how a mirror came about.

    `inferred` names the fields that rest on an inference, `unplaced` counts the events that fit no step.
    """

    confidence: Confidence
    events: int
    inferred: tuple[str, ...] = ()
    joined_by: str | None = None
    unplaced: int = 0


class AccessRequest(Struct, frozen=True, kw_only=True):
    """An engineer's request to read the data of one tenant, for one support request, as one tenant sees it.

    `ended_at` is when it became final. Access was open from `starts_at` to `ended_at`. `etag` is the quoted hash of
    all the other fields.
    """

    id: str
    support_request_id: str | None = None
    title: str | None = None
    status: Status
    source: Source
    side: Side
    support_request_tenant_id: str | None = None
    resource_tenant_id: str | None = None
    scope: str
    access_level: str
    engineer: Engineer | None = None
    reason: str | None = None
    created_at: Moment | None = None
    decide_by: Moment | None = None
    requested_seconds: int | None = None
    decided_at: Moment | None = None
    decided_by: Actor | None = None
    decision_reason: str | None = None
    starts_at: Moment | None = None
    expires_at: Moment | None = None
    ended_at: Moment | None = None
    ended_by: Actor | None = None
    end_reason: str | None = None
    updated_at: Moment
    etag: str = ""
    mirror: Mirror | None = None


def tenant_of(record: AccessRequest) -> str:
    """Return the tenant whose view the record is."""
    tenant = record.resource_tenant_id if record.side is Side.RESOURCE else record.support_request_tenant_id
    if tenant is None:
        raise ValueError(f"record {record.id} has no tenant of its own")
    return tenant


def canonical_json(value: object) -> bytes:
    """Encode as canonical JSON (RFC 8785).

    Holds for what this program hashes: ASCII member names, no floating-point numbers, integers within 2^53.
    Raises InvalidInput for text that is not valid Unicode.
    """
    try:
        return msgspec.json.encode(value, order="sorted")
    except UnicodeEncodeError:
        raise InvalidInput("what was given is not valid Unicode text") from None


def content_hash(content: object) -> str:
    """Return the SHA-256 (base64url, unpadded) of the canonical JSON of what a record has without its `etag`."""
    from hashlib import sha256  # lists hash nothing

    return base64.urlsafe_b64encode(sha256(canonical_json(content)).digest()).decode().rstrip("=")


def record_hash(record: AccessRequest) -> str:
    """Return the hash of the record's content: of every member but its `etag`."""
    return content_hash(record if not record.etag else msgspec.structs.replace(record, etag=""))


def with_etag(record: AccessRequest) -> AccessRequest:
    """Return the record with the entity tag of its present content."""
    return msgspec.structs.replace(record, etag=f'"{record_hash(record)}"')
