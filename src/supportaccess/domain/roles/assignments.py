"""Who holds which directory role: what an export of role assignments tells."""

from collections.abc import Iterable, Iterator

from supportaccess.domain.permissions import Permission
from supportaccess.domain.roles.table import RoleTable
from supportaccess.structs import Struct

WHOLE_TENANT = "/"
GROUP = "group"


class RoleAssignment(Struct, frozen=True, kw_only=True):
    """One role of one principal. `kind` is `user`, `group` or `servicePrincipal`, where the export says it."""

    principal_id: str
    role_id: str
    scope: str = WHOLE_TENANT
    display_name: str | None = None
    kind: str | None = None
    role_name: str | None = None
    decides: bool = False
    """Whether the export itself says that the role includes the action that decisions need."""


class Holder(Struct, frozen=True, kw_only=True):
    """Somebody who may decide, and by which roles."""

    principal_id: str
    display_name: str | None = None
    kind: str | None = None
    roles: tuple[str, ...] = ()


class Deciders(Struct, frozen=True, kw_only=True):
    """Who may decide, by principal ID. `groups` are those whose members the export does not name."""

    people: dict[str, Holder]
    groups: tuple[Holder, ...] = ()


def deciders_of(assignments: Iterable[RoleAssignment], table: RoleTable) -> Deciders:
    """Return who holds a role that may decide, for the whole tenant: a role in one part of it does not decide."""
    deciding = frozenset(table.giving[Permission.DECIDE])
    found: dict[str, Holder] = {}
    for held in assignments:
        if held.scope == WHOLE_TENANT and (held.decides or held.role_id in deciding):
            found[held.principal_id] = _with(found.get(held.principal_id), held, table)
    groups = [holder for holder in found.values() if holder.kind == GROUP]
    people = {key: holder for key, holder in found.items() if holder.kind != GROUP}
    return Deciders(people=people, groups=tuple(groups))


def _with(known: Holder | None, held: RoleAssignment, table: RoleTable) -> Holder:
    name = table.names.get(held.role_id) or held.role_name or held.role_id
    before = known or Holder(principal_id=held.principal_id)
    return Holder(
        principal_id=held.principal_id,
        display_name=before.display_name or held.display_name,
        kind=before.kind or held.kind,
        roles=tuple(sorted({*before.roles, name})),
    )


def roles_that_decide(table: RoleTable) -> Iterator[tuple[str, str]]:
    """Yield the template ID and the name of each role that may decide, by name."""
    yield from sorted(((role, table.names[role]) for role in table.giving[Permission.DECIDE]), key=lambda each: each[1])
