"""The store on PostgreSQL: opened for a server, and only where the database keeps what the store promises."""

from collections.abc import Iterator, Sequence

from supportaccess.errors import StoreRefused
from supportaccess.store.sql.engine import KNOWN_VERSION, Row
from supportaccess.store.sql.postgresql.engine import Connection, PostgresqlEngine, connected
from supportaccess.store.sql.postgresql.schema import RIGHTS, schema_version, wrong_rights

_OLDEST = 150_000
_TOO_MIGHTY = {
    "rolsuper": ("a superuser", "NOSUPERUSER"),
    "rolbypassrls": ("one that row-level security does not hold for", "NOBYPASSRLS"),
    "rolcreaterole": ("one that may make itself a member of other roles", "NOCREATEROLE"),
    "rolreplication": ("one that may copy the whole database", "NOREPLICATION"),
}
_BEYOND_THE_DATABASE = ("pg_execute_server_program", "pg_read_server_files", "pg_write_server_files")
_DURABLE = {
    "fsync": ("on",),
    "full_page_writes": ("on",),
    "synchronous_commit": ("on", "remote_apply"),
}

_OWN_ROLE = "Let the server sign in as a role of its own (docs/operate/postgresql.md)."
_OWNED = """
    SELECT rolname, string_agg(relname, ', ' ORDER BY relname)
    FROM pg_class JOIN unnest(%s::text[]) AS name ON pg_class.oid = to_regclass(name)
    JOIN pg_roles ON pg_roles.oid = relowner
    WHERE pg_has_role(current_user, relowner, 'MEMBER') GROUP BY 1 ORDER BY 1
"""
_OPEN_TABLES = """
    SELECT name FROM pg_class JOIN unnest(%s::text[]) AS name ON pg_class.oid = to_regclass(name)
    WHERE name <> 'schema_version' AND NOT (relrowsecurity AND relforcerowsecurity) ORDER BY 1
"""

# Who owns the database or the schema may drop the tables, whoever owns those.
_AROUND_THE_TABLES = """
    SELECT 'database', datname, datdba::regrole::text FROM pg_database
    WHERE datname = current_database() AND pg_has_role(current_user, datdba, 'MEMBER')
    UNION ALL
    SELECT 'schema', nspname, nspowner::regrole::text FROM pg_namespace
    WHERE oid = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('audit_events'))
    AND nspowner <> 'pg_database_owner'::regrole AND pg_has_role(current_user, nspowner, 'MEMBER')
"""
_OTHER_POLICIES = """
    SELECT name, polname FROM pg_policy JOIN unnest(%s::text[]) AS name ON polrelid = to_regclass(name)
    WHERE polpermissive AND polname NOT IN ('of_the_tenants', 'of_every_tenant') ORDER BY 1, 2
"""
_COLUMN_RIGHTS = """
    SELECT name, quote_ident(attname), privilege_type,
        CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END
    FROM unnest(%s::text[]) AS name JOIN pg_attribute ON attrelid = to_regclass(name), aclexplode(attacl)
    WHERE grantee = 0 OR pg_has_role(current_user, grantee, 'MEMBER') ORDER BY name, attnum, 3, 4
"""
# Those that keep an audit log from being changed, and those of foreign keys, which a superuser can disable too.
_IDLE_TRIGGERS = """
    SELECT name, quote_ident(tgname) FROM pg_trigger JOIN unnest(%s::text[]) AS name ON tgrelid = to_regclass(name)
    WHERE tgenabled NOT IN ('O', 'A') ORDER BY 1, 2
"""

Trouble = tuple[str, str]
"""What is wrong, and the statement or command that mends it."""


def open_postgresql(conninfo: str, *, pool: int = 8) -> PostgresqlEngine:
    """Open the database for a server, with up to `pool` connections.

    Raises StoreUnavailable when it cannot be reached, and StoreRefused, naming what is wrong, when the role is not held
    by row-level security, an acknowledged change would not be durable, or the schema is another.
    """
    check(conninfo)
    return PostgresqlEngine(conninfo, pool=pool)


def check(conninfo: str) -> None:
    """Raise StoreRefused for a database that a server must not use."""
    with connected(conninfo) as connection:
        # In this order, and no further than the first that is wrong: a superuser, say, is an owner of everything, too.
        looks = (_database, _role, _version, _owner, _schema)
        troubles = next(filter(None, (list(look(connection)) for look in looks)), [])
    if troubles:
        raise StoreRefused("; ".join(what for what, _ in troubles), hint="\n".join(mend for _, mend in troubles))


def _database(connection: Connection) -> Iterator[Trouble]:
    version, shown = _one(connection, "SELECT current_setting('server_version_num')::int, version()")
    if version < _OLDEST:
        yield f"the database is {shown}; at least PostgreSQL 15 is needed", "Upgrade PostgreSQL."
    (encoding,) = _one(connection, "SELECT current_setting('server_encoding')")
    if encoding != "UTF8":
        yield (
            f"the database's encoding is {encoding}, not UTF8",
            "CREATE DATABASE supportaccess ENCODING 'UTF8' TEMPLATE template0;",
        )
    for name, allowed in _DURABLE.items():
        (setting,) = _one(connection, f"SELECT current_setting('{name}')")
        if setting not in allowed:
            yield (
                f"{name} is {setting}: a change that was told as done could be lost",
                f"ALTER SYSTEM SET {name} = on; SELECT pg_reload_conf();"
                " (and look at ALTER ROLE and ALTER DATABASE settings)",
            )


def _role(connection: Connection) -> Iterator[Trouble]:
    (role,) = _one(connection, "SELECT current_user")
    for column, (what, mend) in _TOO_MIGHTY.items():
        found = _all(
            connection,
            f"SELECT rolname FROM pg_roles WHERE {column} AND pg_has_role(current_user, oid, 'MEMBER') ORDER BY 1",
        )
        if (role,) in found:
            yield f"the server's role {role} is {what}", f'{_OWN_ROLE} If it is one: ALTER ROLE "{role}" {mend};'
            return
        yield from (
            (f"the server's role {role} is a member of {name}, {what}", f'REVOKE "{name}" FROM "{role}";')
            for (name,) in found
        )
    reaching = "SELECT name FROM unnest(%s::text[]) AS name WHERE pg_has_role(current_user, name, 'MEMBER')"
    for (name,) in _all(connection, reaching, [list(_BEYOND_THE_DATABASE)]):
        yield (
            f"the server's role {role} is a member of {name}, which reaches beyond the database",
            f'REVOKE "{name}" FROM "{role}";',
        )


def _version(connection: Connection) -> Iterator[Trouble]:
    version = schema_version(connection)
    if version < KNOWN_VERSION:
        yield f"the database's schema is {version}, not {KNOWN_VERSION}", "supportaccess store migrate"


def _owner(connection: Connection) -> Iterator[Trouble]:
    (role,) = _one(connection, "SELECT current_user")
    for owner, tables in _all(connection, _OWNED, [list(RIGHTS)]):
        if owner == role:
            yield (
                f"the server's role {role} owns {tables}",
                f'{_OWN_ROLE} If it is one: REASSIGN OWNED BY "{role}" TO an_owner;',
            )
        else:
            yield (
                f"the server's role {role} is a member of {owner}, which owns {tables}",
                f'REVOKE "{owner}" FROM "{role}";',
            )


def _schema(connection: Connection) -> Iterator[Trouble]:
    (role,) = _one(connection, "SELECT current_user")
    for (table,) in _all(connection, _OPEN_TABLES, [list(RIGHTS)]):
        yield (
            f"row-level security is not enabled and forced on {table}",
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;",
        )
    for kind, name, owner in _all(connection, _AROUND_THE_TABLES):
        yield (
            f"the server's role {role} owns the {kind} {name}, by itself or as a member of {owner}",
            f'ALTER {kind.upper()} "{name}" OWNER TO an_owner;',
        )
    for table, policy in _all(connection, _OTHER_POLICIES, [list(RIGHTS)]):
        yield (
            f"the policy {policy} on {table} is not of this program, and shows more rows",
            f'DROP POLICY "{policy}" ON {table};',
        )
    if wrong := wrong_rights(connection, role):
        yield (
            f"the server's role {role} has other rights than it needs on {', '.join(wrong)}",
            f"supportaccess store migrate --server-role {role}",
        )
    for table, column, right, grantee in _all(connection, _COLUMN_RIGHTS, [list(RIGHTS)]):
        if right not in RIGHTS[table]:
            yield (
                f"the server's role {role} has a right that it does not need: {right} on {table}, column {column}",
                f"REVOKE {right} ({column}) ON {table} FROM {grantee};",
            )
    yield from _triggers(connection)


def _triggers(connection: Connection) -> Iterator[Trouble]:
    for table, trigger in _all(connection, _IDLE_TRIGGERS, [list(RIGHTS)]):
        yield f"the trigger {trigger} on {table} is disabled", f"ALTER TABLE {table} ENABLE TRIGGER {trigger};"
    (setting,) = _one(connection, "SELECT current_setting('session_replication_role')")
    if setting == "replica":
        yield (
            "session_replication_role is replica: no trigger of the tables is run",
            "Look at ALTER ROLE and ALTER DATABASE settings: it has to be origin.",
        )


def _all(connection: Connection, statement: str, parameters: Sequence[object] | None = None) -> list[Row]:
    return connection.execute(statement.encode(), parameters).fetchall()


def _one(connection: Connection, statement: str) -> Row:
    return _all(connection, statement)[0]
