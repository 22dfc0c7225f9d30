"""`supportaccess show`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from supportaccess.cli.app import options
from supportaccess.cli.app.context import Context
from supportaccess.cli.app.group import examples
from supportaccess.cli.app.ids import resolve
from supportaccess.cli.output.detail import HistoryLine, history_of, lines, page
from supportaccess.cli.output.fields import ACCESS_REQUESTS
from supportaccess.cli.output.text import safe
from supportaccess.domain.records import AccessRequest, Source
from supportaccess.domain.source_events import SourceEvent
from supportaccess.errors import InvalidInput


@examples(
    ("By the first characters of its ID", "supportaccess show 3f2a"),
    ("The request of a ticket, for a script", "supportaccess show 2610070040001234 -o json"),
    ("What was read from the vendor's audit log, as it stood there", "supportaccess show 3f2a --raw"),
)
def show(
    ctx: typer.Context,
    request_id: options.OneId,
    raw: Annotated[bool, typer.Option("--raw", help="Print the provider's events a mirror was rebuilt from.")] = False,
    tenant: options.Tenant = None,
    output: options.Output = None,
    columns: options.Columns = None,
    query: options.Query = None,
) -> None:
    """Show one access request: its fields with the origin of each, and its history in order."""
    context: Context = ctx.obj
    if raw and (output or columns or query):
        raise InvalidInput("--raw prints events as they stood: it takes neither -o nor --columns nor --query")
    printer = context.printer(ACCESS_REQUESTS, output=output, columns=columns, query=query)
    store = context.store(tenant)
    record = resolve(store, request_id)
    if raw:
        _print_raw(context, record, store.source_events(record.id))
        return
    streams = context.streams

    def history() -> list[HistoryLine]:
        return history_of(store.history(record.id), store.source_events(record.id))

    def print_page() -> None:
        parts = page(record, history(), now=context.clock(), aliases=context.aliases(), width=streams.width)
        streams.write_all(part.encode() for part in parts)

    def print_lines() -> None:
        streams.write_all(part.encode() for part in lines(record, history()))

    printer.print_one(record, for_people=print_page, by_field=print_lines)


def _print_raw(context: Context, record: AccessRequest, events: Sequence[SourceEvent]) -> None:
    if not events and record.source is Source.STORE:
        context.streams.note(f"{record.id} was not read from a provider's record: there are no raw events.")
    elif not events:
        context.streams.warn(f"The raw events of {record.id} are missing: supportaccess audit verify")
    # As it stood in the export, but for what a terminal would obey.
    context.streams.write_all(f"{safe(event.raw, multiline=True)}\n".encode() for event in events)
