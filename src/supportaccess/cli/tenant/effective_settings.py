"""Where each setting of a tenant comes from: a flag, a variable, a line of a file, an endpoint or the default."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from supportaccess.cli.output.fields import Layout, cell_text
from supportaccess.settings.files import line_of
from supportaccess.settings.paths import FOLDERS, Paths
from supportaccess.settings.profiles import ENDPOINT_VARIABLE, OF_SIGNING_IN, Profile, Settings
from supportaccess.settings.sign_in import Discovered, SignIn, SignInOption, taken_by
from supportaccess.signin import access_tokens
from supportaccess.signin import environment as variables
from supportaccess.structs import Struct

DEFAULT = "default"
_HIDDEN = "(set; not shown)"
_DISCOVERED = ("client_id", "authority", "scopes")
_IN_OWN_WAY = {"tenant_id", "store", "silenced", *OF_SIGNING_IN}
"""The keys of a profile that something else than its file may set, or that have several values."""


class Setting(Struct, frozen=True, kw_only=True):
    """A setting as it holds for a command in this tenant, and what set it. A secret's value is not shown."""

    name: str
    value: str
    origin: str


SETTINGS = Layout(Setting, ("name", "value", "origin"), "name")


def settings_of(
    profile: Profile, named_by: str, *, settings: Settings, paths: Paths, environment: Mapping[str, str]
) -> Iterator[Setting]:
    """Yield every setting that a command in the tenant goes by; `named_by` is what named the tenant."""
    file = settings.file_of(profile.tenant_id)
    yield Setting(name="tenantId", value=profile.tenant_id, origin=named_by)
    for key in (key for key in Profile.__struct_fields__ if key not in _IN_OWN_WAY):
        if (value := getattr(profile, key)) is not None:
            yield Setting(name=_shown(key), value=cell_text(value), origin=_place(file, key))
    store = ENDPOINT_VARIABLE if environment.get(ENDPOINT_VARIABLE) else _place(file, "store")
    yield Setting(name="store", value=profile.store, origin=store)
    if profile.is_remote:
        how = variables.sign_in_of(environment)
        if how is None:
            yield from _signing_in(profile, file)
        else:
            yield from _signing_in_by_variables(profile, how, file, environment)
    for code, reason in profile.silenced.items():
        yield Setting(name=f"silenced.{code}", value=reason, origin=_place(file, f"silenced.{code}"))
    if (default := settings.default_tenant()) is not None:
        origin = _place(settings.config_file, "default_tenant")
        yield Setting(name="defaultTenant", value=default, origin=origin)
    yield _plaintext_cache(settings, environment)
    yield from _of_the_program(paths, environment)


def named_in(settings: Settings, origin: str) -> str:
    """Return what named a tenant, with the line where that is a file."""
    file = settings.config_file
    return _place(file, "default_tenant") if origin == str(file) else origin


def _signing_in(profile: Profile, file: Path) -> Iterator[Setting]:
    """Yield what the profile says of signing in."""
    yield from _registered(profile, file)
    if profile.sign_in is not None:
        yield Setting(name="signIn", value=profile.sign_in.method, origin=_place(file, "sign_in.method"))
        for key, option, value in _taken(profile.sign_in):
            value = f"(in the variable {value}; not shown)" if option.is_secret else value
            yield Setting(name=option.shown, value=value, origin=_place(file, f"sign_in.{key}"))
    if profile.account is not None:
        yield Setting(name="account", value=profile.account.name, origin=_place(file, "account.name"))


def _signing_in_by_variables(
    profile: Profile, how: SignIn, file: Path, environment: Mapping[str, str]
) -> Iterator[Setting]:
    """Yield what variables say of it, which go before the profile; the rest is the endpoint's word."""
    known = {"client_id": variables.client_id_variable(how, environment), "authority": variables.AUTHORITY}
    given = {key: variable for key, variable in known.items() if variable and environment.get(variable)}
    for key, variable in given.items():
        yield Setting(name=_shown(key), value=environment[variable], origin=variable)
    # By its own word the endpoint's application is for people, and for a managed identity what it asks a token of.
    asked = set(_DISCOVERED) - set(given) - ({"client_id"} if how.method.takes_client_id else set())
    if (told := profile.discovery) is not None:
        for key in (key for key in _DISCOVERED if key in asked):
            origin = f"{_document(profile.store, told)} ({_place(file, f'discovery.{key}')})"
            yield Setting(name=_shown(key), value=_text(getattr(told, key)), origin=origin)
    yield Setting(name="signIn", value=how.method, origin=variables.named_by(environment) or DEFAULT)
    for _, option, value in _taken(how):
        yield Setting(name=option.shown, value=_HIDDEN if option.is_secret else value, origin=option.variable)
    for key, option in taken_by(how.method).items():
        if option.fallback and not getattr(how, key) and (path := environment.get(option.fallback)):
            yield Setting(name=option.shown, value=path, origin=option.fallback)


def _registered(profile: Profile, file: Path) -> Iterator[Setting]:
    """Yield as which application and where the profile signs in."""
    told = profile.discovery
    for key in _DISCOVERED:
        value = getattr(profile, key)
        if not value:
            continue
        origin = _place(file, key)
        if told is not None and getattr(told, key) == value:
            origin = f"{_document(profile.store, told)} ({origin})"
        yield Setting(name=_shown(key), value=_text(value), origin=origin)


def _document(store: str, told: Discovered) -> str:
    return f"discovery document of {store}, fetched {told.fetched_at:%Y-%m-%dT%H:%M:%SZ}"


def _shown(key: str) -> str:
    """Return a key of a profile's file as this names it."""
    first, *rest = key.split("_")
    return first + "".join(map(str.capitalize, rest))


def _text(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else " ".join(value)


def _taken(how: SignIn) -> Iterator[tuple[str, SignInOption, str]]:
    """Yield what the method goes by."""
    for key, option in taken_by(how.method).items():
        value = getattr(how, key)
        if value and not (option.unless and getattr(how, option.unless)):
            yield key, option, "yes" if value is True else str(value)


def _plaintext_cache(settings: Settings, environment: Mapping[str, str]) -> Setting:
    name = "allowPlaintextCache"
    if variables.said_yes(environment, variables.ALLOW_PLAINTEXT):
        return Setting(name=name, value="yes", origin=variables.ALLOW_PLAINTEXT)
    value = "yes" if settings.allows_plaintext_cache() else "no"
    return Setting(name=name, value=value, origin=_place(settings.config_file, "allow_plaintext_cache"))


def _of_the_program(paths: Paths, environment: Mapping[str, str]) -> Iterator[Setting]:
    output = environment.get("SUPPORTACCESS_OUTPUT")
    usual = "table on a terminal, tsv in a pipe"
    yield Setting(name="output", value=output or usual, origin="SUPPORTACCESS_OUTPUT" if output else DEFAULT)
    for kind, variable in FOLDERS.items():
        origin = variable if environment.get(variable) else DEFAULT
        yield Setting(name=f"{kind}Folder", value=str(getattr(paths, kind)), origin=origin)
    for variable in (access_tokens.VARIABLE, access_tokens.FILE_VARIABLE):
        if environment.get(variable):
            yield Setting(name="accessToken", value=_HIDDEN, origin=variable)
            return  # the first one goes before the second


def _place(file: Path, key: str) -> str:
    line = line_of(file, key)
    return DEFAULT if line is None else f"{file}, line {line}"
