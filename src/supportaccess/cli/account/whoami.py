"""`supportaccess whoami`: as whom one is signed in to a tenant, and what that allows."""

from datetime import datetime
from typing import TYPE_CHECKING

import typer

from supportaccess.cli.app import options
from supportaccess.cli.app.context import Context
from supportaccess.cli.app.group import examples
from supportaccess.cli.app.local_account import local_account
from supportaccess.cli.output.fields import Layout, cell_text, picker, row_of
from supportaccess.cli.output.text import safe
from supportaccess.domain.permissions import Permission
from supportaccess.domain.records import Actor
from supportaccess.settings.profiles import Profile
from supportaccess.store.wire import Grant
from supportaccess.structs import Struct

if TYPE_CHECKING:
    from supportaccess.signin.token import Token


class WhoAmI(Struct, frozen=True, kw_only=True):
    """As whom one is signed in. `account` is the name by which one signed in, `actor` who the store says that is."""

    tenant_id: str
    alias: str | None = None
    store: str
    actor: Actor
    account: str | None = None
    signed_in_by: str | None = None
    client_id: str | None = None
    token_from: str | None = None
    token_ends_at: datetime | None = None
    permissions: tuple[Grant, ...] = ()


WHO = Layout(
    WhoAmI,
    (
        "tenantId",
        "alias",
        "store",
        "actor.displayName",
        "actor.objectId",
        "actor.kind",
        "account",
        "signedInBy",
        "clientId",
        "tokenFrom",
        "tokenEndsAt",
        "permissions",
    ),
    "tenantId",
)
_TITLES = (
    ("Tenant", "tenantId"),
    ("Alias", "alias"),
    ("Store", "store"),
    ("You are", "actor.displayName"),
    ("Object ID", "actor.objectId"),
    ("Kind", "actor.kind"),
    ("Account", "account"),
    ("Signed in by", "signedInBy"),
    ("Application", "clientId"),
    ("Token from", "tokenFrom"),
)


@examples(
    ("Me, in the default tenant", "supportaccess whoami"),
    ("For a script", "supportaccess whoami --tenant contoso -o json"),
)
def whoami(
    ctx: typer.Context,
    tenant: options.Tenant = None,
    output: options.Output = None,
    columns: options.Columns = None,
    query: options.Query = None,
) -> None:
    """Show as whom you are signed in, by what, until when, and what that allows, by which role."""
    context: Context = ctx.obj
    printer = context.printer(WHO, output=output, columns=columns, query=query)
    profile = context.settings.chosen(tenant)
    who = _remote(context, profile) if profile.is_remote else _local(profile)
    printer.print_one(who, for_people=lambda: _print_page(context, who))


def _remote(context: Context, profile: Profile) -> WhoAmI:
    me = context.http_store(profile).me()
    token = context.tokens(profile).token()
    own = token.method is not None  # and not one that somebody else got
    return WhoAmI(
        tenant_id=profile.tenant_id,
        alias=profile.alias,
        store=profile.store,
        actor=me.actor,
        account=profile.account.name if own and profile.account is not None else None,
        signed_in_by=token.method,
        client_id=me.client_id,
        token_from=token.origin,
        token_ends_at=_ends(token),
        permissions=me.permissions,
    )


def _local(profile: Profile) -> WhoAmI:
    owner = ("the owner of the embedded store",)
    return WhoAmI(
        tenant_id=profile.tenant_id,
        alias=profile.alias,
        store=profile.store,
        actor=local_account(profile.tenant_id),
        permissions=tuple(Grant(permission=each, granted_by=owner) for each in Permission),
    )


def _ends(token: "Token") -> datetime | None:
    from supportaccess.signin.access_tokens import ends_of

    return token.ends or ends_of(token.text)


def _print_page(context: Context, who: WhoAmI) -> None:
    """For a terminal: a line a field, and what each permission comes from."""
    values = picker([name for _, name in _TITLES])(row_of(who))
    lines = [(title, cell_text(value)) for (title, _), value in zip(_TITLES, values, strict=True) if value is not None]
    if who.token_ends_at is not None:
        lines.append(("Until", f"{who.token_ends_at.astimezone():%Y-%m-%d %H:%M}"))
    allowed = [f"{grant.permission}, by {', '.join(grant.granted_by)}" for grant in who.permissions]
    lines += [("You may" if n == 0 else "", text) for n, text in enumerate(allowed or ["nothing there"])]
    context.streams.write("".join(f"{title:<14}{safe(text)}\n" for title, text in lines))
