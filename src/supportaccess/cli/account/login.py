"""`supportaccess login` and `logout`: signing in to a tenant of a shared store, and forgetting it."""

from collections.abc import Mapping
from inspect import Parameter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from msgspec.structs import replace

from supportaccess.cli.account.login_flow import Given, log_in
from supportaccess.cli.app import options
from supportaccess.cli.app.context import Context
from supportaccess.cli.app.exit_codes import ExitCode
from supportaccess.cli.app.group import examples
from supportaccess.domain.tenants import is_guid, parse_tenant_id
from supportaccess.errors import InvalidInput, NotFound, NotSignedIn, SupportAccessError
from supportaccess.http.endpoints import check_endpoint
from supportaccess.settings.profiles import ENDPOINT_VARIABLE, Profile
from supportaccess.settings.sign_in import OPTIONS, Method, SignInOption
from supportaccess.signin.registration import login_line

if TYPE_CHECKING:
    from supportaccess.store.wire import Discovery


def _option(*names: str, metavar: str, text: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(*names, metavar=metavar, help=text, show_default=False)
    return option


def _parameter(name: str, option: SignInOption) -> Parameter:
    if option.metavar is None:
        kind: Any = Annotated[bool, typer.Option(option.flag, help=option.help)]
        return Parameter(name, Parameter.KEYWORD_ONLY, default=False, annotation=kind)
    value = Path if option.is_path else str
    kind = Annotated[value | None, _option(option.flag, metavar=option.metavar, text=option.help)]
    return Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=kind)


def _given(**options: Any) -> dict[str, Any]:
    """Return the parts of a SignIn that were given; paths as they are found from another folder too."""
    given = ((name, value) for name, value in options.items() if value)
    return {name: str(value.expanduser().absolute()) if isinstance(value, Path) else value for name, value in given}


@options.in_place_of("parts", [_parameter(name, option) for name, option in OPTIONS.items()], _given)
@examples(
    (
        "For the first time, with a browser",
        "supportaccess login --endpoint https://store.example.com --tenant 8d3fc0a1-5a52-4c6e-9c0e-3f5b0a6d2e71",
    ),
    ("Without a browser on this machine", "supportaccess login --tenant contoso --with device-code"),
    ("Is the sign-in still good?", "supportaccess login --check --tenant contoso"),
)
def login(
    ctx: typer.Context,
    endpoint: Annotated[
        str | None, _option("--endpoint", metavar="URL", text="Of the shared store; needed the first time.")
    ] = None,
    tenant: options.Tenant = None,
    alias: Annotated[str | None, _option("--alias", metavar="NAME", text="A name to call the tenant by.")] = None,
    method: Annotated[
        Method | None,
        _option("--with", metavar="METHOD", text=f"{', '.join(Method)}. Default: the last one, else browser."),
    ] = None,
    client_id: Annotated[
        str | None, _option("--client-id", metavar="ID", text="Application to sign in as, instead of the endpoint's.")
    ] = None,
    authority: Annotated[
        str | None, _option("--authority", metavar="URL", text="Sign in there, whatever the endpoint says.")
    ] = None,
    *,
    parts: Mapping[str, Any],
    allow_plaintext_cache: Annotated[
        bool, typer.Option("--allow-plaintext-cache", help="Keep tokens in a file of mode 0600 where nothing encrypts.")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Only tell whether the sign-in is good: exit 0 or 3.")] = False,
) -> int:
    """Sign in to a tenant of a shared store; the endpoint says what else that takes.

    Secrets are read where you say that they are, and never kept. Tokens are kept encrypted where the system can.
    """
    context: Context = ctx.obj
    if check:
        return _check(context, tenant)
    profile, told = _profile(context, tenant, endpoint)
    if not profile.is_remote:
        context.streams.note(
            f"{profile.name} has the embedded store, where there is nothing to sign in to. For a shared store:\n"
            f"{login_line(profile)} --endpoint URL"
        )
        return ExitCode.DONE
    given = Given(
        method=method,
        client_id=client_id,
        authority=authority,
        sign_in=parts,
        allow_plaintext_cache=allow_plaintext_cache,
    )
    return log_in(context, replace(profile, alias=alias or profile.alias), told, given)


@examples(("One tenant", "supportaccess logout --tenant contoso"), ("Everywhere", "supportaccess logout --all"))
def logout(
    ctx: typer.Context,
    tenant: options.Tenant = None,
    every: Annotated[bool, typer.Option("--all", help="Every tenant.")] = False,
) -> int:
    """Forget the tokens of a tenant on this machine. Nothing is revoked at the authority.

    The profile stays, with how to sign in again.
    """
    context: Context = ctx.obj
    if every and tenant is not None:
        raise InvalidInput("--all and --tenant cannot be combined", hint="Give one of them.")
    names = _everyone(context) if every else {(chosen := context.settings.chosen(tenant)).tenant_id: chosen.name}
    forgotten, failed = _forget(context, names)
    for profile in context.settings.readable_profiles():
        if profile.tenant_id in names and profile.account is not None and profile.account.id is not None:
            context.settings.save(replace(profile, account=None))  # so that the next login is anybody's
    if not forgotten and failed is None:
        context.streams.note("There was no sign-in to forget.")
        return ExitCode.DONE
    if forgotten:
        _tell_forgotten(context, forgotten)
    if failed is not None:
        raise failed
    return ExitCode.DONE


def _forget(context: Context, names: Mapping[str, str]) -> tuple[list[str], SupportAccessError | None]:
    """Forget the tokens of these tenants; return whose there were, and what failed. One failure stops no other."""
    from supportaccess.signin.token_storage import forget_all

    forgotten: list[str] = []
    failed: SupportAccessError | None = None
    for tenant_id, name in names.items():
        try:
            forgotten += [name] if forget_all(context.paths.cache, tenant_id) else []
        except SupportAccessError as error:
            failed = error
    return forgotten, failed


def _tell_forgotten(context: Context, forgotten: list[str]) -> None:
    context.streams.note(
        f"Forgot the sign-in to {', '.join(forgotten)} on this machine. Tokens already given out stay good until they "
        "end; to revoke them: Entra admin center > Users > Revoke sessions."
    )


def _everyone(context: Context) -> dict[str, str]:
    """Return the names of all tenants that have a token cache, also of those without a profile any more."""
    from supportaccess.signin.token_storage import tenants_with_tokens

    names = {profile.tenant_id: profile.name for profile in context.settings.readable_profiles()}
    return {tenant_id: names.get(tenant_id, tenant_id) for tenant_id in tenants_with_tokens(context.paths.cache)}


def _check(context: Context, tenant: str | None) -> int:
    """Tell whether a command would get a token, without a person. Raises NotSignedIn when it would not."""
    profile = context.settings.chosen(tenant)
    if not profile.is_remote:
        context.streams.note(f"{profile.name} has the embedded store, where there is nothing to sign in to.")
        return ExitCode.DONE
    token = context.tokens(profile).token()
    until = f" until {token.ends.astimezone():%Y-%m-%d %H:%M}" if token.ends else ""
    context.streams.note(f"The sign-in to {profile.name} is good{until}, by {token.origin}.")
    return ExitCode.DONE


def _profile(context: Context, tenant: str | None, endpoint: str | None) -> "tuple[Profile, Discovery | None]":
    """Return the profile to sign in to, new or known, and what its endpoint said, where that was needed to find it."""
    endpoint = endpoint or context.environment.get(ENDPOINT_VARIABLE)
    if tenant is None and endpoint is not None:
        return _by_endpoint(context, endpoint)
    profile = _known(context, tenant) or _new(context, tenant, endpoint)
    return profile if endpoint is None else profile.at(endpoint), None


def _known(context: Context, tenant: str | None) -> Profile | None:
    """Return the profile that a name is of, or None for the ID of a tenant that has none yet."""
    if tenant is not None and is_guid(tenant):
        tenant_id = parse_tenant_id(tenant)
        return next((each for each in context.settings.readable_profiles() if each.tenant_id == tenant_id), None)
    try:
        return context.settings.chosen(tenant)
    except NotFound as error:
        error.hint = "Give the ID of a tenant that is new here: supportaccess login --endpoint URL --tenant TENANT_ID"
        raise


def _new(context: Context, tenant: str | None, endpoint: str | None) -> Profile:
    tenant_id = parse_tenant_id(tenant or "")
    if endpoint is None:
        raise InvalidInput(
            f"tenant {tenant_id} is new here, and it is not said where its store is",
            hint=f"supportaccess login --tenant {tenant_id} --endpoint URL",
        )
    context.settings.profiles()  # what is broken is told before anybody signs in
    return Profile(tenant_id=tenant_id)


def _by_endpoint(context: Context, endpoint: str) -> "tuple[Profile, Discovery | None]":
    """Find the tenant that is meant at an endpoint: by the variable, by the only profile there, or by its own word."""
    if name := context.environment.get("SUPPORTACCESS_TENANT"):
        return _profile(context, name, endpoint)
    url = check_endpoint(endpoint)
    there = [each for each in context.settings.readable_profiles() if each.store == url]
    if len(there) == 1:
        return there[0], None
    told = None if there else context.discover(url)
    if told is not None and told.tenant_id is not None:
        return _profile(context, told.tenant_id, url)[0], told
    names = ", ".join(each.name for each in there)
    raise NotSignedIn(
        f"several tenants have this endpoint: {names}" if there else "it is not said which tenant to sign in to",
        hint=f"supportaccess login --endpoint {url} --tenant TENANT_ID\n"
        "A tenant ID is a GUID: Entra admin center > Overview > Tenant ID.",
    )
