"""`supportaccess audit receipt` and `audit export`: what others verify without the store."""

from pathlib import Path
from typing import Annotated

import typer

from supportaccess.cli.app import options
from supportaccess.cli.app.confirm import agreed
from supportaccess.cli.app.context import Context
from supportaccess.cli.app.exit_codes import ExitCode
from supportaccess.cli.app.group import examples
from supportaccess.cli.app.ids import resolve
from supportaccess.cli.audit.log_proofs import proofs_of, signed
from supportaccess.cli.output.text import counted
from supportaccess.domain.audit import Activity, AuditEntry
from supportaccess.errors import InvalidInput, NotFound

_DECISIONS = frozenset(
    {
        Activity.REQUEST_APPROVED,
        Activity.REQUEST_REJECTED,
        Activity.APPROVAL_APPROVED,
        Activity.APPROVAL_REMOVED,
    }
)


@examples(
    ("The proof of the latest decision on a request", "supportaccess audit receipt 3f2a > 3f2a.tlog-proof"),
    ("Of one entry, by its place in the log", "supportaccess audit receipt --entry 41 > 41.tlog-proof"),
    ("Verified by anybody who has the key", "supportaccess audit verify 3f2a.tlog-proof --key contoso.vkey"),
)
def receipt(
    ctx: typer.Context,
    request: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="The access request.", show_default=False)
    ] = None,
    entry: Annotated[
        int | None, typer.Option("--entry", metavar="N", help="This entry of the log.", show_default=False, min=0)
    ] = None,
    tenant: options.Tenant = None,
) -> None:
    """Print the receipt of a decision: the entry, and the proof that it is in the signed log (c2sp.org/tlog-proof).

    It verifies with nothing but the log's key. Without --entry it is of the latest decision on the request.
    """
    context: Context = ctx.obj
    if (request is None) == (entry is None):
        raise InvalidInput("a receipt is of one entry", hint="Name an access request, or an entry with --entry N.")
    profile = context.settings.chosen(tenant)
    if entry is None and request is not None:
        store = context.store_of(profile)
        entry = _decision(store.history(resolve(store, request).id), request).sequence
    context.streams.write(proofs_of(context, profile).receipt(entry or 0))


@examples(
    ("Everything that is in the log, to be verified elsewhere", "supportaccess audit export contoso-2026-11"),
    ("In one file", "supportaccess audit export contoso-2026-11.zip"),
)
def export_log(
    ctx: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A new folder, or with .zip at its end a new zip file.")],
    tenant: options.Tenant = None,
) -> None:
    """Write a tenant's whole log, as c2sp.org/tlog-tiles has it: entries, hashes, signed checkpoint.

    `audit verify PATH` checks it without a store or a network; so can any other program for such logs, once a zip file
    is unpacked.
    """
    from supportaccess.tlog.files import Live, export, is_archive

    context: Context = ctx.obj
    proofs = proofs_of(context, context.settings.chosen(tenant))
    head = proofs.head()
    signed(head)
    log = Live(proofs, head)
    if is_archive(path):
        from supportaccess.tlog.archive import export_archive

        count = export_archive(log, head.size, path)
    else:
        count = export(log, head.size, path)
    context.streams.note(f"Wrote a log of {head.size:,} to {path}: {counted(count, 'file')}.")
    if head.key is not None:
        context.streams.note(f"Its verifier key: {head.key}")


def _decision(history: list[AuditEntry], request: str) -> AuditEntry:
    decisions = [entry for entry in history if entry.activity in _DECISIONS]
    if not decisions:
        raise NotFound(f"nothing was decided about {request} yet", hint="supportaccess audit receipt --entry N")
    return decisions[-1]


@examples(("The operator restored a backup, and told you so", "supportaccess audit forget --tenant contoso --yes"))
def forget(ctx: typer.Context, tenant: options.Tenant = None, yes: options.Yes = False) -> ExitCode:
    """Forget what was seen of a shared store's log, so that what it shows next is what it is held against.

    Only after a rollback that whoever runs the store has told you of: what was remembered is the evidence.
    """
    from supportaccess.tlog.remembered import Memory

    context: Context = ctx.obj
    profile = context.settings.chosen(tenant)
    if not profile.is_remote:
        raise InvalidInput(
            f"tenant {profile.tenant_id} is in the embedded store, which is held against what it signed itself",
            hint="A restored backup is recorded with: supportaccess store rollback --reason TEXT",
        )
    if not agreed(context, f"Forget what was seen of the audit log of tenant {profile.tenant_id}?", yes=yes):
        return ExitCode.FAILED
    if Memory(context.paths.logs).forget(profile.store, profile.tenant_id):
        context.streams.note("Forgotten. The next command remembers what the store shows then.")
    else:
        context.streams.note("Nothing was remembered of it.")
    return ExitCode.DONE
