"""`supportaccess audit`."""

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Annotated

import typer
from msgspec.structs import replace

from supportaccess.cli import options
from supportaccess.cli.context import Context
from supportaccess.cli.exit_codes import ExitCode
from supportaccess.cli.group import examples
from supportaccess.cli.ids import resolve
from supportaccess.cli.output.ages import parse_time
from supportaccess.cli.output.colour import Colour
from supportaccess.cli.output.fields import AUDIT_ENTRIES, Layout
from supportaccess.cli.output.formats import Format
from supportaccess.cli.output.text import counted
from supportaccess.domain.audit import Activity, AuditEntry
from supportaccess.domain.errors import InvalidInput
from supportaccess.store.paging import each_row
from supportaccess.store.protocol import LARGEST_PAGE, AuditQuery, RequestStore, Verification

_MOST_TOLD = 20
VERIFICATION = Layout(Verification, ("entries", "accessRequests", "sourceEvents", "head.size", "head.root"), "entries")


@examples(
    ("The latest entries", "supportaccess audit log"),
    ("Who approved what this year, for a spreadsheet",
     "supportaccess audit log --activity 'Request approved' --since 2026-01-01 --all -o csv"),
    ("Everything about one request", "supportaccess audit log --request 3f2a"),
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
    limit: options.Limit = 50,
    everything: options.All = False,
    oldest_first: Annotated[bool, typer.Option("--oldest-first", help="Instead of the newest first.")] = False,
    tenant: options.Tenant = None,
    output: options.Output = None,
    columns: options.Columns = None,
    query: options.Query = None,
    fail_if_any: Annotated[bool, typer.Option("--fail-if-any", help="Exit with 10 when anything matches.")] = False,
) -> int:
    """List the entries of a tenant's audit log, the newest first."""
    context: Context = ctx.obj
    now = context.clock()
    printer = context.printer(AUDIT_ENTRIES, output=output, columns=columns, query=query)
    asked = AuditQuery(
        activities=frozenset(_activity(name) for name in activity or ()),
        actor=options.given("--actor", actor),
        since=parse_time(since, now, future=False) if since is not None else None,
        until=parse_time(until, now, future=False) if until is not None else None,
        newest_first=not oldest_first,
    )
    store = context.store(tenant)
    if request is not None:
        asked = replace(asked, access_request_ids=_ids_of(store, request))
    entries = _Entries(store, asked, None if everything else limit)
    printer.print_all(entries)
    if entries.cut and not context.streams.out_closed:
        total = store.audit_count(asked)
        context.streams.warn(
            f"Showing {entries.printed:,} of {total:,}: {total - entries.printed:,} left out. Use --all or --limit N."
        )
    if not entries.printed:
        context.streams.note(f"No entry matches in the audit log of tenant {store.tenant_id}.")
    return ExitCode.MATCHED if fail_if_any and entries.printed else ExitCode.DONE


@examples(
    ("Is the log as it was written?", "supportaccess audit verify"),
    ("In a pipeline: exit 9 when it is not", "supportaccess audit verify --tenant contoso -o json"),
)
def verify(
    ctx: typer.Context,
    tenant: options.Tenant = None,
    output: options.Output = None,
    columns: options.Columns = None,
    query: options.Query = None,
) -> int:
    """Recompute a tenant's audit log and hold its head, the records and the raw events against it.

    Names the first bad entry and exits with 9 when something was altered, is missing or does not belong.
    """
    context: Context = ctx.obj
    printer = context.printer(VERIFICATION, output=output, columns=columns, query=query)
    store = context.store(tenant)
    verification = store.verify()
    if printer.format is Format.TABLE and columns is None and query is None:
        context.streams.write(_told(verification))
    else:
        printer.print_one(verification)
    for finding in verification.findings[:_MOST_TOLD]:
        context.streams.error(f"{finding.verdict}: {finding.message}")
    if len(verification.findings) > _MOST_TOLD:
        context.streams.error(f"and {len(verification.findings) - _MOST_TOLD:,} more: -o json has them all")
    if verification.findings:
        count = counted(len(verification.findings), "finding")
        context.streams.error(f"The audit log of tenant {store.tenant_id} does not hold: {count}.")
        context.streams.advise("keep a copy of the store as evidence; docs/audit-log.md.")
        return ExitCode.VERIFICATION_FAILED
    if verification.head.size:
        context.streams.note(f"The audit log of tenant {store.tenant_id} holds.", colour=Colour.GREEN)
    else:
        context.streams.warn(f"The audit log of tenant {store.tenant_id} has no entries: nothing was verified.")
    return ExitCode.DONE


class _Entries:
    """The entries of a query, page by page."""

    def __init__(self, store: RequestStore, query: AuditQuery, most: int | None) -> None:
        self._store = store
        self._query = query
        self._most = most
        self.printed = 0
        self.cut = False

    def __iter__(self) -> Iterator[AuditEntry]:
        most = None if self._most is None else self._most + 1
        top = LARGEST_PAGE if most is None else min(LARGEST_PAGE, most)
        for entry in each_row(
            lambda cursor: self._store.audit_page(self._query, top=top, cursor=cursor),
            most=most,
            ahead=self._store.is_remote,
        ):
            if self.printed == self._most:
                self.cut = True
                return
            self.printed += 1
            yield entry


def _ids_of(store: RequestStore, text: str) -> frozenset[str]:
    """Return every ID under which the log has entries of a request."""
    record = resolve(store, text)
    earlier = (entry.access_request_id for entry in store.history(record.id))
    return frozenset({record.id, *(each for each in earlier if each is not None)})


def _activity(name: str) -> Activity:
    by_name = {activity.lower(): activity for activity in Activity}
    found = by_name.get(name.strip().lower())
    if found is None:
        close = get_close_matches(name.lower(), by_name, n=1)
        meant = f"; did you mean '{by_name[close[0]]}'?" if close else ""
        raise InvalidInput(f"{name!r} is no activity{meant}", hint=f"The activities are {', '.join(Activity)}.")
    return found


def _told(verification: Verification) -> str:
    return (
        f"Entries          {verification.entries:>12,}\n"
        f"Access requests  {verification.access_requests:>12,}\n"
        f"Raw events       {verification.source_events:>12,}\n"
        f"Head             {verification.head.size:>12,}  {verification.head.root}\n"
    )
