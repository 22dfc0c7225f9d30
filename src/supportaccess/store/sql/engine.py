"""What a database must offer for the SQL store to stand on it.

Statements are written once, with `:name` for a parameter. An engine turns that into its driver's form, opens the
transactions, and says what went wrong in the domain's errors.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

KNOWN_VERSION = 1
"""The schema version of this program: the number of its last migration."""

Parameters = Mapping[str, object]
Row = tuple[Any, ...]


class Session(Protocol):
    """A connection in use: within one transaction, or for single reads."""

    def all(self, statement: str, parameters: Parameters) -> list[Row]:
        """Return every row."""
        ...

    def one(self, statement: str, parameters: Parameters) -> Row | None:
        """Return the first row, or None."""
        ...

    def each(self, statement: str, parameters: Parameters) -> Iterator[Row]:
        """Return the rows one at a time, without holding them all."""
        ...

    def run(self, statement: str, parameters: Parameters) -> int:
        """Execute a change and return how many rows it touched."""
        ...

    def run_many(self, statement: str, parameters: Iterable[Parameters]) -> None:
        """Execute a change once for each set of parameters."""
        ...


class Engine(Protocol):
    """A database. Sessions raise StoreUnavailable, StoreRefused, OutcomeUnknown, or InvalidInput for a parameter."""

    def reading(self) -> AbstractContextManager[Session]:
        """Open a session for reads; each statement sees what is committed."""
        ...

    def snapshot(self) -> AbstractContextManager[Session]:
        """Open a session whose reads all see the store at one moment."""
        ...

    def writing(self) -> AbstractContextManager[Session]:
        """Open a transaction: committed and durable when the block ends well, rolled back when it raises."""
        ...

    def lock_heads(self, session: Session, tenant_ids: Sequence[str]) -> list[Row]:
        """Return `(tenant_id, size, root, frontier)` of the tenants' audit logs, locked until the transaction ends.

        A tenant without a log gets an empty one.
        """
        ...

    def close(self) -> None:
        """Give the database back."""
        ...
