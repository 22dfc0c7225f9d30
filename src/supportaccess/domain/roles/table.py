"""Which directory roles give what: a dated table, for the server that checks tokens and for audits."""

from collections.abc import Mapping
from datetime import date

import msgspec

from supportaccess.domain.permissions import Permission
from supportaccess.domain.strict_json import BadJson, decode
from supportaccess.domain.tenants import is_guid
from supportaccess.errors import InvalidInput

LARGEST_TABLE = 1024 * 1024

BY_DIRECTORY_ROLE = frozenset({Permission.READ_REQUESTS, Permission.DECIDE, Permission.READ_AUDIT})
"""What a directory role can give. Who raises requests or imports is the provider: no directory role says that."""


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


def parse_role_table(data: bytes, name: str) -> RoleTable:
    """Read a table from its file: no more than one byte over `LARGEST_TABLE` need be read of it.

    Raises InvalidInput, which says what is wrong where.
    """
    if len(data) > LARGEST_TABLE:
        raise InvalidInput(f"the role table {name} is larger than {LARGEST_TABLE:,} bytes")
    try:
        file = msgspec.convert(decode(data.decode()), _TableFile)
    except (UnicodeDecodeError, BadJson, msgspec.ValidationError) as error:
        raise InvalidInput(
            f"the role table {name} is not one: {error}",
            hint="docs/operate/tokens.md shows what it looks like; leave it out for the shipped one.",
        ) from None
    return _table(file, name)


def _table(file: _TableFile, name: str) -> RoleTable:
    giving: dict[Permission, dict[str, None]] = {permission: {} for permission in BY_DIRECTORY_ROLE}
    names: dict[str, str] = {}
    for grant in file.grants:
        if foreign := grant.permissions.keys() - BY_DIRECTORY_ROLE:
            raise InvalidInput(f"the role table {name} gives {min(foreign)}, which only an app role can give")
        for role, template in grant.roles.items():
            if not is_guid(template):
                raise InvalidInput(f"the role table {name} has {template!r} for {role!r}: that is not a template ID")
            if names.setdefault(template.lower(), role) != role:
                raise InvalidInput(f"the role table {name} has two names for {template}")
            for permission in grant.permissions:
                giving[permission][template.lower()] = None
    if not any(giving.values()):
        raise InvalidInput(f"the role table {name} gives nothing to anybody")
    return RoleTable(file.as_of, {permission: tuple(ids) for permission, ids in giving.items()}, names)
