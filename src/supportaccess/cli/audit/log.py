"""`supportaccess audit`."""

from collections.abc import Collection, Mapping
from typing import Annotated

import typer
from msgspec.structs import replace

from supportaccess.cli.app import options
from supportaccess.cli.app.context import Context
from supportaccess.cli.app.exit_codes import ExitCode
from supportaccess.cli.app.group import examples
from supportaccess.cli.app.ids import resolve
from supportaccess.cli.app.listing import Listing, Question
from supportaccess.cli.app.tenants import Tenants
from supportaccess.cli.audit.log_proofs import print_checkpoint
from supportaccess.cli.audit.tail import Following
from supportaccess.cli.output.fields import AUDIT_ENTRIES_OF_TENANTS
from supportaccess.cli.output.shapes import Shape, shape_of
from supportaccess.domain.audit import Activity, AuditEntry, Outcome, activities_with
from supportaccess.errors import InvalidInput, NotFound
from supportaccess.store.protocol import AuditOrder, AuditQuery, RequestReader
from supportaccess.suggestions import meant


@examples(
    ("The latest entries", "supportaccess audit log"),
    ("Who approved what this year, for a spreadsheet",
     "supportaccess audit log --activity 'Request approved' --since 2026-01-01 --all -o csv"),
    ("Everything about one request", "supportaccess audit log --request 3f2a"),
    ("What happened since yesterday in all tenants, side by side", "supportaccess audit log --all-tenants --since 1d"),
    ("What happens from now on, a line each", "supportaccess audit log --since 0s --follow -o jsonl"),
    ("The log's signed head, to be kept where nobody of the store can reach it",
     "supportaccess audit log --checkpoint > contoso.checkpoint"),
    ("For a SIEM", "supportaccess audit log --since 1d --all --shape ocsf -o jsonl"),
)  # fmt: skip
def log(
    ctx: typer.Context,
    since: options.Since = None,
    until: options.Until = None,
    activity: Annotated[
        list[str] | None, typer.Option("--activity", metavar="NAME", help="One activity; may repeat.")
    ] = None,
    actor: Annotated[str | None, typer.Option("--actor", metavar="TEXT", help="Text in who did it.")] = None,
    request: Annotated[str | None, typer.Option("--request", metavar="ID", help="Of one access request.")] = None,
    outcome: Annotated[
        list[Outcome] | None,
        typer.Option("--outcome", metavar="OUTCOME", help=f"{', '.join(Outcome)}; may repeat.", show_default=False),
    ] = None,
    limit: options.Limit = None,
    everything: options.All = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Then go on with new entries as they come, until Ctrl-C.")
    ] = False,
    oldest_first: Annotated[bool, typer.Option("--oldest-first", help="Instead of the newest first.")] = False,
    tenant: options.Tenants = None,
    all_tenants: options.AllTenants = False,
    output: options.Output = None,
    columns: options.Columns = None,
    query: options.Query = None,
    shape: Annotated[
        Shape, typer.Option("--shape", metavar="SHAPE", help=f"Of each entry: {', '.join(Shape)}.")
    ] = Shape.ENTRY,
    fail_if_any: Annotated[bool, typer.Option("--fail-if-any", help="Exit with 10 when anything matches.")] = False,
    checkpoint: Annotated[
        bool, typer.Option("--checkpoint", help="Print only the log's signed checkpoint, to be kept elsewhere.")
    ] = False,
) -> int:
    """List the entries of a tenant's audit log, or of several tenants' merged by time, the newest first.

    With --follow the oldest come first. The shape directoryAudit is that of Microsoft Graph, for what reads Entra's
    audit log; ocsf is for a SIEM.
    """
    context: Context = ctx.obj
    if checkpoint:
        if any((since, until, activity, actor, request, outcome, limit, output, columns, query)) or any(
            (everything, follow, oldest_first, all_tenants, fail_if_any, shape is not Shape.ENTRY)
        ):
            raise InvalidInput("--checkpoint prints one tenant's checkpoint, as it is: leave the other options out")
        return print_checkpoint(context, tenant)
    now = context.clock()
    several = all_tenants or len(tenant or ()) > 1
    layout, shaped = shape_of(shape)
    if several and shape is Shape.ENTRY:
        layout = AUDIT_ENTRIES_OF_TENANTS
    printer = context.printer(layout, output=output, columns=columns, query=query)
    most = options.most_of(limit, everything=everything)
    activities = _activities(activity or (), outcome or ())
    asked = AuditQuery(
        activities=activities or frozenset(),
        actor=options.given("--actor", actor),
        since=options.moment(since, now),
        until=options.moment(until, now),
        order=AuditOrder.OLDEST if oldest_first else AuditOrder.NEWEST,
    )
    if follow and (fail_if_any or oldest_first or several or until is not None):
        raise InvalidInput("--follow is of one tenant and without an end, the oldest first: leave the other option out")
    if activities is not None and not activities:
        context.streams.note("No activity has that outcome.")
        return ExitCode.DONE
    context.follows = follow
    tenants = Tenants(context, tenant, every=all_tenants)
    ids = None if request is None else _ids_of_each(tenants, request)
    if follow:
        (one,) = tenants
        of_one = asked if ids is None else replace(asked, access_request_ids=ids[one.store.tenant_id])
        following = Following(one.store, of_one, most, context.streams)
        printer.print_each(list(map(shaped, following.first())), map(shaped, following.rest()))
        return ExitCode.DONE
    listing = Listing(context, tenants, _question(asked, ids), most)
    listing.print_by(printer, shaped=shaped)
    if not listing.printed and not tenants.have_failed:
        names = ", ".join(each.store.tenant_id for each in tenants)
        context.streams.note(f"No entry matches in the audit log of tenant {names}.")
    return tenants.sum_up() or (ExitCode.MATCHED if fail_if_any and listing.printed else ExitCode.DONE)


def _question(query: AuditQuery, ids: Mapping[str, frozenset[str]] | None) -> Question[AuditEntry]:
    """Return what to ask each tenant for; `ids` has the request's IDs in each, where one was named."""

    def of(store: RequestReader) -> AuditQuery:
        return query if ids is None else replace(query, access_request_ids=ids[store.tenant_id])

    return Question(
        page=lambda store, top, cursor: store.audit_page(of(store), top=top, cursor=cursor),
        count=lambda store: store.audit_count(of(store)),
        key=lambda entry: (entry.time, entry.tenant_id, entry.sequence),
        newest_first=query.order is AuditOrder.NEWEST,
    )


def _ids_of_each(tenants: Tenants, text: str) -> dict[str, frozenset[str]]:
    """Return, for the tenants that have the request, every ID under which their logs have entries of it.

    Those that do not have it are left out. Raises NotFound when none has.
    """
    found: dict[str, frozenset[str]] = {}
    unknown: list[NotFound] = []
    for tenant, ids in tenants.ask_each(lambda store: _ids_or_unknown(store, text)):
        if isinstance(ids, NotFound):
            unknown.append(ids)
            tenants.leave_out(tenant)
        else:
            found[tenant.store.tenant_id] = ids
    if unknown and not found and not tenants.have_failed:
        raise unknown[0]
    return found


def _ids_or_unknown(store: RequestReader, text: str) -> frozenset[str] | NotFound:
    try:
        record = resolve(store, text)
    except NotFound as error:
        return error
    earlier = (entry.access_request_id for entry in store.history(record.id))
    return frozenset({record.id, *(each for each in earlier if each is not None)})


def _activities(names: Collection[str], outcomes: Collection[Outcome]) -> frozenset[Activity] | None:
    """Return the activities to look for; None for all of them, and none where nothing has such an outcome."""
    named = frozenset(map(_activity, names)) if names else None
    if not outcomes:
        return named
    with_outcome = frozenset[Activity]().union(*map(activities_with, outcomes))
    return with_outcome if named is None else named & with_outcome


def _activity(name: str) -> Activity:
    by_name = {activity.lower(): activity for activity in Activity}
    found = by_name.get(name.strip().lower())
    if found is None:
        hint = f"The activities are {', '.join(Activity)}."
        raise InvalidInput(f"{name!r} is no activity{meant(name, Activity)}", hint=hint)
    return found
