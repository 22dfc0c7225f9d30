"""Asks the stores again and again, and tells what is new, until somebody ends it.

From outside it is ended at once while it waits, and after the event that it is just telling.
"""

import signal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from time import monotonic
from types import FrameType

from supportaccess.cli.app.context import Context
from supportaccess.cli.app.tenants import Tenant, Tenants
from supportaccess.cli.watch.printing import Act, Teller
from supportaccess.cli.watch.state import Memory, Position
from supportaccess.cli.watch.tenant import TenantWatch
from supportaccess.domain.events import Event, EventPage
from supportaccess.errors import StoreUnavailable, SupportAccessError

_LONGEST_PAUSE = 60.0
_TICK = 1.0
_KEPT_EVERY = 100


class Ending:
    """Takes SIGINT and SIGTERM. A second signal does not wait for the event."""

    def __init__(self) -> None:
        self._wanted: BaseException | None = None
        self._is_telling = False

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Take the signals while the block runs; one that is ignored stays so. Raises KeyboardInterrupt, Terminated."""
        taken = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) != signal.SIG_IGN]
        before = {number: signal.signal(number, self._take) for number in taken}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Let the block come to its end first: what was told to some is told to all, and taken note of."""
        self._is_telling = True
        try:
            yield
        finally:
            self._is_telling = False
        if self._wanted is not None:
            raise self._wanted

    def _take(self, number: int, _: FrameType | None) -> None:
        wanted = Terminated() if number == signal.SIGTERM else KeyboardInterrupt()
        if not self._is_telling or self._wanted is not None:
            raise wanted
        self._wanted = wanted


class _Asked:
    """A tenant with when it is asked next."""

    def __init__(self, tenant: Tenant, watch: TenantWatch) -> None:
        self.tenant = tenant
        self.watch = watch
        self.has_begun = False
        self.pause = 0.0
        self.due = 0.0


class Watching:
    """One watch: its tenants, to whom it tells, and where it keeps how far it is."""

    def __init__(
        self,
        context: Context,
        tenants: Tenants,
        watches: Sequence[tuple[Tenant, TenantWatch]],
        teller: Teller,
        acts: Sequence[Act],
        memory: Memory,
        ending: Ending,
        interval: float,
    ) -> None:
        self._context = context
        self._tenants = tenants
        self._asked = [_Asked(tenant, watch) for tenant, watch in watches]
        self._teller = teller
        self._acts = acts
        self._memory = memory
        self._ending = ending
        self._interval = interval
        self._positions: dict[str, Position] = {}
        self._unkept = 0

    def run(self, positions: Mapping[str, Position], *, once: bool, greeting: str = "") -> None:
        """Go on from the positions until nobody reads it any more; `once` tells what is new, and ends.

        The greeting is said once every store was asked.

        Raises the error of a single tenant, and VerificationFailed of any. What was told is kept however it ends.
        """
        self._positions = dict(positions)
        try:
            while self._alive():
                for asked, page in self._pages(once):
                    self._round(asked, page, once)
                self._keep()
                if greeting:
                    self._teller.say(greeting, urgent=False)
                    greeting = ""
                if once:
                    return
                self._show()
                if not self._context.streams.wait(self._rest()):
                    return
        finally:
            self._keep()

    def _alive(self) -> list[_Asked]:
        left = {tenant.shown for tenant in self._tenants}
        return [asked for asked in self._asked if asked.tenant.shown in left]

    def _pages(self, once: bool) -> Iterator[tuple[_Asked, EventPage | None]]:
        """Ask those whose time has come, shared stores side by side; None for one that is not asked now."""
        due = [asked for asked in self._alive() if asked.due <= monotonic()]
        side_by_side = len(due) > 1
        pending = {
            id(asked): self._tenants.workers.start(self._asking(asked))
            for asked in due
            if side_by_side and asked.tenant.store.is_remote
        }
        for asked in self._alive():
            if asked not in due:
                yield asked, None
                continue
            try:
                page = pending[id(asked)].result() if id(asked) in pending else self._asking(asked)()
            except SupportAccessError as error:
                self._refused(asked, error, once)
            else:
                self._answered(asked)
                yield asked, page

    def _asking(self, asked: _Asked) -> "_Question":
        return _Question(asked, self._positions.get(asked.tenant.store.tenant_id))

    def _round(self, asked: _Asked, page: EventPage | None, once: bool) -> None:
        watch, now = asked.watch, self._context.clock()
        if not asked.has_begun and page is None:
            return
        asked.has_begun = True
        events: Iterable[Event] = chain(
            () if page is None else chain(watch.events(page), watch.ended_meanwhile(now)), watch.by_clock(now)
        )
        try:
            for event in events:
                self._refuse_contradiction()
                with self._ending.telling():
                    self._tell(event, watch)
                if self._context.streams.out_closed:
                    return
        except SupportAccessError as error:
            self._refused(asked, error, once)

    def _refuse_contradiction(self) -> None:
        """Tell nothing more, of whatever tenant, once the log of one has shown that it does not hold."""
        if self._context.follows and (found := self._context.contradiction) is not None:
            raise found

    def _tell(self, event: Event, watch: TenantWatch) -> None:
        self._teller.event(event)
        if self._context.streams.out_closed:
            return
        self._show()
        for act in self._acts:
            if (trouble := act(event)) is not None:
                self._teller.say(f"{trouble}, for {event.what} {event.access_request_id[:8]}")
        watch.done(event)
        self._unkept += 1
        if self._acts or self._unkept >= _KEPT_EVERY:
            self._keep()

    def _refused(self, asked: _Asked, error: SupportAccessError, once: bool) -> None:
        """Wait longer and longer for a store that does not answer; anything else ends the watch of this tenant.

        A log that does not hold ends all of it: Tenants.fail raises that.
        """
        if once or not isinstance(error, StoreUnavailable):
            self._tenants.fail(asked.tenant.shown, asked.tenant.name, error)
            return
        if not asked.pause:
            self._teller.say(f"{error.message}. Waiting for it: tenant {asked.tenant.shown}.")
        asked.pause = min(max(2 * asked.pause, self._interval), max(_LONGEST_PAUSE, self._interval))
        asked.due = monotonic() + asked.pause

    def _answered(self, asked: _Asked) -> None:
        if asked.pause:
            self._teller.say(f"The store answers again: tenant {asked.tenant.shown}.", urgent=False)
        asked.pause = 0.0
        asked.due = monotonic() + self._interval

    def _show(self) -> None:
        alive = self._alive()
        of_tenants = [(each.tenant.store.tenant_id, record) for each in alive for record in each.watch.open.values()]
        self._teller.show(of_tenants, self._context.clock())

    def _rest(self) -> float:
        waits = [asked.due - monotonic() for asked in self._alive()]
        return max(0.0, min([_TICK, *waits]))

    def _keep(self) -> None:
        begun = {asked.tenant.store.tenant_id: asked.watch.position for asked in self._asked if asked.has_begun}
        self._memory.write({**self._positions, **begun})
        self._unkept = 0


class _Question:
    """What a tenant's store is asked: at first also where to begin."""

    def __init__(self, asked: _Asked, position: Position | None) -> None:
        self._asked = asked
        self._position = position

    def __call__(self) -> EventPage:
        if not self._asked.has_begun:
            self._asked.watch.begin(self._position)
        return self._asked.watch.ask()


class Terminated(BaseException):
    """SIGTERM: whoever runs the watch ends it."""
