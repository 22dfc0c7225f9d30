"""Where each setting of a tenant comes from: a flag, a variable, a line of a file, an endpoint or the default."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from supportaccess.cli.output.fields import Layout
from supportaccess.domain.records import Struct
from supportaccess.settings.files import line_of
from supportaccess.settings.paths import FOLDERS, Paths
from supportaccess.settings.profiles import Profile, Settings
from supportaccess.signin import access_tokens

DEFAULT = "default"
_HIDDEN = "(set; not shown)"
_DISCOVERED = {"client_id": "clientId", "authority": "authority", "scopes": "scopes"}


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
    if profile.alias is not None:
        yield Setting(name="alias", value=profile.alias, origin=_place(file, "alias"))
    yield Setting(name="store", value=profile.store, origin=_place(file, "store"))
    yield from _signing_in(profile, file)
    for code, reason in profile.silenced.items():
        yield Setting(name=f"silenced.{code}", value=reason, origin=_place(file, f"silenced.{code}"))
    if (default := settings.default_tenant()) is not None:
        origin = _place(settings.config_file, "default_tenant")
        yield Setting(name="defaultTenant", value=default, origin=origin)
    yield from _of_the_program(paths, environment)


def named_in(settings: Settings, origin: str) -> str:
    """Return what named a tenant, with the line where that is a file."""
    file = settings.config_file
    return _place(file, "default_tenant") if origin == str(file) else origin


def _signing_in(profile: Profile, file: Path) -> Iterator[Setting]:
    told = profile.discovery
    for key, name in _DISCOVERED.items():
        value = getattr(profile, key)
        if not value:
            continue
        origin = _place(file, key)
        if told is not None and getattr(told, key) == value:
            origin = f"discovery document of {profile.store}, fetched {told.fetched_at:%Y-%m-%dT%H:%M:%SZ} ({origin})"
        yield Setting(name=name, value=value if isinstance(value, str) else " ".join(value), origin=origin)
    if profile.sign_in is not None:
        yield Setting(name="signIn", value=profile.sign_in.method, origin=_place(file, "sign_in.method"))
    if profile.account is not None:
        yield Setting(name="account", value=profile.account.name, origin=_place(file, "account.name"))


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
