"""`supportaccess audit verify`: of a store's log, an export or a receipt."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import replace

from supportaccess.cli.app import options
from supportaccess.cli.app.context import Context
from supportaccess.cli.app.exit_codes import ExitCode
from supportaccess.cli.app.group import examples
from supportaccess.cli.audit.log_proofs import known_keys
from supportaccess.cli.audit.verification import Outcome, given_anchors, given_keys, verify_files, verify_store
from supportaccess.cli.output.colour import Colour
from supportaccess.cli.output.fields import Layout
from supportaccess.cli.output.text import counted, safe
from supportaccess.domain.audit import AuditEntry
from supportaccess.errors import InvalidInput

_MOST_TOLD = 20
VERIFICATION = Layout(
    Outcome, ("entries", "accessRequests", "sourceEvents", "head.size", "head.root", "origin", "signedBy"), "entries"
)


@examples(
    ("Is the log as it was written?", "supportaccess audit verify"),
    ("Does it go on from what was kept elsewhere?", "supportaccess audit verify --anchor contoso.checkpoint"),
    ("An export, anywhere", "supportaccess audit verify contoso-2026-11.zip --key contoso.vkey"),
    ("One decision", "supportaccess audit verify 3f2a.tlog-proof --key contoso.vkey"),
    ("In a pipeline: exit 9 when it does not hold", "supportaccess audit verify --tenant contoso -o json"),
)
def verify(
    ctx: typer.Context,
    path: Annotated[
        Path | None,
        typer.Argument(metavar="[PATH]", help="An export (a folder or a zip file) or a receipt.", show_default=False),
    ] = None,
    anchor: Annotated[
        list[Path] | None,
        typer.Option("--anchor", metavar="FILE", help="A checkpoint that was kept; may repeat.", show_default=False),
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(
            "--key", metavar="KEY", help="The log's verifier key, or a file with it; may repeat.", show_default=False
        ),
    ] = None,
    incremental: Annotated[
        bool, typer.Option("--incremental", help="Only what was written since the last verification.")
    ] = False,
    tenant: options.Tenant = None,
    output: options.Output = None,
    columns: options.Columns = None,
    query: options.Query = None,
) -> int:
    """Recompute an audit log from its entries, and hold it against its signed checkpoint and what was kept elsewhere.

    Of a store, the records and the raw events are held against it too. Names the first bad entry and exits with 9 when
    something was altered, is missing or does not belong, when the log is not the one that was kept, or the key is none
    that is known. An export or a receipt is verified without a store or a network.
    """
    context: Context = ctx.obj
    printer = context.printer(VERIFICATION, output=output, columns=columns, query=query)
    keys, anchors = given_keys(key or ()), given_anchors(anchor or ())
    if path is None:
        profile = context.settings.chosen(tenant)
        outcome = verify_store(context, profile, keys, anchors, incremental=incremental)
        what = f"The audit log of tenant {profile.tenant_id}"
    else:
        if tenant is not None or incremental:
            raise InvalidInput("--tenant and --incremental are for a store, not for a file")
        outcome = verify_files(path, anchors, lambda origin: keys or known_keys(context, origin))
        what = safe(str(path))
        if outcome.entry is not None:
            what = f"{what}, of entry {outcome.entry.sequence} ({safe(outcome.entry.activity)}),"
    printer.print_one(replace(outcome, verified=None), for_people=lambda: context.streams.write(_told(outcome)))
    return _judged(context, outcome, what)


def _judged(context: Context, outcome: Outcome, what: str) -> ExitCode:
    findings = outcome.findings
    for finding in findings[:_MOST_TOLD]:
        context.streams.error(f"{finding.verdict}: {finding.message}")
    if len(findings) > _MOST_TOLD:
        context.streams.error(f"and {len(findings) - _MOST_TOLD:,} more: -o json has them all")
    if findings:
        context.streams.error(f"{what} does not hold: {counted(len(findings), 'finding')}.")
        context.streams.advise("keep a copy of what was verified as evidence; docs/audit-log.md.")
        return ExitCode.VERIFICATION_FAILED
    if outcome.head.size:
        context.streams.note(f"{what} holds.", colour=Colour.GREEN)
    else:
        context.streams.warn(f"{what} has no entries: nothing was verified.")
    return ExitCode.DONE


def _entry_told(entry: AuditEntry) -> Iterator[str]:
    """Yield what a receipt is of: whoever asked for a proof sees whether it is the one."""
    yield f"{'Entry':<16} {entry.sequence:>12,}  {safe(entry.activity)}, {entry.time:%Y-%m-%d %H:%M:%S} UTC"
    yield f"{'By':<16} {safe(entry.actor.display_name or entry.actor.object_id or entry.actor.kind)}"
    if entry.access_request_id is not None:
        yield f"{'Access request':<16} {safe(entry.access_request_id)}"


def _told(outcome: Outcome) -> str:
    numbers: Sequence[tuple[str, int | None]] = (
        ("Entries", outcome.entries),
        ("Access requests", outcome.access_requests),
        ("Raw events", outcome.source_events),
    )
    lines = [f"{name:<16} {number:>12,}" for name, number in numbers if number is not None]
    if outcome.entry is not None:
        lines += _entry_told(outcome.entry)
    lines.append(f"{'Head':<16} {outcome.head.size:>12,}  {outcome.head.root}")
    if outcome.origin is not None:
        lines.append(f"{'Log':<16} {safe(outcome.origin)}")
    if outcome.signed_by is not None:
        lines.append(f"{'Signed by':<16} key {outcome.signed_by.split('+')[1]}")
    return "".join(f"{line}\n" for line in lines)
