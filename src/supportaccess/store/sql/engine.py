"""What a database must offer for the SQL store to stand on it.

Statements are written once, with `:name` for a parameter. An engine turns that into its driver's form, opens the
transactions, and says what went wrong in the domain's errors.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from typing import Any, NamedTuple, Protocol, TypeVar

from supportaccess.errors import StoreUnavailable

KNOWN_VERSION = 3
"""The schema version of this program: the number of its last migration."""

EVERY_TENANT = ("*",)
"""The tenants of a session that reads over all of them, as only the upkeep of a whole store does."""

Parameters = Mapping[str, object]
Row = tuple[Any, ...]
T = TypeVar("T")

_TRIES = 3


class Statement(NamedTuple):
    """A statement with its parameters. With `one_row` it is a change of one row, and Raced when that is not there."""

    sql: str
    parameters: Parameters
    one_row: bool = False


class Result(NamedTuple):
    """What a statement did: the rows that it returned, and how many it touched."""

    rows: list[Row]
    touched: int


class Raced(StoreUnavailable):
    """Somebody else wrote at the same moment, and this transaction was taken back: it may begin anew."""


def unless_raced(act: Callable[[], T]) -> T:
    """Do it, and anew when somebody else wrote at the same moment: three times, and the last one may raise Raced."""
    for _ in range(_TRIES - 1):
        with suppress(Raced):
            return act()
    return act()


class Dialect(NamedTuple):
    """What makes the statement of a list another one on each database.

    `join_texts` is an aggregate of a text and a separator that puts texts together, in the order of the rows; they come
    as bytes, in UTF-8. A database `merges` that reads no more of each ordered part of a UNION ALL than the first rows
    of all of it need.
    """

    join_texts: str
    merges: bool


class Session(Protocol):
    """A connection in use: within one transaction, or for single reads."""

    def batch(self, statements: Sequence[Statement]) -> list[Result]:
        """Execute statements one after the other, in one round trip."""
        ...

    def finish(self, statements: Sequence[Statement]) -> None:
        """Execute the last statements of a transaction; it may be committed with them, in one round trip."""
        ...

    def all(self, sql: str, parameters: Parameters) -> list[Row]:
        """Return every row."""
        ...

    def one(self, sql: str, parameters: Parameters) -> Row | None:
        """Return the first row, or None."""
        ...

    def each(self, sql: str, parameters: Parameters) -> Iterator[Row]:
        """Return the rows one at a time, without holding them all. Within a transaction only."""
        ...

    def run(self, sql: str, parameters: Parameters) -> int:
        """Execute a change and return how many rows it touched."""
        ...


class Engine(Protocol):
    """A database. A session is opened for tenants: of others it sees and writes nothing, where the database can tell.

    Sessions raise StoreUnavailable, StoreRefused, OutcomeUnknown, or InvalidInput for a parameter.
    """

    lock_head: str
    """Reads `size, root, frontier` of the log of `:tenant_id`, and locks it until the transaction ends."""
    lock_rows: str
    """Ends a SELECT so that its rows stay as they are until the transaction ends."""
    dialect: Dialect

    def reading(self, tenant_ids: Sequence[str]) -> AbstractContextManager[Session]:
        """Open a session for reads; each statement sees what is committed."""
        ...

    def snapshot(self, tenant_ids: Sequence[str]) -> AbstractContextManager[Session]:
        """Open a session whose reads all see the store at one moment."""
        ...

    def writing(self, tenant_ids: Sequence[str]) -> AbstractContextManager[Session]:
        """Open a transaction: committed and durable when the block ends well, rolled back when it raises."""
        ...

    def close(self) -> None:
        """Give the database back."""
        ...
