"""What goes over the wire beside the records: the bodies, envelopes and errors of the REST API, for both of its ends.

Bodies refuse members that they do not know, and times without an offset. Answers may gain members.
"""

from datetime import UTC, datetime

import msgspec
from msgspec.structs import replace

from supportaccess.domain.audit import AuditEntry
from supportaccess.domain.expiry import Limit, Seconds
from supportaccess.domain.lifecycle import NewRequest
from supportaccess.domain.permissions import Permission
from supportaccess.domain.records import AccessRequest, Actor, Engineer, Moment
from supportaccess.domain.source_events import SourceEvent
from supportaccess.domain.text import Name, Reason
from supportaccess.errors import InvalidInput
from supportaccess.structs import Struct

API_VERSION = "v1"
DISCOVERY_PATH = "/.well-known/supportaccess-configuration"
REQUEST_ID_HEADER = "x-ms-request-id"
ERROR_CODE_HEADER = "x-ms-error-code"
AUXILIARY_HEADER = "x-ms-authorization-auxiliary"
"""Carries a caller's tokens of other tenants: `Bearer TOKEN, Bearer TOKEN`, as Azure Resource Manager has it."""
MOST_AUXILIARY_TOKENS = 3

CHECKPOINT_HEADER = "supportaccess-checkpoint"
"""Carries the last signed head of the audit log, as far as this process knows: `SIZE ROOT`, the root in hex."""

RESOURCE_TENANT_TOKEN_REQUIRED = "ResourceTenantTokenRequired"  # noqa: S105 - an error's closer code
"""Says of a Forbidden that a token of the resource tenant is needed beside."""
INSUFFICIENT_CLAIMS = "InsufficientClaims"
"""Says of a NotSignedIn that a new sign-in helps, with the claims of WWW-Authenticate; of a Forbidden that it would,
but that the client did not declare that it can be asked (`xms_cc`)."""


class Body(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    """Base of what a client sends."""


def in_utc(moment: datetime | None) -> datetime | None:
    """Return the moment as records have it. Raises InvalidInput for one that UTC has no year for."""
    try:
        return moment and moment.astimezone(UTC)
    except OverflowError:
        raise InvalidInput(f"{moment} is not a time that exists in UTC") from None


class EngineerBody(Engineer, Body, frozen=True, kw_only=True):
    """The engineer who asks."""

    display_name: Name
    id: Name | None = None


class RaiseBody(NewRequest, Body, frozen=True, kw_only=True):
    """What the provider asks for."""

    engineer: EngineerBody

    def asked(self) -> NewRequest:
        """Return it with its times as records have them. Raises InvalidInput."""
        return replace(self, decide_by=in_utc(self.decide_by))


class LimitBody(Body, frozen=True, kw_only=True):
    """How long an approval lasts: so many seconds, or until a moment."""

    seconds: Seconds | None = None
    until: Moment | None = None

    def limit(self) -> Limit:
        """Return it in the words of the rules."""
        return Limit(seconds=self.seconds, until=in_utc(self.until))


class ApproveBody(Body, frozen=True, kw_only=True):
    """An approval. Without a limit it lasts as long as was asked for."""

    reason: Reason | None = None
    limit: LimitBody | None = None


class RejectBody(Body, frozen=True, kw_only=True):
    """A rejection, which always has a reason."""

    reason: Reason


class ReasonBody(Body, frozen=True, kw_only=True):
    """A revocation or a withdrawal."""

    reason: Reason | None = None


class CloseBody(Body, frozen=True, kw_only=True):
    """The close of a support request: nothing beside its ID."""


class ImportHead(Body, frozen=True, kw_only=True):
    """The first line of an import: what its audit entry says of it. Every further line is a source event."""

    details: dict[str, str | int]


class RequestList(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Some access requests. `next_link` is absent on the last page."""

    value: list[AccessRequest]
    next_link: str | msgspec.UnsetType = msgspec.UNSET


class AuditList(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Some audit entries. `next_link` is absent on the last page."""

    value: list[AuditEntry]
    next_link: str | msgspec.UnsetType = msgspec.UNSET


class SourceEventList(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """The events that a mirror was rebuilt from."""

    value: list[SourceEvent]


class Count(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """How many there are, counted no further than was asked for."""

    count: int


class Grant(Struct, frozen=True, kw_only=True):
    """A permission and where it comes from: the name of a directory role or an app role."""

    permission: Permission
    granted_by: tuple[str, ...]


class Lack(Struct, frozen=True, kw_only=True):
    """A permission that the caller does not hold, and which roles would give it."""

    permission: Permission
    message: str


class Me(Struct, frozen=True, kw_only=True):
    """Who the caller is, what they may do, and what it would take to do the rest.

    `client_id` is the application that the token was issued to.
    """

    tenant_id: str
    actor: Actor
    client_id: str | None = None
    permissions: tuple[Grant, ...]
    lacking: tuple[Lack, ...] = ()


class Discovery(Struct, frozen=True, kw_only=True):
    """What a client needs to sign in: the authority's base URL, the client ID to do it with, the scopes to ask for.

    `tenant_id` is the one to mean where none is named; after `refresh_seconds` it should be asked again.
    """

    api_version: str
    endpoint: str
    authority: str
    client_id: str
    scopes: tuple[str, ...]
    tenant_id: str | None = None
    refresh_seconds: int = 86400


class InnerError(Struct, frozen=True, kw_only=True):
    """A closer code of an error."""

    code: str


class ErrorDetail(Struct, frozen=True, kw_only=True):
    """One of several things that are wrong."""

    code: str
    message: str
    target: str | None = None


class Error(Struct, frozen=True, kw_only=True):
    """What went wrong. `code` is the domain error's code, or one of the protocol's.

    `current_status` comes with a conflict, `resource_tenant_id` when a token for that tenant is needed beside, or lacks
    what it needs.
    """

    code: str
    message: str
    target: str | None = None
    details: tuple[ErrorDetail, ...] = ()
    innererror: InnerError | None = None
    hint: str | None = None
    current_status: str | None = None
    resource_tenant_id: str | None = None


class ErrorBody(Struct, frozen=True, kw_only=True):
    """The body of every answer that is not a success."""

    error: Error
