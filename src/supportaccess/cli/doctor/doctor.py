"""`supportaccess doctor`: finds out why something does not work."""

import platform
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence

import typer
from msgspec.structs import replace

from supportaccess import __version__
from supportaccess.cli.app import options
from supportaccess.cli.app.context import Context
from supportaccess.cli.app.exit_codes import ExitCode
from supportaccess.cli.app.group import examples
from supportaccess.cli.doctor.checks import Check, Result, failed, passed, refused, skipped, tried
from supportaccess.cli.doctor.embedded import embedded_checks, embedded_tenant_checks
from supportaccess.cli.output.colour import Colour, paint
from supportaccess.cli.output.fields import Layout
from supportaccess.cli.output.text import counted, safe
from supportaccess.errors import InvalidInput, NotSignedIn, SupportAccessError
from supportaccess.settings.paths import check_rights
from supportaccess.settings.profiles import Profile
from supportaccess.store.background import MOST_AT_ONCE, Workers

CHECKS = Layout(Check, ("name", "result", "message", "mend"), "name")
CHECKS_OF_TENANTS = Layout(Check, (*CHECKS.columns, "tenantId"), "name")
_COLOURS = {Result.PASSED: Colour.GREEN, Result.FAILED: Colour.RED, Result.SKIPPED: Colour.DIM}
_INDENT = 9

Checks = Callable[[], Iterable[Check]]
"""Gives the checks of one tenant; waits for those that another thread makes."""


@examples(
    ("Everything", "supportaccess doctor"),
    ("Every tenant, side by side", "supportaccess doctor --all-tenants"),
    ("For a report", "supportaccess doctor -o json"),
)
def doctor(
    ctx: typer.Context,
    tenant: options.Tenants = None,
    all_tenants: options.AllTenants = False,
    output: options.Output = None,
    columns: options.Columns = None,
    query: options.Query = None,
) -> int:
    """Check what a command needs to work, from the settings to the permissions; say what mends each failure.

    Nothing is changed, and nothing secret is printed.
    """
    context: Context = ctx.obj
    several = all_tenants or len(tenant or ()) > 1
    layout = CHECKS_OF_TENANTS if several else CHECKS
    printer = context.printer(layout, output=output, columns=columns, query=query)
    if all_tenants and tenant:
        raise InvalidInput("--tenant and --all-tenants contradict each other")
    checks = list(_checks(context, tenant or (), every=all_tenants, several=several))
    printer.print_all(checks, for_people=lambda: _print_page(context, checks))
    failures = [check for check in checks if check.result is Result.FAILED]
    if failures:
        context.streams.error(f"{len(failures)} of {len(checks)} checks failed.")
    if any(check.tenant_id for check in failures):
        return ExitCode.SOME_FAILED
    return ExitCode.FAILED if failures else ExitCode.DONE


def _print_page(context: Context, checks: Sequence[Check]) -> None:
    """For a terminal: nothing cut off, each tenant below its name, and what mends a failure below that."""
    names, tenant_id = max(len(check.name) for check in checks), None
    for check in checks:
        if check.tenant_id != tenant_id:
            tenant_id = check.tenant_id
            context.streams.write(f"\nTenant {safe(context.shown(tenant_id))}\n" if tenant_id else "\n")
        result = paint(f"{check.result:<8}", _COLOURS[check.result] if context.streams.colour else None)
        context.streams.write(f"{result} {check.name:<{names}} {safe(check.message)}\n")
        if check.mend:
            context.streams.write(f"{'':<{_INDENT + names + 1}}{safe(check.mend, multiline=True)}\n")


def _checks(context: Context, names: Sequence[str], *, every: bool, several: bool) -> Iterator[Check]:
    yield from machine_checks(context)
    profiles, unusable = _profiles(context, names, every=every, several=several)
    remote = _started(context, [profile for profile in profiles if profile.is_remote])
    embedded: list[Check] = []
    if len(remote) < len(profiles) or not profiles:
        embedded = embedded_checks(context)
    opened = any(check.name == "store" and check.result is Result.PASSED for check in embedded)
    for profile in profiles:
        of_it = [_chosen(context, profile, names, several=several)]
        if profile.is_remote:
            of_it += remote[profile.tenant_id]()
        else:
            if not several:
                of_it += embedded
            of_it += embedded_tenant_checks(context, profile, opened=opened)
        yield from (replace(check, tenant_id=profile.tenant_id) if several else check for check in of_it)
    yield from unusable
    if several or not profiles:
        yield from embedded
    if not profiles and not several:
        yield from embedded_tenant_checks(context, None, opened=opened)


def _profiles(
    context: Context, names: Sequence[str], *, every: bool, several: bool
) -> tuple[list[Profile], list[Check]]:
    """Return the tenants that are meant, and a check for each that cannot be had."""
    if every:
        profiles, unreadable = context.settings.every_profile()
        found = [replace(refused("tenant", error), tenant_id=stem) for stem, error in unreadable.items()]
        return profiles, found
    chosen: dict[str, Profile] = {}
    unusable: list[Check] = []
    wanted: list[str | None] = [*names] or [None]
    for name in wanted:
        try:
            profile = context.settings.chosen(name)
            chosen[profile.tenant_id] = profile
        except NotSignedIn as error:
            unusable.append(skipped("tenant", error.message, error.hint))
        except SupportAccessError as error:
            unusable.append(replace(refused("tenant", error), tenant_id=name if several else None))
    return list(chosen.values()), unusable


def _chosen(context: Context, profile: Profile, names: Sequence[str], *, several: bool) -> Check:
    if several:
        return passed("tenant", f"its store is {profile.store}")
    origin = context.settings.origin(names[0] if names else None)
    return passed("tenant", f"{profile.shown}, by {origin}; its store is {profile.store}")


def _started(context: Context, profiles: Sequence[Profile]) -> dict[str, Checks]:
    """Begin the checks of all tenants with shared stores, and return what waits for each of them."""
    if not profiles:
        return {}
    from supportaccess.cli.doctor.shared import SharedStoreChecks

    workers = Workers(MOST_AT_ONCE)
    started: dict[str, Checks] = {}
    for profile in profiles:
        try:
            started[profile.tenant_id] = workers.start(SharedStoreChecks(context, profile).run).result
        except SupportAccessError as error:
            found = [refused("proxy", error)]
            started[profile.tenant_id] = found.copy
    return started


def machine_checks(context: Context) -> Iterator[Check]:
    """Check the program, every settings file, and who else can read our files."""
    yield _program()
    yield from _settings(context)
    yield from _rights(context)


def _program() -> Check:
    versions = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    return passed("program", f"supportaccess {__version__}, {versions}")


def _settings(context: Context) -> Iterator[Check]:
    """Read every file, and name each that is broken."""
    try:
        profiles, unreadable = context.settings.every_profile()
    except SupportAccessError as error:
        yield refused("settings", error)
        return
    yield from (refused("settings", error) for error in unreadable.values())
    checked = tried("settings", lambda: _config(context, len(profiles)))
    if not unreadable or checked.mend is not None:
        yield checked


def _config(context: Context, profiles: int) -> Check:
    context.settings.default_tenant()
    return passed("settings", f"{context.paths.config}: {counted(profiles, 'tenant profile')}")


def _rights(context: Context) -> Iterator[Check]:
    found = check_rights(context.paths)
    for path, trouble in found:
        told, _, mend = trouble.rpartition(": ")
        yield failed("file rights", f"{path}: {told}", mend)
    if not found:
        yield passed("file rights", "settings, tokens and store are for your account alone")
