"""The embedded store for a command that goes on: its log is held against what was signed each time it is asked."""

from collections.abc import Callable

from supportaccess.domain.audit import Step
from supportaccess.domain.events import EventPage
from supportaccess.domain.permissions import Caller
from supportaccess.domain.times import Clock, system_clock
from supportaccess.store.protocol import LogHead
from supportaccess.store.sql.checkpoints import refuse_other_log
from supportaccess.store.sql.engine import Engine
from supportaccess.store.sql.reader import SqlReader
from supportaccess.tlog.keys import Keys


class FollowedStore(SqlReader):
    """A SqlReader whose log may go back, or be forked, while somebody follows it.

    Held after it was read, so that nothing of another log is told. Both methods raise VerificationFailed.
    """

    def __init__(
        self,
        engine: Engine,
        caller: Caller,
        keys: Keys,
        *,
        clock: Clock = system_clock,
        note: Callable[[Step], object] | None = None,
    ) -> None:
        """Take what a SqlReader takes, and what signed the log."""
        super().__init__(engine, caller, clock=clock, note=note)
        self._keys = keys

    def events(self, *, after: int | None, top: int) -> EventPage:
        """Return what happened from a place in the audit log on."""
        page = super().events(after=after, top=top)
        refuse_other_log(self._engine, self._keys, self.tenant_id)
        return page

    def log_head(self) -> LogHead:
        """Return the head of the audit log."""
        head = super().log_head()
        refuse_other_log(self._engine, self._keys, self.tenant_id)
        return head
