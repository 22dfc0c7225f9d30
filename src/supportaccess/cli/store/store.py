"""`supportaccess store`: looks after the embedded store, and after a shared store's database."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from supportaccess.cli.app import options
from supportaccess.cli.app.context import Context
from supportaccess.cli.app.exit_codes import ExitCode
from supportaccess.cli.app.group import examples
from supportaccess.cli.output.fields import Layout
from supportaccess.cli.output.text import counted, safe
from supportaccess.errors import StoreRefused, VerificationFailed
from supportaccess.store.sql.maintenance import sweep, tenant_counts
from supportaccess.store.sql.sqlite.open import back_up, schema_version
from supportaccess.structs import Struct

DATABASE = "SUPPORTACCESS_DATABASE"
Check = Annotated[bool, typer.Option("--check", help="Only say what would be done; exit 1 if there is something.")]
ServerRole = Annotated[
    str, typer.Option("--server-role", metavar="NAME", help="The role that the server signs in to the database as.")
]


class StoreRow(Struct, frozen=True, kw_only=True):
    """What the store holds of one tenant. `bytes` is the size of the whole file."""

    path: str
    bytes: int
    schema_version: int
    tenant_id: str | None = None
    access_requests: int
    audit_entries: int
    source_events: int


STORE = Layout(
    StoreRow,
    ("path", "bytes", "schemaVersion", "tenantId", "accessRequests", "auditEntries", "sourceEvents"),
    "path",
)
TENANTS = Layout(StoreRow, ("tenantId", "accessRequests", "auditEntries", "sourceEvents"), "tenantId")


@examples(("What is in it", "supportaccess store info -o json"))
def info(
    ctx: typer.Context, output: options.Output = None, columns: options.Columns = None, query: options.Query = None
) -> None:
    """Say where the embedded store is, its size, and what it holds of each tenant: a row a tenant."""
    context: Context = ctx.obj
    printer = context.printer(STORE, output=output, columns=columns, query=query)
    path, version = str(context.engine.path), schema_version(context.engine)
    size = context.engine.path.stat().st_size
    rows = [
        StoreRow(
            path=path,
            bytes=size,
            schema_version=version,
            tenant_id=counts.tenant_id,
            access_requests=counts.access_requests,
            audit_entries=counts.audit_entries,
            source_events=counts.source_events,
        )
        for counts in tenant_counts(context.engine)
    ]
    nothing = StoreRow(
        path=path, bytes=size, schema_version=version, access_requests=0, audit_entries=0, source_events=0
    )

    def print_page() -> None:
        context.streams.write(f"{safe(path)}\n{size:,} bytes, schema {version}\n")
        context.printer(TENANTS, output="table").print_all(rows)

    printer.print_all(rows or [nothing], for_people=print_page)
    _say_what_went_back(context)
    _say_what_is_elsewhere(context)


@examples(("A copy of today", "supportaccess store backup store-$(date +%F).db"))
def backup(ctx: typer.Context, file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file.")]) -> None:
    """Copy the whole embedded store, as it is at this moment, to a new file that only you can read."""
    context: Context = ctx.obj
    back_up(context.engine, file)
    context.streams.note(f"Copied {context.engine.path} to {file}.")
    _say_what_went_back(context)
    _say_what_is_elsewhere(context)


@examples(("From cron", "supportaccess store sweep -q"))
def sweep_store(ctx: typer.Context) -> None:
    """Write down which time limits and deadlines have passed, each dated with the limit itself.

    Statuses are right without it; it completes the audit log. Commands that change something do it too.
    """
    context: Context = ctx.obj
    context.begin_changes()
    swept = sweep(context.engine, context.clock)
    context.streams.note(f"{counted(swept, 'request')} had reached a limit or a deadline.")
    _say_what_is_elsewhere(context)


def _say_what_went_back(context: Context) -> None:
    """Warn of a log that is not what was signed of it: such a store may be looked at and copied, as evidence."""
    from supportaccess.store.sql.checkpoints import refuse_rollback

    try:
        refuse_rollback(context.engine, context.keys)
    except VerificationFailed as error:
        context.streams.warn(f"{error.message}. {error.hint}")


def _say_what_is_elsewhere(context: Context) -> None:
    """Name the tenants whose requests are in a shared store: who runs that looks after it."""
    for profile in context.settings.readable_profiles():
        if profile.is_remote:
            context.streams.note(f"Not in this store: {profile.name}, whose store is {profile.store}.")


if TYPE_CHECKING:
    from supportaccess.store.sql.postgresql.schema import Plan


@examples(
    ("As the database's owner", f"{DATABASE}=postgresql://owner@db.example/supportaccess supportaccess store migrate"),
    ("Is there anything to do?", "supportaccess store migrate --check"),
)
def migrate(ctx: typer.Context, check: Check = False, server_role: ServerRole = "supportaccess_server") -> ExitCode:
    """Bring a shared store's PostgreSQL database up to date, and give the server's role its rights.

    SUPPORTACCESS_DATABASE says which: a connection string of the database's owner (not of the server); the password is
    best in PGPASSWORD or a password file. Without it the embedded store is meant, which brings itself up to date.
    """
    context: Context = ctx.obj
    conninfo = context.environment.get(DATABASE)
    if not conninfo:
        context.streams.note(f"The embedded store brings itself up to date; {DATABASE} names no other.")
        return ExitCode.DONE
    if find_spec("psycopg") is None:
        raise StoreRefused("the driver of PostgreSQL is not installed", hint="pip install 'supportaccess[server]'")
    from supportaccess.store.sql.postgresql import schema

    if check:
        plan = schema.plan(conninfo, server_role)
        _tell(context, plan, server_role, "would be")
        return ExitCode.DONE if plan.up_to_date else ExitCode.FAILED
    _tell(context, schema.migrate(conninfo, server_role), server_role, "was")
    return ExitCode.DONE


def _tell(context: Context, plan: "Plan", server_role: str, verb: str) -> None:
    if plan.to_come:
        context.streams.note(f"The schema {verb} brought from version {plan.version} to {plan.to_come[-1]}.")
    if plan.rights_of:
        context.streams.note(f"The role {server_role} {verb} given its rights on {', '.join(plan.rights_of)}.")
    if plan.up_to_date:
        context.streams.note(f"Up to date: schema {plan.version}.")
