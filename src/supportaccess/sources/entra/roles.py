"""Which directory roles of Entra give what: the dated table that comes with the program."""

import pkgutil

from supportaccess.domain.roles.table import RoleTable, parse_role_table


def shipped_file() -> bytes:
    """Return the file of the table that comes with the program."""
    data = pkgutil.get_data(__package__, "data/entra-roles.json")
    if data is None:
        raise RuntimeError("the program's own role table is missing")
    return data


def shipped_role_table() -> RoleTable:
    """Return the table that comes with the program."""
    return parse_role_table(shipped_file(), "of this program")
