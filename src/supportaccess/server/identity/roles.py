"""What roles allow: directory roles (`wids`) by a table, or the app roles (`roles`) of the server's registration."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import msgspec

from supportaccess.domain.errors import InvalidInput
from supportaccess.domain.permissions import Permission
from supportaccess.domain.strict_json import BadJson, decode
from supportaccess.domain.tenants import is_guid
from supportaccess.server.settings import PermissionsFrom
from supportaccess.store.wire import Grant

SHIPPED_TABLE = Path(__file__).parent / "data" / "entra-roles.json"
LARGEST_TABLE = 1024 * 1024

BY_DIRECTORY_ROLE = frozenset({Permission.READ_REQUESTS, Permission.DECIDE, Permission.READ_AUDIT})
"""What a directory role can give. Who raises requests or imports is the provider: no directory role says that."""

_MOST_NAMED = 6


class _GrantOfRoles(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Some roles (name to template ID) and what each of them gives: the permission, and what that rests on."""

    permissions: dict[Permission, str]
    roles: dict[str, str]


class _TableFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    as_of: date
    grants: tuple[_GrantOfRoles, ...]
    sources: tuple[str, ...] = ()


class RoleTable(msgspec.Struct, frozen=True):
    """Which directory role gives what: for each permission the template IDs, and for each template ID the name."""

    as_of: date
    giving: Mapping[Permission, tuple[str, ...]]
    names: Mapping[str, str]


def load_role_table(path: Path = SHIPPED_TABLE) -> RoleTable:
    """Read a role table. Raises InvalidInput, which says what is wrong where."""
    try:
        if path.stat().st_size > LARGEST_TABLE:
            raise InvalidInput(f"the role table {path} is larger than {LARGEST_TABLE:,} bytes")
        file = msgspec.convert(decode(path.read_text("utf-8")), _TableFile)
    except OSError as error:
        raise InvalidInput(f"the role table {path} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, BadJson, msgspec.ValidationError) as error:
        raise InvalidInput(
            f"the role table {path} is not one: {error}",
            hint="docs/operate/tokens.md shows what it looks like; leave identity.role_table out for the shipped one.",
        ) from None
    return _table(file, path)


def _table(file: _TableFile, path: Path) -> RoleTable:
    giving: dict[Permission, dict[str, None]] = {permission: {} for permission in BY_DIRECTORY_ROLE}
    names: dict[str, str] = {}
    for grant in file.grants:
        if foreign := grant.permissions.keys() - BY_DIRECTORY_ROLE:
            raise InvalidInput(f"the role table {path} gives {min(foreign)}, which only an app role can give")
        for name, template in grant.roles.items():
            if not is_guid(template):
                raise InvalidInput(f"the role table {path} has {template!r} for {name!r}: that is not a template ID")
            if names.setdefault(template.lower(), name) != name:
                raise InvalidInput(f"the role table {path} has two names for {template}")
            for permission in grant.permissions:
                giving[permission][template.lower()] = None
    if not any(giving.values()):
        raise InvalidInput(f"the role table {path} gives nothing to nobody")
    return RoleTable(file.as_of, {permission: tuple(ids) for permission, ids in giving.items()}, names)


class RoleRules(msgspec.Struct, frozen=True):
    """How this server turns roles into permissions. `client_id` names the app registration in its messages."""

    mode: PermissionsFrom
    table: RoleTable
    client_id: str

    def from_directory(self, permission: Permission) -> bool:
        """Tell whether the permission comes from directory roles rather than from app roles."""
        return self.mode is PermissionsFrom.DIRECTORY_ROLES and permission in BY_DIRECTORY_ROLE


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """The roles of one token. None where it has no such claim at all.

    `nothing_because` says why they count for nothing; `no_decision_because` why they do not allow to decide.
    """

    rules: RoleRules
    wids: tuple[str, ...] | None = None
    app_roles: tuple[str, ...] | None = None
    nothing_because: str = ""
    no_decision_because: str = ""

    def grants(self) -> tuple[Grant, ...]:
        """Return the permissions and which roles give each."""
        if self.nothing_because:
            return ()
        found = ((permission, self._givers(permission)) for permission in Permission)
        return tuple(
            Grant(permission=permission, granted_by=givers)
            for permission, givers in found
            if givers and not (permission == Permission.DECIDE and self.no_decision_because)
        )

    def explain(self, permission: Permission) -> str:
        """Return why the permission is missing, and what would give it."""
        if self.nothing_because:
            return self.nothing_because
        if permission == Permission.DECIDE and self.no_decision_because:
            return self.no_decision_because
        if self.rules.from_directory(permission):
            return f"{self._roles_that_would_do(permission)} {self._directory_roles_held()}"
        return (
            f"{permission} is given by the app role of that name of app registration {self.rules.client_id}. "
            f"{self._app_roles_held()}"
        )

    def _givers(self, permission: Permission) -> tuple[str, ...]:
        if self.rules.from_directory(permission):
            held = frozenset(self.wids or ())
            return tuple(self.rules.table.names[role] for role in self.rules.table.giving[permission] if role in held)
        return (permission.value,) if permission in (self.app_roles or ()) else ()

    def _roles_that_would_do(self, permission: Permission) -> str:
        roles = [self.rules.table.names[role] for role in self.rules.table.giving[permission]]
        if not roles:
            return f"The role table of this server gives {permission} to no role."
        rest = f" and {len(roles) - _MOST_NAMED} more" if len(roles) > _MOST_NAMED else ""
        return f"Directory roles that give {permission}: {', '.join(roles[:_MOST_NAMED])}{rest}."

    def _directory_roles_held(self) -> str:
        if self.wids is None:
            return (
                "The token has no wids claim at all: set groupMembershipClaims to DirectoryRole in the manifest of "
                f"app registration {self.rules.client_id}, then sign in again."
            )
        held = [self.rules.table.names[role] for role in self.wids if role in self.rules.table.names]
        others = len(self.wids) - len(held)
        also = f"{others} that give nothing here" if others else ""
        return f"Held: {', '.join([*held, *([also] if also else [])]) or 'none'}. A new role shows in a new sign-in."

    def _app_roles_held(self) -> str:
        if self.app_roles is None:
            return "The token has no roles claim at all: assign the app role, then sign in again."
        known = [role for role in self.app_roles if role in set(Permission)]
        return f"Held: {', '.join(known) or 'none'}. A new app role shows in a new sign-in."
