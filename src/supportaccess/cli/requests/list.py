"""`supportaccess list`."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Annotated, Any

import msgspec
import typer

from supportaccess.cli.app import options
from supportaccess.cli.app.context import Context
from supportaccess.cli.app.exit_codes import ExitCode
from supportaccess.cli.app.group import examples
from supportaccess.cli.app.listing import Listing, Question
from supportaccess.cli.app.options import given, moment
from supportaccess.cli.app.tenants import Tenants
from supportaccess.cli.output.fields import (
    ACCESS_REQUESTS,
    ACCESS_REQUESTS_OF_TENANTS,
    AccessRequestOfTenant,
    names_of,
    picker,
)
from supportaccess.domain.attention import attention_key, listed_at
from supportaccess.domain.records import OPEN, AccessRequest, Status
from supportaccess.errors import InvalidInput
from supportaccess.store.protocol import Order, RequestQuery
from supportaccess.suggestions import meant

_COUNTED = 100_000


@examples(
    ("What needs attention", "supportaccess list"),
    ("In every tenant that you look after, side by side", "supportaccess list --all-tenants"),
    ("Who was let in, and whose access ended in the last 30 days", "supportaccess list --approved"),
    ("Fail a pipeline while anybody has access", "supportaccess list --active --fail-if-any"),
    ("Revoke everything that is open for one ticket",
     "supportaccess list --active --support-request 2610070040001234 -o ids \\\n"
     "    | supportaccess revoke - --yes -r closed"),
    ("Every access that was ever opened, for a spreadsheet",
     "supportaccess list -s approved -s revoked -s completed -s expired --all -o csv > access.csv"),
)  # fmt: skip
def list_requests(
    ctx: typer.Context,
    pending: Annotated[bool, typer.Option("--pending", help="Waiting for a decision.")] = False,
    approved: Annotated[bool, typer.Option("--approved", help="Approved: open, or ended at most 30 days ago.")] = False,
    active: Annotated[bool, typer.Option("--active", help="Access that is open now.")] = False,
    status: Annotated[
        list[str] | None,
        typer.Option("--status", "-s", metavar="STATUS", help="One status; may repeat.", show_default=False),
    ] = None,
    support_request: options.SupportRequest = None,
    resource_tenant: options.ResourceTenant = None,
    engineer: options.Engineer = None,
    since: options.Since = None,
    until: options.Until = None,
    search: options.Search = None,
    limit: options.Limit = None,
    everything: options.All = False,
    sort: Annotated[
        str, typer.Option("--sort", metavar="FIELD", help="attention, or a field; -FIELD for descending.")
    ] = "attention",
    tenant: options.Tenants = None,
    all_tenants: options.AllTenants = False,
    output: options.Output = None,
    columns: options.Columns = None,
    query: options.Query = None,
    fail_if_any: Annotated[bool, typer.Option("--fail-if-any", help="Exit with 10 when anything matches.")] = False,
) -> int:
    """List access requests, the most urgent first.

    Without a status: what needs attention, that is pending requests, then open access.
    """
    context: Context = ctx.obj
    now = context.clock()
    several = all_tenants or len(tenant or ()) > 1
    layout = ACCESS_REQUESTS_OF_TENANTS if several else ACCESS_REQUESTS
    printer = context.printer(layout, output=output, columns=columns, query=query)
    most = options.most_of(limit, everything=everything)
    order, in_memory = _order(sort)
    asked = RequestQuery(
        statuses=_statuses(pending, active, status, default=not approved),
        approved_access=approved,
        support_request_id=given("--support-request", support_request),
        engineer=given("--engineer", engineer),
        search=given("--search", search),
        since=moment(since, now),
        until=moment(until, now),
        order=order,
    )
    if resource_tenant is not None:
        tenant_id = context.tenant_id(resource_tenant, by="--resource-tenant")
        asked = msgspec.structs.replace(asked, resource_tenant_id=tenant_id)
    tenants = Tenants(context, tenant, every=all_tenants)
    listing = Listing(context, tenants, _question(asked), most)
    listing.print_by(printer, sort=in_memory)
    if not listing.printed and not tenants.have_failed:
        _say_what_next(context, tenants, asked)
    return tenants.sum_up() or (ExitCode.MATCHED if fail_if_any and listing.printed else ExitCode.DONE)


def _question(query: RequestQuery) -> Question[AccessRequest]:
    return Question(
        page=lambda store, top, cursor: store.page(query, top=top, cursor=cursor),
        count=lambda store: store.count(query, at_most=_COUNTED),
        counted=_COUNTED,
        key=attention_key if query.order is Order.ATTENTION else _creation_key,
        newest_first=query.order is Order.NEWEST,
        mark=lambda record, tenant_id: AccessRequestOfTenant(**msgspec.structs.asdict(record), tenant_id=tenant_id),
    )


def _creation_key(record: AccessRequest) -> tuple[datetime, str]:
    return listed_at(record), record.id


def _statuses(pending: bool, active: bool, names: Sequence[str] | None, *, default: bool) -> frozenset[Status]:
    statuses = {_status(name) for name in names or ()}
    statuses |= {Status.PENDING} if pending else set()
    statuses |= {Status.APPROVED} if active else set()
    return frozenset(statuses or (OPEN if default else ()))


def _status(name: str) -> Status:
    found = {each.value: each for each in Status}.get(name.strip().lower())
    if found is None:
        hint = f"The statuses are {', '.join(Status)}."
        raise InvalidInput(f"{name!r} is no status{meant(name, Status)}", hint=hint)
    return found


def _order(sort: str) -> tuple[Order, Callable[[Iterable[AccessRequest]], list[AccessRequest]] | None]:
    """Return the store's own order of that name; for any other field what sorts by it here, in memory.

    Rows without the field come last.
    """
    if sort in list(Order):
        return Order(sort), None
    field = sort.removeprefix("-")
    every = names_of(AccessRequest)
    names = [name for name in every if not any(other.startswith(f"{name}.") for other in every)]
    if field not in names:
        hint = f"Use attention, {', '.join(names)}."
        raise InvalidInput(f"{field!r} is no field to sort by{meant(field, names)}", hint=hint)
    descending = sort.startswith("-")
    return Order.ATTENTION, partial(sorted, key=_field_key(field, nothing_last=not descending), reverse=descending)


def _field_key(field: str, *, nothing_last: bool) -> Callable[[AccessRequest], tuple[bool, Any]]:
    pick = picker([field])

    def key(record: AccessRequest) -> tuple[bool, Any]:
        value = pick(msgspec.to_builtins(record, builtin_types=(datetime,)))[0]
        return (value is None) is nothing_last, "" if value is None else value

    return key


def _say_what_next(context: Context, tenants: Tenants, query: RequestQuery) -> None:
    """Tell somebody who sees nothing whether there is nothing at all."""
    counts = tenants.ask_each(lambda store: store.count(RequestQuery(), at_most=1))
    names = "tenant " + ", ".join(tenant.store.tenant_id for tenant, _ in counts)
    if any(count for _, count in counts):
        more = "" if query.statuses >= frozenset(Status) else " Others: supportaccess list --approved, or --status S."
        context.streams.note(f"No access request matches in {names}.{more}")
    elif counts:
        context.streams.note(
            f"The store has no access requests of {names} yet.\n"
            "Read an Entra audit log export:      supportaccess import FILE\n"
            "Or raise a request as the provider:  supportaccess provider raise --help"
        )
