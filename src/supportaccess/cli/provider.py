"""`supportaccess provider`: the side of the vendor whose engineer asks."""

import uuid
from typing import Annotated

import typer

from supportaccess.cli.app import options
from supportaccess.cli.app.confirm import agreed, check_can_ask
from supportaccess.cli.app.context import Context
from supportaccess.cli.app.exit_codes import ExitCode
from supportaccess.cli.app.group import examples
from supportaccess.cli.app.ids import expand
from supportaccess.cli.output.text import counted
from supportaccess.cli.output.times import parse_duration, parse_time
from supportaccess.cli.requests.deciding import Options, Verb, decide, takes_options
from supportaccess.cli.requests.outcome import Outcome, decided_printer, print_decided
from supportaccess.domain.lifecycle import NewRequest
from supportaccess.domain.records import Engineer, Status
from supportaccess.errors import DecidedElsewhere, NotFound, SupportAccessError
from supportaccess.sources.vendors import vendor_of


@examples(
    (
        "Ask for eight hours",
        "supportaccess provider raise --support-request 2610070040001234 --engineer 'Ann Example' \\\n"
        "    --reason 'sign-ins fail since Monday' --for 8h",
    ),
    (
        "For the data of another tenant, to be decided by tomorrow",
        "supportaccess provider raise --support-request 2610070040001234 --engineer 'Ann Example' \\\n"
        "    --reason 'guest sign-in' --resource-tenant fabrikam --decide-by 1d",
    ),
)
def raise_request(
    ctx: typer.Context,
    support_request: Annotated[str, typer.Option("--support-request", metavar="N", help="The ticket's number.")],
    engineer: Annotated[str, typer.Option("--engineer", metavar="NAME", help="Who asks.")],
    reason: Annotated[str, typer.Option("--reason", "-r", metavar="TEXT", help="Why the access is needed.")],
    title: Annotated[str | None, typer.Option("--title", metavar="TEXT", help="What the ticket is about.")] = None,
    engineer_id: Annotated[
        str | None, typer.Option("--engineer-id", metavar="ID", help="The engineer's ID at the provider.")
    ] = None,
    resource_tenant: Annotated[
        str | None, typer.Option("--resource-tenant", metavar="T", help="Whose data, if another tenant's.")
    ] = None,
    for_: Annotated[str | None, typer.Option("--for", metavar="8h", help="How long the access is wanted.")] = None,
    decide_by: Annotated[
        str | None, typer.Option("--decide-by", metavar="TIME", help="Without a decision by then, it lapses.")
    ] = None,
    tenant: options.Tenant = None,
    output: options.Output = None,
    columns: options.Columns = None,
    query: options.Query = None,
) -> None:
    """Raise an access request in the tenant of the support request."""
    context: Context = ctx.obj
    printer = decided_printer(context, output=output, columns=columns, query=query)
    elsewhere = None if resource_tenant is None else context.tenant_id(resource_tenant, by="--resource-tenant")
    asked = NewRequest(
        support_request_id=support_request,
        engineer=Engineer(id=engineer_id, display_name=engineer),
        reason=reason,
        title=title,
        resource_tenant_id=elsewhere,
        requested_seconds=parse_duration(for_) if for_ is not None else None,
        decide_by=parse_time(decide_by, context.clock(), future=True) if decide_by is not None else None,
    )
    profile = context.settings.chosen(tenant)
    record = context.store_of_to_change(profile).raise_request(asked, key=str(uuid.uuid4()))
    decide_it = f"supportaccess approve {record.id} --tenant {profile.name}"
    context.streams.note(f"Raised {record.id} in tenant {profile.shown}. Decide it: {decide_it}")
    print_decided(printer, [record], profile.tenant_id)


@takes_options
@examples(("Take a request back", "supportaccess provider withdraw 3f2a --reason 'solved without'"))
def withdraw(ctx: typer.Context, asked: Options) -> int:
    """Withdraw pending access requests."""
    verb = Verb(
        infinitive="withdraw",
        participle="withdrawn",
        start=Status.PENDING,
        end=Status.CANCELED,
        act=lambda store, record, key: store.withdraw(record.id, etag=record.etag, key=key, reason=asked.reason),
        effect=lambda _: "taken back; nobody can approve it any more.",
    )
    return decide(ctx.obj, verb, asked)


@examples(
    ("The ticket is solved", "supportaccess provider close 2610070040001234 --yes"),
    ("Several", "cat solved.txt | supportaccess provider close - --yes"),
)
def close(
    ctx: typer.Context,
    support_requests: Annotated[
        list[str], typer.Argument(metavar="SUPPORT_REQUEST_ID...", help="Ticket numbers; - reads them from stdin.")
    ],
    yes: options.Yes = False,
    tenant: options.Tenant = None,
    output: options.Output = None,
    columns: options.Columns = None,
    query: options.Query = None,
) -> int:
    """Close support requests: open access is completed by it, pending requests are canceled.

    Prints the access requests that ended.
    """
    context: Context = ctx.obj
    printer = decided_printer(context, output=output, columns=columns, query=query)
    check_can_ask(context, yes=yes, ids=support_requests)
    numbers = expand(support_requests, context.streams)
    profile = context.settings.chosen(tenant)
    outcome = Outcome(profile.shown)
    question = f"Close {', '.join(numbers)} in tenant {outcome.tenant}? What is open of them ends."
    if not agreed(context, question, yes=yes):
        return ExitCode.FAILED
    store = context.store_of_to_change(profile)
    for number in numbers:
        try:
            of_ticket = store.close(number, key=str(uuid.uuid4()))
        except SupportAccessError as error:
            if isinstance(error, NotFound) and (mirrors := store.find(number, top=1)):
                vendor = vendor_of(mirrors[0].source)
                closer = "its vendor" if vendor is None else vendor.company
                error = DecidedElsewhere(f"support request {number} is known from mirrors only: {closer} closes it")
            outcome.fail(context, f"support request {number}", error)
        else:
            outcome.decided += of_ticket
            ended = counted(len(of_ticket), "access request")
            context.streams.note(f"Closed support request {number} in tenant {outcome.tenant}; {ended} ended by it.")
    print_decided(printer, outcome.decided, store.tenant_id)
    return outcome.exit_code(len(numbers))
