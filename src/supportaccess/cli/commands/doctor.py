"""`supportaccess doctor`: finds out why something does not work."""

import os
import platform
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import timedelta

import typer

from supportaccess import __version__
from supportaccess.cli import options
from supportaccess.cli.checks import Check, Result, passed, skipped, tried
from supportaccess.cli.context import Context
from supportaccess.cli.exit_codes import ExitCode
from supportaccess.cli.group import examples
from supportaccess.cli.local_account import local_account
from supportaccess.cli.output.ages import duration
from supportaccess.cli.output.colour import Colour, paint
from supportaccess.cli.output.fields import Layout
from supportaccess.cli.output.formats import Format
from supportaccess.cli.output.text import counted, safe
from supportaccess.settings.rights import check_rights
from supportaccess.store.embedded import schema_version
from supportaccess.store.protocol import AuditQuery
from supportaccess.store.sql.maintenance import tenant_counts

_CLOCK_MAY_LAG = timedelta(minutes=5)


CHECKS = Layout(Check, ("name", "result", "message", "mend"), "name")


@examples(("Everything", "supportaccess doctor"), ("For a report", "supportaccess doctor -o json"))
def doctor(
    ctx: typer.Context,
    tenant: options.Tenant = None,
    output: options.Output = None,
    columns: options.Columns = None,
    query: options.Query = None,
) -> int:
    """Check settings, file rights, tenant, store, audit log and clock; say what mends each failure."""
    context: Context = ctx.obj
    printer = context.printer(CHECKS, output=output, columns=columns, query=query)
    checks = list(_checks(context, tenant))
    if printer.format is Format.TABLE and columns is None and query is None:
        _print_page(context, checks)
    else:
        printer.print_all(checks)
    failed = sum(check.result is Result.FAILED for check in checks)
    if failed:
        context.streams.error(f"{failed} of {len(checks)} checks failed.")
    return ExitCode.FAILED if failed else ExitCode.DONE


def _print_page(context: Context, checks: Sequence[Check]) -> None:
    """For a terminal: nothing cut off, and what mends a failure below it."""
    colours = {Result.PASSED: Colour.GREEN, Result.FAILED: Colour.RED, Result.SKIPPED: Colour.DIM}
    for check in checks:
        result = paint(f"{check.result:<8}", colours[check.result] if context.streams.colour else None)
        context.streams.write(f"{result} {check.name:<16} {safe(check.message)}\n")
        if check.mend:
            context.streams.write(f"{'':<26}{safe(check.mend, multiline=True)}\n")


def _checks(context: Context, tenant: str | None) -> Iterator[Check]:
    yield passed(
        "program", f"supportaccess {__version__}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    )
    yield tried("settings", lambda: _settings(context))
    yield from _rights(context)
    chosen = tried("tenant", lambda: _tenant(context, tenant))
    yield chosen
    if chosen.result is Result.PASSED and (profile := context.settings.chosen(tenant)).is_remote:
        from supportaccess.cli.shared_store_checks import shared_store_checks

        yield from shared_store_checks(context, profile)
        return
    opened = tried("store", lambda: _store(context))
    yield opened
    if opened.result is Result.PASSED:
        yield tried("store integrity", lambda: _integrity(context))
    if opened.result is Result.PASSED and chosen.result is Result.PASSED:
        yield tried("audit log", lambda: _audit_log(context, tenant))
        yield tried("clock", lambda: _clock(context, tenant))
    else:
        yield skipped("audit log", "needs a tenant and a store")
        yield skipped("clock", "needs a tenant and a store")


def _settings(context: Context) -> Check:
    profiles = context.settings.profiles()
    context.settings.default_tenant()
    return passed("settings", f"{context.paths.config}: {counted(len(profiles), 'tenant profile')}")


def _rights(context: Context) -> Iterator[Check]:
    found = check_rights(context.paths)
    for path, trouble in found:
        yield Check(name="file rights", result=Result.FAILED, message=f"{path}: {trouble}")
    if not found:
        yield passed("file rights", "settings and store are for your account alone")


def _tenant(context: Context, tenant: str | None) -> Check:
    profile = context.settings.chosen(tenant)
    named = f"{profile.name}, by {context.settings.origin(tenant)}"
    if profile.is_remote:
        return passed("tenant", f"{named}; its store is {profile.store}")
    account = local_account(profile.tenant_id)
    return passed("tenant", f"{named}; you are {account.object_id} and may do everything")


def _store(context: Context) -> Check:
    path = context.paths.store
    if not path.exists():
        place = next(folder for folder in path.parents if folder.exists())
        if place.is_dir() and os.access(place, os.W_OK | os.X_OK):
            return skipped("store", f"{path} does not exist yet; the first command that needs it makes it")
        return Check(
            name="store",
            result=Result.FAILED,
            message=f"{path} cannot be made: {place} is no folder that you may write",
            mend="Set SUPPORTACCESS_DATA_DIR to a folder that you may write.",
        )
    version, counts = schema_version(context.engine), tenant_counts(context.engine)
    requests = sum(each.access_requests for each in counts)
    return passed("store", f"{path}: schema {version}, {requests:,} requests of {len(counts)} tenants")


def _integrity(context: Context) -> Check:
    with context.engine.reading(()) as session:
        trouble = [row[0] for row in session.all("PRAGMA integrity_check(5)", {}) if row[0] != "ok"]
        journal = session.one("PRAGMA journal_mode", {})
    if journal != ("wal",):
        trouble.append(
            "it is not in WAL mode: a power cut may lose what was told as done, and readers wait for writers"
        )
    if trouble:
        mend = "Keep the file as evidence and restore a backup: docs/store.md."
        return Check(name="store integrity", result=Result.FAILED, message="; ".join(trouble), mend=mend)
    return passed("store integrity", "the database file is sound")


def _audit_log(context: Context, tenant: str | None) -> Check:
    verification = context.store(tenant).verify()
    if verification.findings:
        first = verification.findings[0]
        return Check(
            name="audit log",
            result=Result.FAILED,
            message=f"{first.verdict}: {first.message}",
            mend="supportaccess audit verify",
        )
    return passed("audit log", f"{verification.entries:,} entries hold")


def _clock(context: Context, tenant: str | None) -> Check:
    """Hold the clock against the log's last entry: one that is behind lets access run on past its limit."""
    latest = context.store(tenant).audit_page(AuditQuery(newest_first=True), top=1).value
    now = context.clock()
    if latest and latest[0].time > now + _CLOCK_MAY_LAG:
        behind = duration(int((latest[0].time - now).total_seconds()))
        return Check(
            name="clock",
            result=Result.FAILED,
            message=f"this machine's clock is {behind} behind the last entry of the audit log",
            mend="Set the clock; time limits are measured by it.",
        )
    return passed("clock", "not behind the audit log")
