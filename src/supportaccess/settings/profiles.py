"""Tenant profiles: the tenants that this person works with, and the one that a command is for."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from supportaccess.domain.tenants import is_guid, parse_tenant_id
from supportaccess.errors import Ambiguous, InvalidInput, NotFound, NotSignedIn, SupportAccessError
from supportaccess.http.endpoints import check_endpoint
from supportaccess.private_files import make_folder, refused
from supportaccess.settings.authorities import check_authority, check_scope
from supportaccess.settings.files import broken, edit, locked, read
from supportaccess.settings.paths import Paths
from supportaccess.settings.sign_in import Account, Discovered, SignIn, check_client_id
from supportaccess.suggestions import nearest

EMBEDDED = "embedded"
ENDPOINT_VARIABLE = "SUPPORTACCESS_ENDPOINT"
"""Names the store of the tenant that a command is for, before its profile does."""

OF_SIGNING_IN = ("client_id", "authority", "scopes", "sign_in", "account", "discovery")
"""The keys of a profile that are about signing in to its store."""

_ALIAS = r"[A-Za-z0-9._-]{1,64}"


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """What is set for one tenant. Every field but the tenant ID is a key of its file; `_CHECKS` says what it may be.

    `store` is `embedded`, or the endpoint of a shared store. The rest is about signing in there: `client_id`,
    `authority` and `scopes` are what `login` settled on, by what the endpoint said (`discovery`) or by its options.
    `silenced` has, for codes of `audit lint`, the reason for which they do not count here.
    """

    tenant_id: str
    alias: str | None = None
    store: str = EMBEDDED
    silenced: Mapping[str, str] = {}
    client_id: str | None = None
    authority: str | None = None
    scopes: tuple[str, ...] = ()
    sign_in: SignIn | None = None
    account: Account | None = None
    discovery: Discovered | None = None

    @property
    def name(self) -> str:
        """The name to show for the tenant."""
        return self.alias or self.tenant_id

    @property
    def shown(self) -> str:
        """The tenant for whom nothing may be mistaken: alias and ID."""
        return f"{self.alias} ({self.tenant_id})" if self.alias else self.tenant_id

    @property
    def is_remote(self) -> bool:
        """Whether the tenant's store is a shared one."""
        return self.store != EMBEDDED

    def at(self, store: str) -> "Profile":
        """Return it with another store, without what signs in to the one that it had. Raises InvalidInput."""
        store = store if store == EMBEDDED else check_endpoint(store)
        if store == self.store:
            return self
        return replace(self, store=store, **{key: getattr(_NEW, key) for key in OF_SIGNING_IN})


_NEW = Profile(tenant_id="")


class _Config(msgspec.Struct, frozen=True):
    """What is set for all tenants: the keys of config.toml."""

    default_tenant: str | None = None
    allow_plaintext_cache: bool = False


class Settings:
    """The tenant profiles of this account. Nothing is kept in memory: each question reads the files it needs."""

    def __init__(self, paths: Paths, environment: Mapping[str, str]) -> None:
        self._folder = paths.config
        self._tenants = paths.config / "tenants"
        self._environment = environment

    @property
    def config_file(self) -> Path:
        """The file of what is set for all tenants."""
        return self._folder / "config.toml"

    def file_of(self, tenant_id: str) -> Path:
        """Return the file of a tenant's profile, whether or not there is one."""
        return self._tenants / f"{tenant_id}.toml"

    def profiles(self) -> list[Profile]:
        """Return all profiles, sorted by name. Raises InvalidInput, StoreRefused if one cannot be read."""
        profiles, unreadable = self.every_profile()
        for error in unreadable.values():
            raise error
        return profiles

    def every_profile(self) -> tuple[list[Profile], dict[str, SupportAccessError]]:
        """Return the profiles that can be read, sorted by name, and why the others cannot, by the names of their files.

        Raises StoreRefused if not even their folder can be read.
        """
        profiles: list[Profile] = []
        unreadable: dict[str, SupportAccessError] = {}
        for stem in self._stems():
            try:
                profile = self._read(stem)
            except SupportAccessError as error:
                unreadable[stem] = error
            else:
                profiles += [profile] if profile else []
        return sorted(profiles, key=lambda profile: profile.name.lower()), unreadable

    def readable_profiles(self) -> list[Profile]:
        """Return the profiles that can be read, for where another tenant's broken file is not to do harm."""
        return self.every_profile()[0]

    def default_tenant(self) -> str | None:
        """Return the ID of the default tenant. Raises InvalidInput, StoreRefused if config.toml cannot be read."""
        config = read(self.config_file, _Config)
        if config is None or config.default_tenant is None:
            return None
        try:
            return parse_tenant_id(config.default_tenant)
        except InvalidInput as error:
            raise broken(self.config_file, f"default_tenant: {error.message}", key="default_tenant") from None

    def chosen(self, name: str | None, *, by: str = "--tenant") -> Profile:
        """Return the profile of the tenant that a command is for.

        In this order: `name` (given `by` a flag or an argument), SUPPORTACCESS_TENANT, the default tenant, the only
        profile. A name is an alias or a tenant ID. Another tenant's broken file does no harm to a name that is found
        without it.

        Raises NotSignedIn without a tenant or a profile for it, NotFound for an alias that nobody has, Ambiguous for
        one that several have, InvalidInput and StoreRefused for a file that cannot be read.
        """
        name, origin = self._choice(name, by)
        endpoint = self._environment.get(ENDPOINT_VARIABLE)
        if not is_guid(name):
            profile = self._by_alias(name, origin)
        elif endpoint:  # where a pipeline needs no profile
            tenant_id = parse_tenant_id(name)
            profile = self._read(tenant_id) or Profile(tenant_id=tenant_id)
        else:
            profile = self._by_id(parse_tenant_id(name), origin)
        return profile.at(endpoint) if endpoint else profile

    def allows_plaintext_cache(self) -> bool:
        """Tell whether config.toml says that tokens may be kept unencrypted. Raises InvalidInput, StoreRefused."""
        config = read(self.config_file, _Config)
        return config is not None and config.allow_plaintext_cache

    def origin(self, name: str | None) -> str:
        """Return what named the tenant of `chosen`: a flag, a variable, or the path of a file.

        Raises NotSignedIn without a tenant, InvalidInput and StoreRefused for a file that cannot be read.
        """
        return self._choice(name, "--tenant")[1]

    def save(self, profile: Profile) -> None:
        """Create or update a profile; comments and unknown keys of its file stay.

        Raises InvalidInput for a value that cannot be taken or a broken file, StoreRefused, StoreUnavailable.
        """
        store = check_endpoint(profile.store) if profile.is_remote else EMBEDDED
        profile = replace(profile, tenant_id=parse_tenant_id(profile.tenant_id), store=store)
        _check(profile)
        with locked(self._folder):
            self._save(profile)

    def change(self, tenant_id: str, change: Callable[[Profile], Profile]) -> Profile:
        """Change a profile that is there, whatever others change of it meanwhile, and return it.

        Raises NotSignedIn without a profile, otherwise like `save`.
        """
        with locked(self._folder):
            profile = change(self._by_id(parse_tenant_id(tenant_id)))
            self._save(profile)
        return profile

    def remember(self, profile: Profile, discovery: Discovered) -> None:
        """Keep what the profile's endpoint said, unless the profile has another endpoint by now.

        Raises InvalidInput, StoreRefused, StoreUnavailable.
        """
        with locked(self._folder):
            now = self._read(profile.tenant_id)
            if now is not None and now.store == profile.store:
                edit(self.file_of(profile.tenant_id), _values(replace(now, discovery=discovery)))

    def use(self, tenant_id: str) -> None:
        """Make it the default tenant. Raises NotSignedIn without a profile, InvalidInput, StoreRefused."""
        tenant_id = parse_tenant_id(tenant_id)
        with locked(self._folder):
            self._by_id(tenant_id)
            self.default_tenant()  # what is broken is not written to
            edit(self.config_file, {"default_tenant": tenant_id})

    def remove(self, tenant_id: str) -> None:
        """Remove a profile; if it was the default tenant's, there is no default any more.

        Raises NotSignedIn without a profile, InvalidInput, StoreRefused, StoreUnavailable.
        """
        tenant_id = parse_tenant_id(tenant_id)
        with locked(self._folder):
            self._by_id(tenant_id)
            if self.default_tenant() == tenant_id:
                edit(self.config_file, {"default_tenant": None})
            path = self.file_of(tenant_id)
            try:
                path.unlink()
            except OSError as error:
                raise refused(path, "removed", error) from error

    def _save(self, profile: Profile) -> None:
        _check(profile)
        self._check_alias_is_free(profile)
        self._read(profile.tenant_id)  # what is broken is not written to
        make_folder(self._tenants)
        edit(self.file_of(profile.tenant_id), _values(profile))

    def _choice(self, name: str | None, by: str) -> tuple[str, str]:
        """Return the name of the chosen tenant, and what named it."""
        if name == "":
            raise InvalidInput(f"{by} is empty", hint="Give an alias or a tenant ID: supportaccess tenant list")
        if name is not None:
            return name, by
        if name := self._environment.get("SUPPORTACCESS_TENANT"):
            return name, "SUPPORTACCESS_TENANT"
        if name := self.default_tenant():
            return name, str(self.config_file)
        if len(stems := self._stems()) == 1:
            return self._tenant_id(stems[0]), "the only profile"
        raise _nothing_chosen(self.profiles())

    def _by_id(self, tenant_id: str, origin: str | None = None) -> Profile:
        profile = self._read(tenant_id)
        if profile is None:
            named = f", named by {origin}," if origin else ""
            raise NotSignedIn(
                f"tenant {tenant_id}{named} is not set up", hint=f"Set it up: supportaccess tenant set {tenant_id}"
            )
        return profile

    def _by_alias(self, name: str, origin: str) -> Profile:
        profiles, unreadable = self.every_profile()
        matching = [profile for profile in profiles if _same_alias(profile.alias, name)]
        match matching:
            case [profile]:
                return profile
            case []:
                raise next(iter(unreadable.values()), None) or _nobody_has(name, origin, profiles)
            case _:
                raise Ambiguous(
                    f"several tenants have the alias {name!r}: {', '.join(p.tenant_id for p in matching)}",
                    hint="Give the tenant ID, or change an alias: supportaccess tenant set TENANT_ID --alias ALIAS",
                )

    def _check_alias_is_free(self, profile: Profile) -> None:
        if profile.alias is None:
            return
        for other in self.readable_profiles():
            if other.tenant_id != profile.tenant_id and _same_alias(other.alias, profile.alias):
                raise InvalidInput(
                    f"tenant {other.tenant_id} already has the alias {other.alias!r}", hint="Choose another alias."
                )

    def _stems(self) -> list[str]:
        """Return the names of the tenant files, without `.toml`. Hidden files are an editor's or our own."""
        try:
            paths = list(self._tenants.iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise refused(self._tenants, "read", error) from error
        return sorted(path.stem for path in paths if path.suffix == ".toml" and not path.name.startswith("."))

    def _tenant_id(self, stem: str) -> str:
        if not is_guid(stem) or stem != stem.lower():
            raise broken(self.file_of(stem), "its name is not a tenant ID in lower case")
        return stem

    def _read(self, stem: str) -> Profile | None:
        path = self.file_of(stem)
        profile = read(path, Profile, tenant_id=self._tenant_id(stem))
        if profile is not None and (wrong := _wrong(profile)):
            key, error = wrong
            raise broken(path, error.message, key=key)
        return profile


def _check_alias(alias: str) -> None:
    if is_guid(alias) or not re.fullmatch(_ALIAS, alias, re.ASCII):
        raise InvalidInput(
            f"{alias!r} is not an alias",
            hint="An alias has 1 to 64 characters of A-Z a-z 0-9 . _ - and is not a GUID.",
        )


def _check_store(store: str) -> None:
    if store != EMBEDDED:
        check_endpoint(store)


def _check_scopes(scopes: tuple[str, ...]) -> None:
    for scope in scopes:
        check_scope(scope)


_CHECKS: Mapping[str, Callable[[Any], object]] = {
    "alias": _check_alias,
    "store": _check_store,
    "client_id": check_client_id,
    "authority": check_authority,
    "scopes": _check_scopes,
}
"""What raises InvalidInput for a value that a profile cannot have under a key: beside the type of the field."""


def _check(profile: Profile) -> None:
    """Raise InvalidInput for a value that a profile cannot have."""
    if wrong := _wrong(profile):
        raise wrong[1]


def _wrong(profile: Profile) -> tuple[str, InvalidInput] | None:
    """Return the first key whose value a profile cannot have, and why; None when all is well."""
    for key, check in _CHECKS.items():
        value = getattr(profile, key)
        try:
            if value is not None:
                check(value)
        except InvalidInput as error:
            return key, error
    return None


def _values(profile: Profile) -> dict[str, object]:
    """Return the keys of a profile's file; None for one that is not to be there."""
    from supportaccess.domain.lint.findings import Code

    values = {key: _as_toml(getattr(profile, key)) for key in profile.__struct_fields__ if key != "tenant_id"}
    if profile.silenced:
        values["silenced"] = {code.value: profile.silenced.get(code) for code in Code}
    return values


def _as_toml(value: object) -> object:
    match value:
        case msgspec.Struct():
            return msgspec.to_builtins(value, builtin_types=(datetime,))
        case tuple():
            return list(value) or None
        case Mapping():
            return value or None
        case _:
            return value


def _same_alias(alias: str | None, name: str) -> bool:
    # ASCII only: the Kelvin sign lower-cases to a k that was never typed.
    return alias is not None and name.isascii() and alias.lower() == name.lower()


def _nobody_has(name: str, origin: str, profiles: list[Profile]) -> NotFound:
    """Return the error for an alias that nobody has, with the nearest one."""
    near = nearest(name, (profile.alias for profile in profiles if profile.alias))
    question = f"; did you mean {near!r}?" if near else ""
    return NotFound(
        f"no tenant has the alias {name!r}, named by {origin}{question}",
        hint="See which there are: supportaccess tenant list",
    )


def _nothing_chosen(profiles: list[Profile]) -> NotSignedIn:
    """Return the error where nothing names a tenant and several, or none, are set up."""
    if not profiles:
        return NotSignedIn(
            "no tenant is set up yet",
            hint="Read an Entra audit log export: supportaccess import FILE --tenant TENANT_ID\n"
            "or set a tenant up: supportaccess tenant set TENANT_ID",
        )
    return NotSignedIn(
        f"several tenants are set up and none is the default: {', '.join(profile.name for profile in profiles)}",
        hint="Choose a default: supportaccess tenant use ALIAS\nor name one for this command: --tenant ALIAS",
    )
