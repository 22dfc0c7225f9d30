"""What a report cannot know, named so that nobody takes silence for an answer."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from supportaccess.domain.lint.findings import Skipped
from supportaccess.domain.records import BY_CLOCK, ActorKind, Confidence, Side, Source
from supportaccess.domain.report.figures import LogState, Period, ReportedRequest

_RECENT = timedelta(hours=1)
"""So far back an import counts as of now."""


def gaps_of(
    requests: Sequence[ReportedRequest],
    period: Period,
    *,
    log: LogState,
    skipped: Sequence[Skipped],
    imported_at: datetime | None,
    made_at: datetime,
) -> Iterator[str]:
    """Yield each gap as a sentence."""
    yield from _of_the_log(period, log)
    yield from _of_mirrors(requests, period, imported_at)
    yield from _of_records(requests)
    if period.until < made_at:
        yield "Requests are shown as they stood when the report was made, which is after the end of the period."
    for each in skipped:
        yield f"{each.code} was not looked for: {each.reason}."


def _of_the_log(period: Period, log: LogState) -> Iterator[str]:
    if log.begins_at is None:
        yield "The audit log has no entries: nothing here is vouched for by it."
    elif log.begins_at > period.since:
        yield (
            f"The audit log begins on {log.begins_at:%Y-%m-%d %H:%M} UTC, later than the period: what was before that "
            "is known from the provider's record alone."
        )
    if log.begins_at is not None and log.checkpoint is None:
        yield "The head of the audit log is not signed: that it was this one then rests on this page alone."
    if not log.holds:
        yield "The audit log did not verify: see below what is wrong with it, and trust nothing here that rests on it."


def _of_mirrors(requests: Sequence[ReportedRequest], period: Period, imported_at: datetime | None) -> Iterator[str]:
    mirrors = [record.mirror for record in requests if record.mirror is not None]
    if imported_at is None:
        yield "No provider's record was ever imported: what was decided elsewhere is not here."
    elif period.until - imported_at > _RECENT:
        yield (
            f"The provider's record was last imported on {imported_at:%Y-%m-%d %H:%M} UTC: what happened there since "
            "then is not here."
        )
    confidences = [mirror.confidence for mirror in mirrors]
    yield from _told("Mirrors whose status is inferred", confidences.count(Confidence.INFERRED))
    yield from _told("Mirrors of which an earlier step was not read", confidences.count(Confidence.PARTIAL))
    yield from _told("Events of the provider that fit no known step", sum(mirror.unplaced for mirror in mirrors))


def _of_records(requests: Sequence[ReportedRequest]) -> Iterator[str]:
    yield from _told("Requests whose engineer is unknown", sum(each.engineer is None for each in requests))
    yield from _told("Requests whose support request is unknown", sum(not each.support_request_id for each in requests))
    yield from _told("Requests whose resource tenant is unknown", sum(not each.resource_tenant_id for each in requests))
    unknown = sum(not each.status.is_known for each in requests)
    yield from _told("Requests whose status this version does not know, counted as open access", unknown)
    elsewhere = (each.side is Side.SUPPORT_REQUEST and each.source is Source.STORE for each in requests)
    yield from _told("Requests for another tenant, which alone knows whether it ended the access", sum(elsewhere))
    local = (each.decided_by is not None and each.decided_by.kind is ActorKind.LOCAL for each in requests)
    yield from _told("Decisions by an account that only its own machine vouches for", sum(local))
    unwritten = sum(map(_is_not_written_down, requests))
    yield from _told("Ends by the clock that are not in the log yet (supportaccess store sweep)", unwritten)


def _is_not_written_down(record: ReportedRequest) -> bool:
    by_clock = record.source is Source.STORE and record.status in BY_CLOCK
    return by_clock and not any(entry.status_after is record.status for entry in record.history)


def _told(what: str, count: int) -> Iterator[str]:
    if count:
        yield f"{what}: {count:,}."
