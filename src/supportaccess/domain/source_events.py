"""One event of a provider's own record, as it was read from an export."""

import uuid
from datetime import datetime

from supportaccess.domain.records import Actor, Source
from supportaccess.structs import Struct

_NAMESPACE = uuid.UUID("6f0c2b0e-1d3a-5b53-9d0c-0b7e8a4c2f11")


class SourceEvent(Struct, frozen=True, kw_only=True):
    """An event of one tenant's log, with the exact text it was read from.

    `id` is the provider's event ID; `id_derived` says that the export had none and the content was hashed instead.
    `recognised` says that it is one of the steps of a support access request. Without a result it is unknown whether
    the activity succeeded; only `success` and no result at all count as a step taken.
    """

    source: Source
    tenant_id: str
    id: str
    time: datetime
    activity: str
    recognised: bool
    format: str
    raw: str
    id_derived: bool = False
    category: str | None = None
    service: str | None = None
    result: str | None = None
    correlation_id: str | None = None
    initiator: Actor | None = None
    support_request_id: str | None = None
    target_ids: tuple[str, ...] = ()

    @property
    def succeeded(self) -> bool:
        """Whether the activity took effect."""
        return self.result is None or self.result.lower() == "success"

    @property
    def request_id(self) -> str:
        """The ID of the access request that begins with this event."""
        return str(uuid.uuid5(_NAMESPACE, f"{self.tenant_id}|{self.source}|{self.id}"))

    @property
    def keys(self) -> tuple[str, ...]:
        """What ties this event to others: its correlation ID, its targets and its support request."""
        keys = [f"target:{target}" for target in self.target_ids]
        if self.correlation_id:
            keys.append(f"correlation:{self.correlation_id}")
        if self.support_request_id:
            keys.append(f"support-request:{self.support_request_id}")
        return tuple(keys)
