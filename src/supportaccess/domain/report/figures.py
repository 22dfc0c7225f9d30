"""What a period's report says. Nothing here reads a store or a clock."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from statistics import median
from typing import Any

import msgspec

from supportaccess.domain.attention import listed_at
from supportaccess.domain.audit import AuditEntry, Outcome, outcome_of
from supportaccess.domain.lint.findings import LintFinding, Skipped
from supportaccess.domain.records import FINAL, WAS_APPROVED, AccessRequest, Actor, Status
from supportaccess.structs import Struct


class Period(Struct, frozen=True, kw_only=True):
    """What a report is about: from `since` on, and before `until`."""

    since: datetime
    until: datetime

    def has(self, moment: datetime | None) -> bool:
        """Whether the moment is in it."""
        return moment is not None and self.since <= moment < self.until


class ReportedRequest(AccessRequest, frozen=True, kw_only=True):
    """A request with what the audit log has of it, how long its decision took, and the codes of what was found."""

    seconds_to_decision: int | None = None
    findings: tuple[str, ...] = ()
    history: tuple[AuditEntry, ...] = ()


class OpenAccess(Struct, frozen=True, kw_only=True):
    """From when until when access was open, within the period. Still open where `until` is absent.

    `began_before` says that it was opened before the period. `status` is how it ended.
    """

    access_request_id: str
    support_request_id: str | None = None
    engineer: str | None = None
    decided_by: str | None = None
    status: Status
    since: datetime
    until: datetime | None = None
    expires_at: datetime | None = None
    began_before: bool


class Numbers(Struct, frozen=True, kw_only=True):
    """How many requests the period had of what; three of them are at its end.

    The attempts are those of the audit log, with what it has of them as a count.
    """

    requests: int
    raised: int
    approved: int
    rejected: int
    canceled: int
    lapsed: int
    revoked: int
    completed: int
    expired: int
    pending_at_end: int
    open_at_end: int
    open_without_limit: int
    denied_attempts: int
    failed_attempts: int


class DecisionTimes(Struct, frozen=True, kw_only=True):
    """How long the period's decisions took, in seconds. `unknown` are those of which it is not known."""

    decisions: int
    unknown: int
    shortest: int | None = None
    median: int | None = None
    longest: int | None = None


class LogState(Struct, frozen=True, kw_only=True):
    """The audit log when the report was made: its head, its signed checkpoint, and what its verification found."""

    size: int
    root: str
    begins_at: datetime | None = None
    holds: bool
    troubles: tuple[str, ...] = ()
    checkpoint: str | None = None


class Report(Struct, frozen=True, kw_only=True):
    """Everything that a report says. `gaps` names what it does not know."""

    tenant_id: str
    tenant_name: str | None = None
    period: Period
    made_at: datetime
    made_by: str
    numbers: Numbers
    decision_times: DecisionTimes
    requests: tuple[ReportedRequest, ...]
    access: tuple[OpenAccess, ...]
    findings: tuple[LintFinding, ...]
    skipped: tuple[Skipped, ...]
    log: LogState
    gaps: tuple[str, ...]


def belongs(record: AccessRequest, period: Period) -> bool:
    """Whether anything of the request was in the period: it was raised before its end, and was not over before it."""
    return listed_at(record) < period.until and (record.ended_at is None or record.ended_at >= period.since)


def reported(
    records: Iterable[AccessRequest],
    histories: Mapping[str, Sequence[AuditEntry]],
    findings: Iterable[LintFinding],
) -> tuple[ReportedRequest, ...]:
    """Return the requests with what belongs to each, by when they were made."""
    codes: dict[str, list[str]] = {}
    for finding in findings:
        codes.setdefault(finding.access_request_id, []).append(finding.code)
    ordered = sorted(records, key=lambda record: (listed_at(record), record.id))
    return tuple(
        ReportedRequest(
            **_fields(record),
            seconds_to_decision=seconds_to_decision(record),
            findings=tuple(codes.get(record.id, ())),
            history=tuple(histories.get(record.id, ())),
        )
        for record in ordered
    )


def seconds_to_decision(record: AccessRequest) -> int | None:
    """Return how long the decision took, where creation and decision are known."""
    if record.created_at is None or record.decided_at is None:
        return None
    return max(int((record.decided_at - record.created_at).total_seconds()), 0)


def numbers_of(records: Collection[AccessRequest], attempts: Iterable[AuditEntry], period: Period) -> Numbers:
    """Return the period's numbers. `attempts` are the log's entries of what was only tried."""
    tried = _tried(attempts, period)

    def ended(status: Status) -> int:
        return sum(record.status is status and period.has(record.ended_at) for record in records)

    open_at_end = [record for record in records if _is_open_at(record, period.until)]
    return Numbers(
        requests=len(records),
        raised=sum(period.has(listed_at(record)) for record in records),
        approved=sum(record.status.counts_as in WAS_APPROVED and period.has(_opened_at(record)) for record in records),
        **{status.value: ended(status) for status in FINAL},
        pending_at_end=sum(_is_pending_at(record, period.until) for record in records),
        open_at_end=len(open_at_end),
        open_without_limit=sum(record.expires_at is None for record in open_at_end),
        denied_attempts=tried[Outcome.DENIED],
        failed_attempts=tried[Outcome.FAILURE],
    )


def decision_times_of(records: Iterable[AccessRequest], period: Period) -> DecisionTimes:
    """Return how long the decisions of the period took."""
    decided = [record for record in records if period.has(record.decided_at)]
    known = [taken for record in decided if (taken := seconds_to_decision(record)) is not None]
    return DecisionTimes(
        decisions=len(decided),
        unknown=len(decided) - len(known),
        shortest=min(known, default=None),
        median=int(median(known)) if known else None,
        longest=max(known, default=None),
    )


def access_in(records: Iterable[AccessRequest], period: Period) -> tuple[OpenAccess, ...]:
    """Return whose access was open in the period, by when it was opened."""
    return tuple(sorted(_access_in(records, period), key=lambda each: (each.since, each.access_request_id)))


def _access_in(records: Iterable[AccessRequest], period: Period) -> Iterator[OpenAccess]:
    for record in records:
        opened = _opened_at(record)
        if opened is None or opened >= period.until:
            continue
        if record.ended_at is not None and record.ended_at <= period.since:
            continue
        still_open = record.ended_at is None or record.ended_at > period.until
        yield OpenAccess(
            access_request_id=record.id,
            support_request_id=record.support_request_id,
            engineer=None if record.engineer is None else record.engineer.display_name or record.engineer.id,
            decided_by=None if record.decided_by is None else name_of(record.decided_by),
            status=record.status,
            since=max(opened, period.since),
            until=None if still_open else record.ended_at,
            expires_at=record.expires_at,
            began_before=opened < period.since,
        )


def name_of(actor: Actor) -> str:
    """Return what an actor is called, as well as it is known."""
    return actor.display_name or actor.object_id or actor.kind.value


def _tried(attempts: Iterable[AuditEntry], period: Period) -> Counter[Outcome]:
    counts = Counter[Outcome]()
    for entry in attempts:
        if period.has(entry.time):
            details = entry.details or {}
            others = details.get("notLogged")
            counts[outcome_of(entry.activity)] += ("operation" in details) + (others if isinstance(others, int) else 0)
    return counts


def _opened_at(record: AccessRequest) -> datetime | None:
    if record.status.counts_as not in WAS_APPROVED:
        return None
    return record.starts_at or record.decided_at or listed_at(record)


def _is_open_at(record: AccessRequest, moment: datetime) -> bool:
    opened = _opened_at(record)
    return opened is not None and opened < moment and (record.ended_at is None or record.ended_at >= moment)


def _is_pending_at(record: AccessRequest, moment: datetime) -> bool:
    later = (record.decided_at, record.starts_at, record.ended_at)
    return (
        record.status.is_known and listed_at(record) < moment and all(each is None or each >= moment for each in later)
    )


def _fields(record: AccessRequest) -> dict[str, Any]:
    return msgspec.structs.asdict(record)
