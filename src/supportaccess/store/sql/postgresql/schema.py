"""Brings a PostgreSQL database to the schema that this program knows, and gives the server's role its rights.

That is the owner's work; the server's own role could not do it.
"""

from typing import LiteralString

import psycopg
from psycopg import sql

from supportaccess.errors import StoreRefused
from supportaccess.store.sql.engine import KNOWN_VERSION
from supportaccess.store.sql.migrations import migrations
from supportaccess.store.sql.postgresql.engine import Connection, connected
from supportaccess.structs import Struct

SERVER_ROLE = "supportaccess_server"
RIGHTS: dict[LiteralString, frozenset[LiteralString]] = {
    "access_requests": frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"}),
    "support_requests": frozenset({"SELECT", "INSERT", "UPDATE"}),
    "audit_events": frozenset({"SELECT", "INSERT"}),
    "audit_log_heads": frozenset({"SELECT", "INSERT", "UPDATE"}),
    "audit_log_nodes": frozenset({"SELECT", "INSERT"}),
    "attempt_counts": frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"}),
    "audit_checkpoints": frozenset({"SELECT", "INSERT", "UPDATE"}),
    "idempotency": frozenset({"SELECT", "INSERT", "DELETE"}),
    "source_events": frozenset({"SELECT", "INSERT", "UPDATE"}),
    "source_event_keys": frozenset({"SELECT", "INSERT"}),
    "webhook_cursors": frozenset({"SELECT", "INSERT", "UPDATE"}),
    "schema_version": frozenset({"SELECT"}),
}
"""What the server's role may do with each table, and nothing beyond."""

_EVERY_RIGHT = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE"})
_VERSIONED = "SELECT 1 FROM pg_class WHERE relname = 'schema_version' AND pg_table_is_visible(oid)"
# Any number, always the same: who holds this lock migrates.
_LOCK = 7_264_051_833


class Plan(Struct, frozen=True, kw_only=True):
    """What a database lacks: versions of the schema still to come, and tables with other rights than needed."""

    version: int
    to_come: list[int]
    rights_of: list[str]

    @property
    def up_to_date(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.to_come or self.rights_of)


def plan(conninfo: str, server_role: str = SERVER_ROLE) -> Plan:
    """Return what `migrate` would do. Raises StoreRefused for a database of a newer program."""
    with connected(conninfo) as connection:
        return _plan(connection, server_role)


def migrate(conninfo: str, server_role: str = SERVER_ROLE) -> Plan:
    """Do what is to be done, and return what that was. Two that start at once do it once.

    Each migration is one transaction. Raises StoreRefused for a database of a newer program, and when the schema is up
    to date but the server's role does not exist.
    """
    with connected(conninfo) as connection:
        before = _plan(connection, server_role)
        try:
            for number, statements in sorted(migrations("postgresql").items()):
                with connection.transaction():
                    connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
                    if schema_version(connection) < number:
                        connection.execute(statements.encode())
                        connection.execute("UPDATE schema_version SET version = %s", [number])
            if before.rights_of:
                with connection.transaction():
                    connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
                    _grant(connection, server_role)
        except psycopg.errors.InsufficientPrivilege as error:
            raise StoreRefused(
                f"this role may not change the database: {error.diag.message_primary}",
                hint="Run it as the owner of the database.",
            ) from error
        return before


def schema_version(connection: Connection) -> int:
    """Return the version of the database's schema: 0 for an empty one. Raises StoreRefused for a newer one."""
    # Not by to_regclass, which may still answer from before another migration ended that this one waited for.
    if not connection.execute(_VERSIONED).fetchall():
        return 0
    row = connection.execute("SELECT version FROM schema_version").fetchone()
    version = int(row[0]) if row else 0
    if version > KNOWN_VERSION:
        raise StoreRefused(
            f"the database was made by a newer supportaccess (schema {version}; this one knows {KNOWN_VERSION})",
            hint="pip install --upgrade supportaccess",
        )
    return version


def wrong_rights(connection: Connection, role: str) -> list[str]:
    """Return the tables whose rights a role has more or fewer of than the server needs."""
    rights = {
        row[0]: frozenset(row[1])
        for row in connection.execute(
            "SELECT name, array(SELECT each FROM unnest(%s::text[]) AS each WHERE has_table_privilege(%s, name, each))"
            " FROM unnest(%s::text[]) AS name WHERE to_regclass(name) IS NOT NULL",
            [list(_EVERY_RIGHT), role, list(RIGHTS)],
        )
    }
    return [table for table, wanted in RIGHTS.items() if rights.get(table) != wanted]


def _plan(connection: Connection, server_role: str) -> Plan:
    version = schema_version(connection)
    exists = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [server_role]).fetchone()
    return Plan(
        version=version,
        to_come=[number for number in sorted(migrations("postgresql")) if number > version],
        rights_of=wrong_rights(connection, server_role) if exists else list(RIGHTS),
    )


def _grant(connection: Connection, role: str) -> None:
    if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone() is None:
        create = sql.SQL("CREATE ROLE {} LOGIN PASSWORD '...'").format(sql.Identifier(role)).as_string(connection)
        raise StoreRefused(
            f"the schema is up to date, but there is no role {role} for the server to sign in as",
            hint=f"As an administrator of the database: {create}; then run the same command again.",
        )
    name = sql.Identifier(role)
    (schema,) = connection.execute("SELECT current_schema()").fetchone() or ("public",)
    connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(sql.Identifier(schema), name))
    for table, wanted in RIGHTS.items():
        named = {"table": sql.Identifier(table), "role": name, "rights": sql.SQL(", ".join(sorted(wanted)))}
        connection.execute(sql.SQL("REVOKE ALL ON {table} FROM {role}").format(**named))
        connection.execute(sql.SQL("GRANT {rights} ON {table} TO {role}").format(**named))
    if wrong := wrong_rights(connection, role):  # to a role that owns nothing, GRANT is a warning
        raise StoreRefused(
            f"the rights on {', '.join(wrong)} could not be given", hint="Run it as the owner of the database."
        )
