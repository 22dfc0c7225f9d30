"""The entries of an audit log as they come."""

from collections.abc import Iterator

from msgspec.structs import replace

from supportaccess.cli.output.streams import Streams
from supportaccess.domain.audit import AuditEntry
from supportaccess.errors import StoreUnavailable, VerificationFailed
from supportaccess.store.paging import each_row
from supportaccess.store.protocol import LARGEST_PAGE, AuditOrder, AuditQuery, RequestReader

_SECONDS = 2.0
_MOST_SECONDS = 60.0


class Following:
    """The last entries of a query, and then each new one once.

    The log's head is asked for every two seconds, and entries only when it moved. While the store cannot be reached
    it is asked more and more rarely, once a minute at the least.
    """

    def __init__(self, store: RequestReader, query: AuditQuery, most: int | None, streams: Streams) -> None:
        """Take what is looked for, and how many of the entries that are there already are wanted."""
        self._store = store
        self._query = query
        self._most = most
        self._streams = streams
        self._known = -1
        """The place of the last entry of the log that was looked at."""
        self._pause = _SECONDS

    def first(self) -> list[AuditEntry]:
        """Return the entries that are there already, the oldest first."""
        # The head first: whatever is written after it comes with the rest, unless it is among these.
        self._known = self._store.log_head().size - 1
        newest = replace(self._query, order=AuditOrder.NEWEST)
        top = LARGEST_PAGE if self._most is None else min(LARGEST_PAGE, self._most)
        entries = list[AuditEntry]()
        for entry in each_row(
            lambda cursor: self._store.audit_page(newest, top=top, cursor=cursor), most=self._most, ahead=False
        ):
            if len(entries) == self._most:
                break
            entries.append(entry)
        self._known = max([self._known, *(entry.sequence for entry in entries[:1])])
        return entries[::-1]

    def rest(self) -> Iterator[AuditEntry]:
        """Yield what is written from now on, until nobody reads it any more.

        Raises VerificationFailed when the log became shorter.
        """
        while self._streams.wait(self._pause):
            try:
                yield from self._new(self._store.log_head().size)
                self._back()
            except StoreUnavailable as error:
                self._away(error)

    def _new(self, size: int) -> Iterator[AuditEntry]:
        if size - 1 < self._known:
            raise VerificationFailed(
                f"the audit log of tenant {self._store.tenant_id} had {self._known + 1:,} entries and now has {size:,}",
                hint="supportaccess audit verify",
            )
        if size - 1 == self._known:
            return
        after = replace(self._query, after_sequence=self._known, order=AuditOrder.OLDEST)
        for entry in each_row(
            lambda cursor: self._store.audit_page(after, top=LARGEST_PAGE, cursor=cursor), most=None, ahead=False
        ):
            self._known = entry.sequence
            yield entry
        self._known = max(self._known, size - 1)

    def _away(self, error: StoreUnavailable) -> None:
        if self._pause == _SECONDS:
            self._streams.warn(f"{error.message}. Waiting for it; Ctrl-C ends.")
        self._pause = min(self._pause * 2, _MOST_SECONDS)

    def _back(self) -> None:
        if self._pause != _SECONDS:
            self._streams.note("The store answers again.")
        self._pause = _SECONDS
