"""What about open access, and about late decisions, should worry somebody.

Each rule looks at one request with what is known beside it, and finds one thing or nothing. Nothing here reads a store
or a clock.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from supportaccess.domain.attention import listed_at
from supportaccess.domain.expiry import as_of
from supportaccess.domain.lint.findings import MEANINGS, Code, LintFinding, Skipped
from supportaccess.domain.lint.reconciliation import partners, standing
from supportaccess.domain.records import (
    WAS_APPROVED,
    AccessRequest,
    Actor,
    ActorKind,
    Side,
    Source,
    Status,
)
from supportaccess.domain.roles.assignments import Deciders
from supportaccess.domain.times import format_rfc3339
from supportaccess.domain.vendors import VendorOf
from supportaccess.structs import Struct

Found = tuple[str, datetime | None, str]
"""A message, when it began, and the command that mends it, without its tenant."""

_IMPORT = "supportaccess import FILE"


class Evidence(Struct, frozen=True, kw_only=True):
    """What a tenant's store tells.

    `records` are looked at; `related` are all requests of their support requests. `closed` has when a support request
    of this tenant was closed, `raised_by` who raised a request, `imported_at` when a provider's record was last read.
    """

    tenant_id: str
    records: Sequence[AccessRequest]
    related: Sequence[AccessRequest] = ()
    closed: Mapping[str, datetime] = {}
    raised_by: Mapping[str, Actor] = {}
    imported_at: datetime | None = None
    deciders: Deciders | None = None


class Looking:
    """The evidence at one moment, with what several rules ask of it."""

    def __init__(self, evidence: Evidence, now: datetime, older_than: timedelta, vendor_of: VendorOf) -> None:
        self.evidence = evidence
        self.now = now
        self.older_than = older_than
        self.vendor_of = vendor_of
        self.looked_at = frozenset(record.id for record in evidence.records)
        self._related: dict[str, list[AccessRequest]] = {}
        known = {record.id: record for record in (*evidence.related, *evidence.records)}
        for record in known.values():
            if record.support_request_id is not None:
                self._related.setdefault(record.support_request_id, []).append(as_of(record, now))

    def of_same_ticket(self, record: AccessRequest) -> list[AccessRequest]:
        """Return all requests of its support request that are known, itself among them."""
        return self._related.get(record.support_request_id or "", [])


def lint(
    evidence: Evidence,
    *,
    now: datetime,
    older_than: timedelta,
    vendor_of: VendorOf,
    silenced: Mapping[str, str] | None = None,
) -> tuple[list[LintFinding], list[Skipped]]:
    """Return what the rules find, the most severe first, and which rules could not be applied.

    `silenced` has the reason for each code that somebody chose not to be told of: its findings carry it.
    """
    skipped = list(_skipped(evidence))
    rules = {code: rule for code, rule in RULES.items() if code not in {each.code for each in skipped}}
    looking = Looking(evidence, now, older_than, vendor_of)
    findings = [
        _finding(code, found, record, evidence.tenant_id, (silenced or {}).get(code))
        for record in (as_of(record, now) for record in evidence.records)
        for code, rule in rules.items()
        if (found := rule(record, looking)) is not None
    ]
    return sorted(findings, key=lambda each: (each.severity.rank, each.code, each.access_request_id)), skipped


def counting(findings: Iterable[LintFinding]) -> list[LintFinding]:
    """Return the findings that nobody silenced."""
    return [finding for finding in findings if finding.silenced is None]


def _finding(code: Code, found: Found, record: AccessRequest, tenant_id: str, silenced: str | None) -> LintFinding:
    message, since, command = found
    return LintFinding(
        code=code,
        severity=MEANINGS[code][0],
        tenant_id=tenant_id,
        access_request_id=record.id,
        support_request_id=record.support_request_id,
        message=message,
        command=f"{command} --tenant {tenant_id}",
        since=since,
        silenced=silenced,
    )


def _skipped(evidence: Evidence) -> Iterator[Skipped]:
    if evidence.imported_at is None:
        for code in (Code.NEVER_CONFIRMED, Code.MIRROR_DISAGREES):
            yield Skipped(code=code, reason="no provider's record was ever imported into this tenant")
    if evidence.deciders is None:
        yield Skipped(code=Code.APPROVER_MAY_NO_LONGER, reason="no role assignments were given (--roles FILE)")
    elif evidence.deciders.groups:
        names = ", ".join(group.display_name or group.principal_id for group in evidence.deciders.groups)
        yield Skipped(
            code=Code.APPROVER_MAY_NO_LONGER,
            reason=f"the role assignments do not say who is in the group {names}, which holds a role that may decide",
        )


def _is_open_here(record: AccessRequest) -> bool:
    """Whether access is open that this tenant can end: of a cross-tenant request only the resource tenant can."""
    elsewhere = record.source is Source.STORE and record.side is Side.SUPPORT_REQUEST
    return record.status.counts_as is Status.APPROVED and not elsewhere


def _opened_at(record: AccessRequest) -> datetime:
    return record.starts_at or record.decided_at or listed_at(record)


def _ending(record: AccessRequest, looking: Looking, what: str = "it") -> tuple[str, str]:
    """Return how access is ended, to be said, and the command for it."""
    if not record.status.is_known:
        why = f" Its status, {record.status}, is unknown to this version and counts as open."
        return why, f"supportaccess show {record.id}"
    if record.source is Source.STORE:
        return "", f"supportaccess revoke {record.id}"
    vendor = looking.vendor_of(record.source)
    if vendor is None:
        return f" Remove {what} at its source, {record.source}.", f"supportaccess show {record.id}"
    return f" Remove {what} in {vendor.place}, then import the audit log again.", _IMPORT


def _support_request_closed(record: AccessRequest, looking: Looking) -> Found | None:
    if not _is_open_here(record) or record.support_request_id is None:
        return None
    opened, closed = _opened_at(record), None
    if record.support_request_tenant_id in {None, looking.evidence.tenant_id}:
        closed = looking.evidence.closed.get(record.support_request_id)
    # That the provider ended one access by itself means that the ticket was closed, unless access was opened later.
    ended = [each.ended_at for each in looking.of_same_ticket(record) if each.status is Status.COMPLETED]
    closed = closed or min((moment for moment in ended if moment and moment >= opened), default=None)
    if closed is None:
        return None
    advice, command = _ending(record, looking)
    message = f"Access is open although support request {record.support_request_id} was closed on {_day(closed)}."
    return message + advice, closed, command


def _no_time_limit(record: AccessRequest, looking: Looking) -> Found | None:
    if not _is_open_here(record) or record.expires_at is not None:
        return None
    advice, command = _ending(record, looking)
    vendor = looking.vendor_of(record.source)
    mirrored = "" if vendor is None or vendor.has_time_limits else f" {vendor.short} has no time limits."
    return f"Access is open without a time limit.{mirrored}{advice}", _opened_at(record), command


def _open_for_long(record: AccessRequest, looking: Looking) -> Found | None:
    opened = _opened_at(record)
    if not _is_open_here(record) or looking.now - opened <= looking.older_than:
        return None
    advice, command = _ending(record, looking)
    return f"Access has been open for {_days(looking.now - opened)}, since {_day(opened)}.{advice}", opened, command


def _never_confirmed(record: AccessRequest, looking: Looking) -> Found | None:
    if not _is_open_here(record) or record.source is not Source.STORE or looking.evidence.imported_at is None:
        return None
    confirming = (
        each
        for each in looking.of_same_ticket(record)
        if each.source is not Source.STORE and each.status.counts_as in WAS_APPROVED
    )
    if next(confirming, None) is not None:
        return None
    opened, imported = _opened_at(record), looking.evidence.imported_at
    since = "was last imported before that" if imported < opened else "has no approval of this support request"
    message = f"Access was opened here on {_day(opened)}, and the provider's record {since}. Import it again."
    return message, opened, _IMPORT


def _approver_may_no_longer(record: AccessRequest, looking: Looking) -> Found | None:
    deciders, approver = looking.evidence.deciders, record.decided_by
    if (
        record.status.counts_as is not Status.APPROVED
        or deciders is None
        or approver is None
        or approver.object_id is None
    ):
        return None
    # Of an account of a machine, an application, or somebody of another tenant these assignments say nothing.
    if approver.kind is not ActorKind.USER or approver.tenant_id != looking.evidence.tenant_id:
        return None
    if approver.object_id.lower() in deciders.people:
        return None
    name = approver.display_name or approver.object_id
    message = f"Access is open that {name} approved, who holds no role any more that may decide."
    advice, command = _ending(record, looking)
    return message + advice, record.decided_at, command


def _decided_by_requester(record: AccessRequest, looking: Looking) -> Found | None:
    approver = record.decided_by
    if record.status.counts_as not in WAS_APPROVED or approver is None or approver.object_id is None:
        return None
    requester = looking.evidence.raised_by.get(record.id)
    same = requester is not None and (requester.tenant_id, requester.object_id, requester.kind) == (
        approver.tenant_id,
        approver.object_id,
        approver.kind,
    )
    if not same and (record.engineer is None or record.engineer.id != approver.object_id):
        return None
    name = approver.display_name or approver.object_id
    message = f"{name} approved the request that they had made."
    if _is_open_here(record):
        advice, command = _ending(record, looking)
        return f"{message} The access is open.{advice}", record.decided_at, command
    return message, record.decided_at, f"supportaccess show {record.id}"


def _deadline_passed(record: AccessRequest, _: Looking) -> Found | None:
    if record.status is not Status.LAPSED or record.source is not Source.STORE:
        return None
    when = "" if record.decide_by is None else f" by {_day(record.decide_by)}"
    message = f"Nobody decided{when}. If access is still needed, the provider has to ask again."
    return message, record.decide_by, f"supportaccess show {record.id}"


def _mirror_disagrees(record: AccessRequest, looking: Looking) -> Found | None:
    partner = partners(looking.of_same_ticket(record)).get(record.id)
    if partner is None:
        return None
    own, mirror = (record, partner) if record.source is Source.STORE else (partner, record)
    # Once for the two: of the one that was decided here, where both are looked at.
    if record is mirror and own.id in looking.looked_at:
        return None
    here, there = standing(own), standing(mirror)
    if here is there or there.waits:
        return None
    message = f"Here request {own.id} is {own.status}; the provider's record {mirror.id} has it {mirror.status}."
    if there.lets_in:
        advice, command = _ending(mirror, looking, "the access")
        return message + advice, mirror.updated_at, command
    if _is_open_here(own):
        advice, command = _ending(own, looking)
        return message + advice, mirror.updated_at, command
    return message, mirror.updated_at, f"supportaccess show {mirror.id}"


def _day(moment: datetime) -> str:
    return format_rfc3339(moment.replace(microsecond=0))


def _days(length: timedelta) -> str:
    return f"{length.days:,} days" if length.days != 1 else "1 day"


Rule = Callable[[AccessRequest, Looking], Found | None]
RULES: Mapping[Code, Rule] = {
    Code.SUPPORT_REQUEST_CLOSED: _support_request_closed,
    Code.NO_TIME_LIMIT: _no_time_limit,
    Code.OPEN_FOR_LONG: _open_for_long,
    Code.NEVER_CONFIRMED: _never_confirmed,
    Code.APPROVER_MAY_NO_LONGER: _approver_may_no_longer,
    Code.DECIDED_BY_REQUESTER: _decided_by_requester,
    Code.DEADLINE_PASSED: _deadline_passed,
    Code.MIRROR_DISAGREES: _mirror_disagrees,
}
