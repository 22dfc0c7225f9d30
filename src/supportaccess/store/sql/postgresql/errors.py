"""What an error of PostgreSQL means to the one who runs the command.

By its code (SQLSTATE, https://www.postgresql.org/docs/current/errcodes-appendix.html): messages come in the language of
the database.
"""

import psycopg

from supportaccess.errors import (
    InvalidInput,
    OutcomeUnknown,
    StoreFull,
    StoreRefused,
    StoreUnavailable,
    SupportAccessError,
)
from supportaccess.store.sql.engine import Raced

READ_ONLY = "25006"
AGAIN = "Run the same command again."
_NOTHING = "nothing was changed"
# unique_violation, serialization_failure, deadlock_detected; division_by_zero: no row was touched where one must be
_RACED = {"23505", "40001", "40P01", "22012"}
_WAITED = {"55P03", "57014"}  # lock_not_available, query_canceled: by its time limit
_DISK_FULL = "53100"
_FORBIDDEN = "42501"
_UNAVAILABLE = ("08", "25", "53", "57")  # connection, transaction ended for its idleness, resources, shutdown
_SCHEMA = ("3D", "3F", "42")
_VALUE = ("22",)
_SIGN_IN = ("28",)


def explain(error: psycopg.Error) -> SupportAccessError:
    """Return what an error before COMMIT means: nothing was changed."""
    code = error.sqlstate or ""
    text = first_line(error)
    if code in _RACED:
        return Raced(f"somebody else wrote at the same moment; {_NOTHING}", hint=AGAIN)
    if code in _WAITED:
        return StoreUnavailable(f"the database was busy for too long ({text}); {_NOTHING}", hint=AGAIN)
    if code == _DISK_FULL:
        return StoreFull(
            f"the disk of the database is full; {_NOTHING}", hint="Make room there, then run the same command again."
        )
    if code == _FORBIDDEN or code.startswith(_SCHEMA):
        return StoreRefused(f"the database is not set up for this program: {text}", hint="supportaccess store migrate")
    if code.startswith(_SIGN_IN):
        return StoreRefused(
            f"the database refused the sign-in: {text}", hint="Look at the role, its password and pg_hba.conf."
        )
    if code.startswith(_VALUE) or (not code and isinstance(error, psycopg.DataError)):
        return InvalidInput(f"a value that was given is not one that a store can hold: {text}")
    if not code or code.startswith(_UNAVAILABLE):
        return StoreUnavailable(f"the database did not answer ({text}); {_NOTHING}", hint=AGAIN)
    return StoreRefused(f"the database failed: {text} ({code})", hint="The database's own log tells more.")


def explain_commit(error: psycopg.Error, *, lost: bool) -> SupportAccessError:
    """Return what an error of COMMIT means. With the connection lost, nobody knows what became of it."""
    return outcome_unknown(first_line(error)) if lost else explain(error)


def outcome_unknown(why: str) -> OutcomeUnknown:
    """Return the error for a COMMIT of which it is not known what became."""
    return OutcomeUnknown(
        f"it is not known whether the change was kept: {why}", hint="supportaccess audit log shows whether it was."
    )


def first_line(error: psycopg.Error) -> str:
    """Return what the database said, or else the driver."""
    return (error.diag.message_primary or str(error).partition("\n")[0] or type(error).__name__).strip()
