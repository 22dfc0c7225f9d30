"""`supportaccess store migrate`: brings a shared store's database up to date, as its owner."""

from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

import typer

from supportaccess.cli.app.context import Context
from supportaccess.cli.app.exit_codes import ExitCode
from supportaccess.cli.app.group import examples
from supportaccess.errors import StoreRefused

if TYPE_CHECKING:
    from supportaccess.store.sql.postgresql.schema import Plan

DATABASE = "SUPPORTACCESS_DATABASE"

Check = Annotated[bool, typer.Option("--check", help="Only say what would be done; exit 1 if there is something.")]
ServerRole = Annotated[
    str, typer.Option("--server-role", metavar="NAME", help="The role that the server signs in to the database as.")
]


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
