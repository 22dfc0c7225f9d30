"""Gathers a period's report from a store."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from supportaccess import __version__
from supportaccess.cli.audit.inputs import entries, evidence_for, requests
from supportaccess.domain.audit import AuditEntry, Outcome, outcome_of
from supportaccess.domain.lint.findings import Code, LintFinding, Skipped
from supportaccess.domain.lint.rules import lint
from supportaccess.domain.records import AccessRequest
from supportaccess.domain.report.figures import (
    LogState,
    Period,
    Report,
    access_in,
    belongs,
    decision_times_of,
    numbers_of,
    reported,
)
from supportaccess.domain.report.gaps import gaps_of
from supportaccess.domain.roles.assignments import Deciders
from supportaccess.errors import StoreRefused
from supportaccess.sources.vendors import vendor_of
from supportaccess.store.protocol import AuditQuery, RequestQuery, RequestReader

Histories = dict[str, list[AuditEntry]]


def gather(
    store: RequestReader,
    period: Period,
    *,
    now: datetime,
    name: str | None,
    deciders: Deciders | None,
    silenced: Mapping[str, str],
    older_than: timedelta,
    checkpoint: Callable[[], str | None] = lambda: None,
    troubles: Sequence[str] = (),
) -> Report:
    """Return the report of a tenant's period. What of the log cannot be read is named in it, and does not stop it.

    `checkpoint` is asked for when the log was read, which is an entry itself. `troubles` are what is known already to
    be wrong with the log.
    """
    asked = RequestQuery(until=period.until)
    records = [record for record in requests(store, asked) if belongs(record, period)]
    unreadable: list[str] = []
    histories, attempts = _read_log(store, records, unreadable)
    findings, skipped, imported_at = _findings(store, records, deciders, silenced, now, older_than, unreadable)
    log = _log(store, unreadable, checkpoint, troubles)
    told = reported(records, histories, findings)
    gaps = gaps_of(told, period, log=log, skipped=skipped, imported_at=imported_at, made_at=now)
    return Report(
        tenant_id=store.tenant_id,
        tenant_name=name,
        period=period,
        made_at=now,
        made_by=f"supportaccess {__version__}",
        numbers=numbers_of(records, attempts, period),
        decision_times=decision_times_of(records, period),
        requests=told,
        access=access_in(records, period),
        findings=tuple(findings),
        skipped=tuple(skipped),
        log=log,
        gaps=(*dict.fromkeys(unreadable), *gaps),
    )


def _read_log(
    store: RequestReader, records: Iterable[AccessRequest], unreadable: list[str]
) -> tuple[Histories, list[AuditEntry]]:
    """Return the entries of each request, and those of what was only tried, read in one go through the log."""
    histories: Histories = {record.id: [] for record in records}
    attempts = list[AuditEntry]()
    try:
        for entry in entries(store, AuditQuery()):
            if outcome_of(entry.activity) is not Outcome.SUCCESS:
                attempts.append(entry)
            if entry.access_request_id in histories:
                histories[entry.access_request_id].append(entry)
    except StoreRefused as error:
        unreadable.append(f"The audit log was read only in part: {error.message}. What follows is missing here.")
    return histories, attempts


def _findings(
    store: RequestReader,
    records: list[AccessRequest],
    deciders: Deciders | None,
    silenced: Mapping[str, str],
    now: datetime,
    older_than: timedelta,
    unreadable: list[str],
) -> tuple[list[LintFinding], list[Skipped], datetime | None]:
    try:
        evidence = evidence_for(store, records, deciders)
    except StoreRefused as error:
        unreadable.append(f"Nothing was looked for by the rules of audit lint: {error.message}.")
        return [], [Skipped(code=code, reason="the audit log cannot be read") for code in Code], None
    findings, skipped = lint(evidence, now=now, older_than=older_than, vendor_of=vendor_of, silenced=silenced)
    return findings, skipped, evidence.imported_at


def _log(
    store: RequestReader, unreadable: list[str], checkpoint: Callable[[], str | None], known: Sequence[str]
) -> LogState:
    verification = store.verify()
    try:
        first = next(entries(store, AuditQuery()), None)
    except StoreRefused:
        first = None
    troubles = (*known, *(f"{finding.verdict}: {finding.message}" for finding in verification.findings))
    return LogState(
        size=verification.head.size,
        root=verification.head.root,
        begins_at=None if first is None else first.time,
        holds=not troubles and not unreadable,
        troubles=troubles,
        checkpoint=checkpoint(),
    )
