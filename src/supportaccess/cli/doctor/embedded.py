"""Checks of the embedded store, and of a tenant in it."""

import os
from collections.abc import Iterator
from datetime import timedelta

from supportaccess.cli.app.context import Context
from supportaccess.cli.app.local_account import local_account
from supportaccess.cli.doctor.checks import Check, Result, failed, passed, skipped, tried
from supportaccess.cli.output.text import counted
from supportaccess.cli.output.times import duration
from supportaccess.settings.profiles import Profile
from supportaccess.store.protocol import AuditOrder, AuditQuery
from supportaccess.store.sql.checkpoints import refuse_second_key
from supportaccess.store.sql.log import read_log
from supportaccess.store.sql.maintenance import tenant_counts
from supportaccess.store.sql.sqlite.open import schema_version

_CLOCK_MAY_LAG = timedelta(minutes=5)
_NEEDED = "needs a tenant and a store"


def embedded_checks(context: Context) -> list[Check]:
    """Check the file, whether SQLite finds it sound, and the key that signs its logs."""
    opened = tried("store", lambda: _store(context))
    if opened.result is not Result.PASSED:
        return [opened]
    return [
        opened,
        tried("store integrity", lambda: _integrity(context)),
        tried("signing key", lambda: _signing_key(context)),
    ]


def embedded_tenant_checks(context: Context, profile: Profile | None, *, opened: bool) -> Iterator[Check]:
    """Check what the store has of a tenant, and the clock against it."""
    if profile is None or not opened:
        yield skipped("audit log", _NEEDED)
        yield skipped("clock", _NEEDED)
        return
    yield _permission(profile)
    yield tried("audit log", lambda: _audit_log(context, profile))
    yield tried("clock", lambda: _clock(context, profile))


def _store(context: Context) -> Check:
    path = context.paths.store
    try:
        there = path.exists()
    except OSError as error:
        why = f"{path} cannot be looked at: {error.strerror or error}"
        return failed("store", why, "Set SUPPORTACCESS_DATA_DIR to a folder that you may write.")
    if not there:
        place = next(folder for folder in path.parents if folder.exists())
        if place.is_dir() and os.access(place, os.W_OK | os.X_OK):
            return skipped("store", f"{path} does not exist yet; the first command that needs it makes it")
        message = f"{path} cannot be made: {place} is no folder that you may write"
        return failed("store", message, "Set SUPPORTACCESS_DATA_DIR to a folder that you may write.")
    version, counts = schema_version(context.engine), tenant_counts(context.engine)
    requests = sum(each.access_requests for each in counts)
    return passed(
        "store", f"{path}: schema {version}, {counted(requests, 'request')} of {counted(len(counts), 'tenant')}"
    )


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
        return failed("store integrity", "; ".join(trouble), mend)
    return passed("store integrity", "the database file is sound")


def _signing_key(context: Context) -> Check:
    keys = context.keys
    refuse_second_key(context.engine, keys)
    if not keys.exists and not keys.tenants():
        return passed("signing key", f"there is none in {keys.folder} yet: the first command that decides makes it")
    keys.signers()
    return passed("signing key", f"the key in {keys.folder} can be read")


def _permission(profile: Profile) -> Check:
    account = local_account(profile.tenant_id)
    return passed("permission", f"you are {account.object_id} and may do everything: the store's file is yours")


def _audit_log(context: Context, profile: Profile) -> Check:
    verification = context.store_of(profile).verify()
    if verification.findings:
        first = verification.findings[0]
        return failed("audit log", f"{first.verdict}: {first.message}", "supportaccess audit verify")
    return passed("audit log", f"{verification.entries:,} entries hold")


def _clock(context: Context, profile: Profile) -> Check:
    """Hold the clock against the log's last entry: one that is behind lets access run on past its limit."""
    # From the database: a time is shown to nobody, and no reading of the log.
    with context.engine.reading([profile.tenant_id]) as session:
        latest = read_log(session, profile.tenant_id, AuditQuery(order=AuditOrder.NEWEST), 1, None).value
    now = context.clock()
    if latest and latest[0].time > now + _CLOCK_MAY_LAG:
        behind = duration(int((latest[0].time - now).total_seconds()))
        message = f"this machine's clock is {behind} behind the last entry of the audit log"
        return failed("clock", message, "Set the clock; time limits are measured by it.")
    return passed("clock", "not behind the audit log")
