"""`supportaccess tenant`: one profile for each tenant."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer
from msgspec.structs import replace

from supportaccess.cli.app import options
from supportaccess.cli.app.confirm import agreed
from supportaccess.cli.app.context import Context
from supportaccess.cli.app.exit_codes import ExitCode
from supportaccess.cli.app.group import examples
from supportaccess.cli.output.fields import Layout, cell_text, row_of
from supportaccess.cli.output.text import safe
from supportaccess.cli.tenant.effective_settings import SETTINGS, named_in, settings_of
from supportaccess.domain.lint.findings import Code
from supportaccess.domain.text import LONGEST_REASON, check_text
from supportaccess.errors import InvalidInput, NotFound
from supportaccess.settings.profiles import ENDPOINT_VARIABLE, Profile
from supportaccess.structs import Struct
from supportaccess.suggestions import meant


class ProfileRow(Struct, frozen=True, kw_only=True):
    """A tenant profile as it is printed. `origin` says what chose the tenant, where a choice was asked for."""

    tenant_id: str
    alias: str | None = None
    store: str
    is_default: bool
    origin: str | None = None
    silenced: Mapping[str, str] = {}


PROFILES = Layout(ProfileRow, ("tenantId", "alias", "store", "isDefault"), "tenantId")
PROFILE = Layout(ProfileRow, ("tenantId", "alias", "store", "isDefault", "origin", "silenced"), "tenantId")
PROFILES_AND_FILES = Layout(ProfileRow, (*PROFILES.columns, "origin"), "tenantId")

TheTenant = Annotated[str, typer.Argument(metavar="TENANT", help="Alias or ID of the tenant.")]


@examples(
    ("All of them", "supportaccess tenant list"),
    ("And the file of each", "supportaccess tenant list --show-origin"),
)
def list_profiles(
    ctx: typer.Context,
    show_origin: Annotated[bool, typer.Option("--show-origin", help="Name the file of each profile.")] = False,
    output: options.Output = None,
    columns: options.Columns = None,
    query: options.Query = None,
) -> None:
    """List the tenant profiles."""
    context: Context = ctx.obj
    layout = PROFILES_AND_FILES if show_origin else PROFILES
    printer = context.printer(layout, output=output, columns=columns, query=query)
    settings = context.settings
    default = settings.default_tenant()
    rows = [
        _row_and_file(context, profile, default) if show_origin else _row(profile, default)
        for profile in settings.profiles()
    ]
    printer.print_all(rows)
    if not rows:
        context.streams.note("There are no profiles yet. Add one: supportaccess tenant set TENANT_ID --alias NAME")


@examples(("From now on mean contoso", "supportaccess tenant use contoso"))
def use(ctx: typer.Context, tenant: TheTenant) -> None:
    """Choose the tenant that commands mean when none is named."""
    context: Context = ctx.obj
    profile = context.settings.chosen(tenant, by="the argument")
    context.settings.use(profile.tenant_id)
    context.streams.note(f"The default tenant is now {profile.name}.")


@examples(
    ("The one that commands mean now, and why", "supportaccess tenant show"),
    ("Another one", "supportaccess tenant show contoso -o json"),
    ("Which file, variable or default set each value", "supportaccess tenant show --show-origin"),
)
def show(
    ctx: typer.Context,
    tenant: Annotated[str | None, typer.Argument(metavar="[TENANT]", help="Alias or ID of the tenant.")] = None,
    show_origin: Annotated[
        bool, typer.Option("--show-origin", help="Every setting, with the variable or the line of a file that set it.")
    ] = False,
    output: options.Output = None,
    columns: options.Columns = None,
    query: options.Query = None,
) -> None:
    """Show one profile, and what chose it."""
    context: Context = ctx.obj
    printer = context.printer(SETTINGS if show_origin else PROFILE, output=output, columns=columns, query=query)
    profile = context.settings.chosen(tenant, by="the argument")
    origin = "the argument" if tenant else context.settings.origin(None)
    if show_origin:
        named_by = named_in(context.settings, origin)
        printer.print_all(
            settings_of(
                profile, named_by, settings=context.settings, paths=context.paths, environment=context.environment
            )
        )
        return
    row = _row(profile, context.settings.default_tenant(), origin)
    lines = (f"{name:<12}{safe(cell_text(value))}\n" for name, value in row_of(row).items())
    printer.print_one(row, for_people=lambda: context.streams.write("".join(lines)))


@examples(
    ("Name a tenant", "supportaccess tenant set 8d3fc0a1-5a52-4c6e-9c0e-3f5b0a6d2e71 --alias contoso"),
    ("Take its name away", "supportaccess tenant set contoso --alias ''"),
    ("Say that a finding is known", "supportaccess tenant set contoso --silence 'SA002=the vendor has no time limits'"),
    ("Work with a shared store", "supportaccess tenant set contoso --endpoint https://store.example.com"),
)
def set_profile(
    ctx: typer.Context,
    tenant: TheTenant,
    alias: Annotated[
        str | None, typer.Option("--alias", metavar="NAME", help="A name to call it by; '' takes it away.")
    ] = None,
    endpoint: Annotated[
        str | None,
        typer.Option("--endpoint", metavar="URL", help="Of a shared store; 'embedded' goes back to this machine's."),
    ] = None,
    silence: Annotated[
        list[str] | None,
        typer.Option(
            "--silence",
            metavar="CODE=REASON",
            help="A code of audit lint that does not count here, and why; CODE= lets it count again. May repeat.",
            show_default=False,
        ),
    ] = None,
    output: options.Output = None,
) -> None:
    """Add a tenant profile, with the embedded store unless told otherwise, or change it.

    The first profile becomes the default. Nothing is copied from one store to another.
    """
    context: Context = ctx.obj
    printer = context.printer(PROFILES, output=output)
    tenant_id = _tenant_id(context, tenant)
    known = context.settings.profiles()

    def changed(before: Profile) -> Profile:
        return replace(
            before.at(endpoint or before.store),
            alias=before.alias if alias is None else alias or None,
            silenced=_silenced(before.silenced, silence or ()),
        )

    if any(profile.tenant_id == tenant_id for profile in known):
        profile = context.settings.change(tenant_id, changed)
    else:
        profile = changed(Profile(tenant_id=tenant_id))
        context.settings.save(profile)
    if not known:
        context.settings.use(tenant_id)
    printer.print_all([_row(profile, context.settings.default_tenant())])


@examples(
    ("Call it by another name", "supportaccess tenant rename contoso contoso-eu"),
    ("Call it by its ID again", "supportaccess tenant rename contoso ''"),
)
def rename(
    ctx: typer.Context,
    tenant: TheTenant,
    alias: Annotated[str, typer.Argument(metavar="ALIAS", help="The new name; '' takes the name away.")],
    output: options.Output = None,
) -> None:
    """Give a tenant another alias, or none. Nothing else of its profile changes."""
    context: Context = ctx.obj
    printer = context.printer(PROFILES, output=output)
    before = context.settings.chosen(tenant, by="the argument")
    profile = context.settings.change(before.tenant_id, lambda known: replace(known, alias=alias or None))
    called = f"is now called {profile.alias}" if profile.alias else "has no alias any more"
    context.streams.note(f"Tenant {before.shown} {called}.")
    printer.print_all([_row(profile, context.settings.default_tenant())])


@examples(("Forget the profile", "supportaccess tenant remove contoso --yes"))
def remove(ctx: typer.Context, tenant: TheTenant, yes: options.Yes = False) -> int:
    """Remove a tenant profile, and forget its tokens on this machine. What the store holds of the tenant stays."""
    context: Context = ctx.obj
    profile = context.settings.chosen(tenant, by="the argument")
    if not agreed(context, f"Remove the profile of {profile.name}?", yes=yes):
        return ExitCode.FAILED
    from supportaccess.signin.token_storage import forget_all

    had_tokens = forget_all(context.paths.cache, profile.tenant_id)  # first: without its profile nobody looks for them
    context.settings.remove(profile.tenant_id)
    signed_out = " Forgot the sign-in to it on this machine." if had_tokens else ""
    context.streams.note(f"Removed the profile of {profile.name}. The store still has its requests.{signed_out}")
    return ExitCode.DONE


def _tenant_id(context: Context, name: str) -> str:
    """Return the ID that a new or a known profile is for."""
    try:
        return context.tenant_id(name, by="the argument")
    except NotFound as error:
        error.hint = f"To add a tenant, give its ID: supportaccess tenant set TENANT_ID --alias {name}"
        raise


def _row(profile: Profile, default: str | None, origin: str | None = None) -> ProfileRow:
    return ProfileRow(
        tenant_id=profile.tenant_id,
        alias=profile.alias,
        store=profile.store,
        is_default=profile.tenant_id == default,
        origin=origin,
        silenced=profile.silenced,
    )


def _row_and_file(context: Context, profile: Profile, default: str | None) -> ProfileRow:
    """Return a profile as it holds for a command that names its tenant, with what set it."""
    origin = str(context.settings.file_of(profile.tenant_id))
    if endpoint := context.environment.get(ENDPOINT_VARIABLE):
        profile, origin = profile.at(endpoint), f"{origin}; its store: {ENDPOINT_VARIABLE}"
    return _row(profile, default, origin)


def _silenced(before: Mapping[str, str], given: Sequence[str]) -> dict[str, str]:
    """Return the reasons by code as they are to be. Raises InvalidInput for what is no code, or has no reason."""
    reasons = dict(before)
    for text in given:
        name, equals, reason = text.partition("=")
        code = name.strip().upper()
        if code not in list(Code) or not equals:
            raise InvalidInput(
                f"{text!r} does not name a code of audit lint and a reason{meant(code, Code)}",
                hint="Say it as CODE=REASON: --silence 'SA002=has no limits'\nsupportaccess audit lint --help",
            )
        if reason.strip():
            reasons[code] = check_text("the reason", reason, LONGEST_REASON)
        else:
            reasons.pop(code, None)
    return reasons
