"""`supportaccess list`."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from difflib import get_close_matches
from heapq import merge
from typing import Annotated, Any

import msgspec
import typer

from supportaccess.cli import options
from supportaccess.cli.context import Context
from supportaccess.cli.exit_codes import ExitCode
from supportaccess.cli.group import examples
from supportaccess.cli.options import given
from supportaccess.cli.output.ages import parse_time
from supportaccess.cli.output.fields import (
    ACCESS_REQUESTS,
    ACCESS_REQUESTS_OF_TENANTS,
    AccessRequestOfTenant,
    names_of,
    picker,
)
from supportaccess.domain.attention import attention_key, listed_at
from supportaccess.domain.errors import InvalidInput, NotSignedIn, SupportAccessError
from supportaccess.domain.records import OPEN, AccessRequest, Status
from supportaccess.settings.profiles import Profile
from supportaccess.store.paging import each_row
from supportaccess.store.protocol import LARGEST_PAGE, Order, RequestQuery, RequestStore

_COUNTED = 100_000


@examples(
    ("What needs attention", "supportaccess list"),
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
    support_request: Annotated[
        str | None, typer.Option("--support-request", metavar="N", help="Of one support request.")
    ] = None,
    resource_tenant: Annotated[
        str | None, typer.Option("--resource-tenant", metavar="T", help="For the data of one tenant.")
    ] = None,
    engineer: Annotated[str | None, typer.Option("--engineer", metavar="TEXT", help="Text in who asked.")] = None,
    since: options.Since = None,
    until: options.Until = None,
    search: Annotated[str | None, typer.Option("--search", metavar="TEXT", help="Text anywhere.")] = None,
    limit: options.Limit = 50,
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
    order = _order(sort)
    asked = RequestQuery(
        statuses=_statuses(pending, active, status, default=not approved),
        approved_access=approved,
        support_request_id=given("--support-request", support_request),
        engineer=given("--engineer", engineer),
        search=given("--search", search),
        since=parse_time(since, now, future=False) if since is not None else None,
        until=parse_time(until, now, future=False) if until is not None else None,
        order=order or Order.ATTENTION,
    )
    stores = [context.store_of(each) for each in _profiles(context, tenant or [None], every=all_tenants)]
    if resource_tenant is not None:
        tenant_id = context.tenant_id(resource_tenant, by="--resource-tenant")
        asked = msgspec.structs.replace(asked, resource_tenant_id=tenant_id)
    listing = _Listing(context, stores, asked, None if everything else limit, marked=several)
    printer.print_all(listing if order is not None else listing.sorted_by(sort))
    listing.say_what_is_missing()
    if listing.failed:
        return ExitCode.SOME_FAILED
    if listing.printed == 0:
        _say_what_next(context, stores, asked)
    return ExitCode.MATCHED if fail_if_any and listing.printed else ExitCode.DONE


class _Listing:
    """The rows of a query in one tenant or several, page by page, and how many of them were printed."""

    def __init__(
        self,
        context: Context,
        stores: Sequence[RequestStore],
        query: RequestQuery,
        most: int | None,
        *,
        marked: bool,
    ) -> None:
        """Take what is asked of which stores; a `marked` row says whose view it is."""
        self._context = context
        self._stores = stores
        self._query = query
        self._most = most
        self._marked = marked
        self._cut = False
        self.printed = 0
        self.failed = 0

    def __iter__(self) -> Iterator[AccessRequest]:
        for record in self._all(None if self._most is None else self._most + 1):
            if self.printed == self._most:
                self._cut = True
                return
            self.printed += 1
            yield record

    def sorted_by(self, field: str) -> Iterator[AccessRequest]:
        """Read every row, however many, and return the first in the order of any field; rows without it come last."""
        descending = field.startswith("-")
        key = _field_key(field.removeprefix("-"), nothing_last=not descending)
        rows = sorted(self._all(None), key=key, reverse=descending)
        self._cut = self._most is not None and len(rows) > self._most
        for record in rows[: self._most]:
            self.printed += 1
            yield record

    def say_what_is_missing(self) -> None:
        """Say how many rows there are beside those that were printed."""
        if not self._cut or self._context.streams.out_closed:
            return
        total = sum(store.count(self._query, at_most=_COUNTED) for store in self._stores)
        more = "more than " if total >= _COUNTED else ""
        self._context.streams.warn(
            f"Showing {self.printed:,} of {more}{total:,}: {more}{total - self.printed:,} left out. "
            "Use --all or --limit N."
        )

    def _all(self, most: int | None) -> Iterator[AccessRequest]:
        if not self._marked:
            return self._of(self._stores[0], most)
        of_each = [self._of_one_of_several(store, most) for store in self._stores]
        newest = self._query.order is Order.NEWEST
        key = attention_key if self._query.order is Order.ATTENTION else _creation_key
        return merge(*of_each, key=key, reverse=newest)

    def _of(self, store: RequestStore, most: int | None) -> Iterator[AccessRequest]:
        top = LARGEST_PAGE if most is None else min(LARGEST_PAGE, most)
        return each_row(
            lambda cursor: store.page(self._query, top=top, cursor=cursor), most=most, ahead=store.is_remote
        )

    def _of_one_of_several(self, store: RequestStore, most: int | None) -> Iterator[AccessRequest]:
        """Yield a tenant's rows with its ID; say so when it fails, so that it is not taken for an empty one."""
        try:
            for record in self._of(store, most):
                yield AccessRequestOfTenant(**msgspec.structs.asdict(record), tenant_id=store.tenant_id)
        except SupportAccessError as error:
            self.failed += 1
            self._context.streams.tell(error, about=f"tenant {store.tenant_id}")


def _profiles(context: Context, names: Sequence[str | None], *, every: bool) -> list[Profile]:
    """Return the tenants to ask, each once; None names the one that commands mean when none is named."""
    if not every:
        return list({profile.tenant_id: profile for profile in map(context.settings.chosen, names)}.values())
    if any(names):
        raise InvalidInput("--tenant and --all-tenants contradict each other")
    profiles = context.settings.profiles()
    if not profiles:
        raise NotSignedIn("no tenant is set up yet", hint="supportaccess tenant set TENANT_ID")
    return profiles


def _creation_key(record: AccessRequest) -> tuple[datetime, str]:
    return listed_at(record), record.id


def _statuses(pending: bool, active: bool, names: list[str] | None, *, default: bool) -> frozenset[Status]:
    statuses = {_status(name) for name in names or ()}
    statuses |= {Status.PENDING} if pending else set()
    statuses |= {Status.APPROVED} if active else set()
    return frozenset(statuses or (OPEN if default else ()))


def _status(name: str) -> Status:
    try:
        return Status(name.strip().lower())
    except ValueError:
        close = get_close_matches(name.lower(), list(Status), n=1)
        meant = f"; did you mean {close[0]}?" if close else ""
        raise InvalidInput(f"{name!r} is no status{meant}", hint=f"The statuses are {', '.join(Status)}.") from None


def _order(sort: str) -> Order | None:
    """Return the store's own order of that name; None for any other field, which is then sorted here."""
    if sort in list(Order):
        return Order(sort)
    field = sort.removeprefix("-")
    every = names_of(AccessRequest)
    names = [name for name in every if not any(other.startswith(f"{name}.") for other in every)]
    if field not in names:
        close = get_close_matches(field, names, n=1)
        meant = f"; did you mean {close[0]}?" if close else ""
        raise InvalidInput(f"{field!r} is no field to sort by{meant}", hint=f"Use attention, {', '.join(names)}.")
    return None


def _field_key(field: str, *, nothing_last: bool) -> Callable[[AccessRequest], tuple[bool, Any]]:
    pick = picker([field])

    def key(record: AccessRequest) -> tuple[bool, Any]:
        value = pick(msgspec.to_builtins(record, builtin_types=(datetime,)))[0]
        return (value is None) is nothing_last, "" if value is None else value

    return key


def _say_what_next(context: Context, stores: Sequence[RequestStore], query: RequestQuery) -> None:
    """Tell somebody who sees nothing whether there is nothing at all."""
    names = "tenant " + ", ".join(store.tenant_id for store in stores)
    if any(store.count(RequestQuery(), at_most=1) for store in stores):
        more = "" if query.statuses >= frozenset(Status) else " Others: supportaccess list --approved, or --status S."
        context.streams.note(f"No access request matches in {names}.{more}")
        return
    context.streams.note(
        f"The store has no access requests of {names} yet.\n"
        "Read an Entra audit log export:      supportaccess import FILE\n"
        "Or raise a request as the provider:  supportaccess provider raise --help"
    )
