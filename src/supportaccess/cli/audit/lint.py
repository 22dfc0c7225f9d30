"""`supportaccess audit lint`."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Annotated

import typer

from supportaccess.cli.app import options
from supportaccess.cli.app.context import Context
from supportaccess.cli.app.exit_codes import ExitCode
from supportaccess.cli.app.group import examples
from supportaccess.cli.app.tenants import Tenants
from supportaccess.cli.audit.inputs import evidence_of, read_deciders, read_role_table
from supportaccess.cli.output.colour import Colour, paint
from supportaccess.cli.output.fields import Layout
from supportaccess.cli.output.text import counted, safe
from supportaccess.cli.output.times import parse_duration
from supportaccess.domain.lint.findings import MEANINGS, LintFinding, Severity, Skipped
from supportaccess.domain.lint.rules import counting
from supportaccess.domain.lint.rules import lint as apply
from supportaccess.sources.vendors import vendor_of

FINDINGS = Layout(
    LintFinding,
    ("code", "severity", "accessRequestId", "supportRequestId", "since", "message", "command", "silenced", "tenantId"),
    "accessRequestId",
)
_COLOURS = {Severity.HIGH: Colour.RED, Severity.MEDIUM: Colour.YELLOW, Severity.LOW: Colour.DIM}
_CODES = "\b\n" + "\n".join(f"{code} {severity:<6}  {meaning}" for code, (severity, meaning) in MEANINGS.items())


@examples(
    ("What should worry me", "supportaccess audit lint"),
    ("In a pipeline: exit 10 when something does", "supportaccess audit lint --all-tenants --fail-if-any -o jsonl"),
    ("Access open for more than two weeks, and approvers who left",
     "supportaccess audit lint --older-than 14d --roles role-assignments.json"),
    ("Say that a finding is known", "supportaccess tenant set contoso --silence 'SA002=the vendor has no time limits'"),
)  # fmt: skip
def lint(
    ctx: typer.Context,
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="AGE", help="How long access may be open before SA003 says so.")
    ] = "30d",
    roles: options.Roles = None,
    role_table: options.RoleTable = None,
    severity: Annotated[
        Severity, typer.Option("--severity", metavar="SEVERITY", help="Leave out what is less severe.")
    ] = Severity.LOW,
    tenant: options.Tenants = None,
    all_tenants: options.AllTenants = False,
    output: options.Output = None,
    columns: options.Columns = None,
    query: options.Query = None,
    fail_if_any: Annotated[
        bool, typer.Option("--fail-if-any", help="Exit with 10 when something is found that is not silenced.")
    ] = False,
) -> int:
    """Find open access, and decisions of the last 30 days, that should worry somebody."""
    context: Context = ctx.obj
    printer = context.printer(FINDINGS, output=output, columns=columns, query=query)
    age = timedelta(seconds=parse_duration(older_than))
    deciders = read_deciders(roles or (), read_role_table(role_table))
    now = context.clock()
    tenants = Tenants(context, tenant, every=all_tenants)
    silenced = {profile.tenant_id: profile.silenced for profile in context.settings.readable_profiles()}
    found: list[LintFinding] = []
    skipped: list[Skipped] = []
    looked_at = 0
    for each, evidence in tenants.ask_each(lambda store: evidence_of(store, now, deciders)):
        looked_at += len(evidence.records)
        known = silenced.get(each.store.tenant_id, {})
        findings, left_out = apply(evidence, now=now, older_than=age, vendor_of=vendor_of, silenced=known)
        found += (finding for finding in findings if finding.severity.rank <= severity.rank)
        skipped += (one for one in left_out if one not in skipped)
    if found or not tenants.all_failed:
        told = _told(found, colour=context.streams.colour)
        printer.print_all(found, for_people=lambda: context.streams.write_all(part.encode() for part in told))
    _sum_up(context, found, skipped, looked_at)
    return tenants.sum_up() or (ExitCode.MATCHED if fail_if_any and counting(found) else ExitCode.DONE)


lint.__doc__ = f"{lint.__doc__}\n\n{_CODES}"


def _told(found: Iterable[LintFinding], *, colour: bool) -> Iterator[str]:
    """Yield what a terminal gets: of each finding what it is, and below it what mends it."""
    for finding in sorted(found, key=lambda each: each.silenced is not None):
        tint = Colour.DIM if finding.silenced is not None else _COLOURS[finding.severity]
        head = paint(f"{finding.code} {finding.severity:<6}", tint if colour else None)
        yield f"{head}  {finding.access_request_id}  {safe(finding.support_request_id or '-')}\n"
        yield f"  {safe(finding.message)}\n"
        if finding.silenced is None:
            yield f"  Mend:     {safe(finding.command)}\n"
        else:
            yield f"  Silenced: {safe(finding.silenced)}\n"


def _sum_up(context: Context, found: Sequence[LintFinding], skipped: Iterable[Skipped], looked_at: int) -> None:
    """Say on stderr how much was looked at and found, and which rules were not applied."""
    for each in skipped:
        context.streams.note(f"{each.code} was not looked for: {each.reason}.")
    loud = counting(found)
    silent = f", {len(found) - len(loud):,} silenced" if len(found) > len(loud) else ""
    colour = None if loud else Colour.GREEN
    told = f"{counted(looked_at, 'request')} looked at: {counted(len(loud), 'finding')}{silent}."
    context.streams.note(told, colour=colour)
