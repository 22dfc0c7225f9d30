"""What roles allow: directory roles (`wids`) by a table, or the app roles (`roles`) of the server's registration."""

from pathlib import Path

import msgspec

from supportaccess.domain.permissions import Permission
from supportaccess.domain.roles.table import BY_DIRECTORY_ROLE, LARGEST_TABLE, RoleTable, parse_role_table
from supportaccess.errors import InvalidInput
from supportaccess.server.settings import PermissionsFrom
from supportaccess.sources.entra.roles import shipped_role_table
from supportaccess.store.wire import Grant

_MOST_NAMED = 6


def load_role_table(path: Path | None = None) -> RoleTable:
    """Read an operator's role table, or return the shipped one. Raises InvalidInput, which says what is wrong where."""
    if path is None:
        return shipped_role_table()
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_TABLE + 1)
    except OSError as error:
        raise InvalidInput(f"the role table {path} cannot be read: {error.strerror}") from None
    return parse_role_table(data, str(path))


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
