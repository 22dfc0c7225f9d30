"""`supportaccess audit report`."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from supportaccess.cli.app import options
from supportaccess.cli.app.context import Context
from supportaccess.cli.app.exit_codes import ExitCode
from supportaccess.cli.app.group import examples
from supportaccess.cli.audit.inputs import read_deciders, read_role_table
from supportaccess.cli.audit.log_proofs import proofs_of
from supportaccess.cli.audit.report.gathering import gather
from supportaccess.cli.output.fields import Layout
from supportaccess.cli.output.text import counted
from supportaccess.cli.output.times import parse_duration
from supportaccess.domain.lint.rules import counting
from supportaccess.domain.report.figures import Period, Report, ReportedRequest
from supportaccess.errors import InvalidInput, StoreRefused, SupportAccessError, VerificationFailed
from supportaccess.private_files import new_file
from supportaccess.settings.profiles import Profile
from supportaccess.store.protocol import RequestReader

USUAL_PERIOD = timedelta(days=30)
REPORTED = Layout(
    ReportedRequest,
    (
        "id",
        "supportRequestId",
        "status",
        "source",
        "engineer.displayName",
        "resourceTenantId",
        "createdAt",
        "reason",
        "decidedAt",
        "decidedBy.displayName",
        "decisionReason",
        "secondsToDecision",
        "startsAt",
        "expiresAt",
        "endedAt",
        "endedBy.displayName",
        "endReason",
        "findings",
    ),
    "id",
)


@examples(
    ("The last 30 days, as a page for an auditor", "supportaccess audit report --html report.html"),
    ("A quarter, with who may still decide",
     "supportaccess audit report --since 2026-07-01 --until 2026-10-01 --html q3.html --roles role-assignments.json"),
    ("The requests of a year, for a spreadsheet", "supportaccess audit report --since 2026-01-01 -o csv > 2026.csv"),
    ("The numbers alone", "supportaccess audit report -o json --query numbers"),
)  # fmt: skip
def report(
    ctx: typer.Context,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", help="Begin of the period. Default: 30 days before its end."),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="End of the period, itself not in it. Default: now.")
    ] = None,
    html: Annotated[
        str | None,
        typer.Option("--html", metavar="FILE", help="Write the report as one page to a new file; - for stdout."),
    ] = None,
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="AGE", help="How long access may be open before SA003 says so.")
    ] = "30d",
    roles: options.Roles = None,
    role_table: options.RoleTable = None,
    tenant: options.Tenant = None,
    output: options.Output = None,
    columns: options.Columns = None,
    query: options.Query = None,
) -> int:
    """Report a period: its numbers, every request with its decisions and reasons, whose access was open when.

    Also times to decision, what audit lint finds, how the audit log stands, and what is not known. JSON and YAML have
    all of it, other formats a row a request. Exits with 9 when the audit log does not hold; the report is made anyway.
    """
    context: Context = ctx.obj
    now = context.clock()
    printer = context.printer(REPORTED, output=output, columns=columns, query=query)
    period = _period(options.moment(since, now), options.moment(until, now), now)
    age = timedelta(seconds=parse_duration(older_than))
    deciders = read_deciders(roles or (), read_role_table(role_table))
    profile = context.settings.chosen(tenant)

    def made_of(store: RequestReader, *troubles: str) -> Report:
        return gather(
            store,
            period,
            now=now,
            name=profile.alias,
            deciders=deciders,
            silenced=profile.silenced,
            older_than=age,
            checkpoint=lambda: _checkpoint(context, profile),
            troubles=troubles,
        )

    try:
        made = made_of(context.store_of(profile))
    except VerificationFailed as error:  # a log that went back, or another one: reported as what it is
        made = made_of(context.unchecked_store(profile), f"{error.verdict}: {error.message}")
    if html is not None:
        _write(context, html, made)
    if html is None or output is not None or query is not None or columns is not None:
        printer.print_document(made, made.requests)
    _sum_up(context, made)
    return ExitCode.DONE if made.log.holds else ExitCode.VERIFICATION_FAILED


def _period(since: datetime | None, until: datetime | None, now: datetime) -> Period:
    """Return the period, which ends now at the latest. Raises InvalidInput when it ends before it begins."""
    until = min(until or now, now)
    since = until - USUAL_PERIOD if since is None else since
    if since >= until:
        raise InvalidInput("the period ends before it begins", hint="--since is its begin, --until its end.")
    return Period(since=since, until=until)


def _checkpoint(context: Context, profile: Profile) -> str | None:
    """Return the signed checkpoint of the log, None where there is none to be had; the report says so then."""
    try:
        return proofs_of(context, profile).head().checkpoint
    except SupportAccessError:
        return None


def _write(context: Context, file: str, made: Report) -> None:
    from supportaccess.cli.audit.report.page import page

    parts: Iterable[bytes] = page(made)
    if file == "-":
        context.streams.write_all(parts)
        return
    path = Path(file)
    _write_new(path, parts)
    context.streams.note(f"Wrote the report to {path}.")


def _write_new(path: Path, parts: Iterable[bytes]) -> None:
    """Write a file that was not there before: whole, or not at all. Raises StoreRefused."""
    try:
        with new_file(path) as file:
            file.writelines(parts)
    except FileExistsError:
        raise StoreRefused(f"{path} exists already and was left alone", hint="Name another file.") from None
    except StoreRefused as error:
        error.hint = "Name another place."
        raise


def _sum_up(context: Context, made: Report) -> None:
    told = f"{counted(len(made.requests), 'request')}, {counted(len(counting(made.findings)), 'finding')}"
    context.streams.note(f"{told}, {counted(len(made.gaps), 'gap')} named.")
    for trouble in made.log.troubles[:5]:
        context.streams.error(trouble)
    if not made.log.holds:
        context.streams.error(f"The audit log of tenant {made.tenant_id} does not hold.")
        context.streams.advise(f"supportaccess audit verify --tenant {made.tenant_id}")
