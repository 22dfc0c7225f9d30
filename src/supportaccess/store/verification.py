"""What comes of checking a store's records and raw events against its log, and that log by itself."""

from supportaccess.store.protocol import LogHead
from supportaccess.structs import Struct
from supportaccess.tlog import verify


class Finding(verify.Finding, frozen=True, kw_only=True):
    """One thing wrong with an audit log or with what it vouches for: of a record, whose."""

    access_request_id: str | None = None


class Verification(Struct, frozen=True, kw_only=True):
    """The outcome of a verification: what was checked, and what is wrong, the first bad entry first."""

    entries: int
    access_requests: int
    source_events: int
    head: LogHead
    findings: list[Finding]
