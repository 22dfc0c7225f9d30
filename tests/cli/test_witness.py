"""A shared store's log, held against what was seen of it while a command goes on."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import cast

import pytest
from tests.cli.home import Home
from tests.support.people import HOME, asking, caller

from supportaccess.cli.app.context import Context
from supportaccess.cli.app.tenants import Tenants
from supportaccess.cli.app.witness import Witness
from supportaccess.cli.output.streams import Streams
from supportaccess.cli.watch.filters import Filter
from supportaccess.cli.watch.loop import Ending, Watching
from supportaccess.cli.watch.state import Memory, Position
from supportaccess.cli.watch.tenant import TenantWatch
from supportaccess.domain.events import Event
from supportaccess.domain.records import AccessRequest
from supportaccess.domain.times import system_clock
from supportaccess.errors import Forbidden, StoreUnavailable, SupportAccessError, VerificationFailed
from supportaccess.store.sql.proofs import SqlProofs
from supportaccess.store.sql.sqlite.open import open_embedded
from supportaccess.store.sql.store import SqlStore
from supportaccess.tlog.files import LogProofs, SignedHead
from supportaccess.tlog.keys import Keys


class Log:
    """A log that signs, counts who asks for its head, and can refuse to show it."""

    def __init__(self, home: Home) -> None:
        home.folder.mkdir(exist_ok=True)
        self._engine = open_embedded(home.database)
        self._store = SqlStore(self._engine, caller(HOME))
        self._proofs = SqlProofs(self._engine, caller(HOME), Keys(home.folder / "keys"))
        self._raised = 0
        self.asked = 0
        self.refusal: SupportAccessError | None = None

    def grow(self) -> str:
        """Write an entry, and return what an answer says then."""
        self._raised += 1
        self._store.raise_request(asking(str(self._raised)), key=f"key {self._raised}")
        head = self._proofs.head()
        return f"{head.size} {head.root}"

    def head(self, earlier: int = 0) -> SignedHead:
        """Return the signed head."""
        self.asked += 1
        if self.refusal is not None:
            raise self.refusal
        return self._proofs.head(earlier)

    def close(self) -> None:
        """Close the database."""
        self._engine.close()


@contextmanager
def a_log(folder: Path) -> Iterator[Log]:
    log = Log(Home(folder))
    try:
        yield log
    finally:
        log.close()


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    """Return the log that was always there."""
    with a_log(tmp_path / "log") as log:
        yield log


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Log]:
    """Return one that is shown in its place."""
    with a_log(tmp_path / "other") as log:
        yield log


def witness_of(log: Log, folder: Path, *, patient: bool = False) -> Witness:
    return Witness(cast("LogProofs", log), folder, "https://store", HOME, system_clock, patient=patient)


def test_each_new_head_is_held_once(log: Log, tmp_path: Path) -> None:
    """The head is asked for with every answer that names a new one, and for no other."""
    witness = witness_of(log, tmp_path / "logs")
    for _ in range(3):
        header = log.grow()
        witness.notice(header, changed=False)
        witness.notice(header, changed=False)
    witness.conclude()
    later = witness_of(log, tmp_path / "logs")
    later.notice(header, changed=False)
    later.conclude()

    assert log.asked == 3


def test_every_answer_after_a_contradiction_is_refused(log: Log, other: Log, tmp_path: Path) -> None:
    """What contradicts what was seen is refused from then on, whatever the store says later, with one evidence."""
    witness = witness_of(log, tmp_path / "logs")
    header = log.grow()
    witness.notice(header, changed=False)
    log.head = other.head  # type: ignore[method-assign]
    for said in (other.grow(), header, None):
        with pytest.raises(VerificationFailed):
            witness.notice(said, changed=False)
    witness.notice(header, changed=True)
    witness.conclude()

    assert witness.failed is not None
    assert len(list((tmp_path / "logs").glob("*.evidence"))) == 1


def test_a_head_that_cannot_be_had_is_no_answer_to_who_waits(log: Log, tmp_path: Path) -> None:
    """Who goes on for long takes no answer before its head was held; the same answer is taken once it was."""
    witness = witness_of(log, tmp_path / "logs", patient=True)
    header = log.grow()
    log.refusal = StoreUnavailable("away")
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            witness.notice(header, changed=False)
    log.refusal = None
    witness.notice(header, changed=False)
    witness.conclude()

    assert (log.asked, witness.warning) == (3, None)


@pytest.mark.parametrize(("refusal", "patient"), [(StoreUnavailable, False), (Forbidden, False), (Forbidden, True)])
def test_whoever_cannot_hold_it_is_warned(
    log: Log, tmp_path: Path, refusal: type[SupportAccessError], patient: bool
) -> None:
    """Any other command goes on, does not ask again for the same head, and is warned until one could be held."""
    witness = witness_of(log, tmp_path / "logs", patient=patient)
    header = log.grow()
    log.refusal = refusal("it may not be")
    witness.notice(header, changed=False)
    witness.notice(header, changed=False)
    warned = witness.warning
    log.refusal = None
    witness.notice(log.grow(), changed=False)

    assert warned is not None
    assert "was not held against what was seen before: it may not be" in warned
    assert (log.asked, witness.warning) == (2, None)


def test_what_was_told_is_known() -> None:
    """A contradiction that was said is not said again at the end; another one is."""
    streams = Streams(None, None, None, environ={})
    told, other = VerificationFailed("forked"), VerificationFailed("forked")
    streams.tell(told)

    assert streams.has_told(told)
    assert not streams.has_told(other)


class _Contradicted(Context):
    """A context in which the log of some other store proves false once something was told."""

    told: list[Event]

    @property
    def contradiction(self) -> VerificationFailed | None:
        return VerificationFailed("the log of another tenant was forked") if self.told else None


class _Telling:
    """Notes what is told."""

    def __init__(self, told: list[Event]) -> None:
        self._told = told

    def event(self, event: Event) -> None:
        self._told.append(event)

    def say(self, text: str, *, urgent: bool = True) -> None:
        pass

    def show(self, requests: Sequence[tuple[str, AccessRequest]], now: datetime) -> None:
        pass


@pytest.mark.parametrize(("follows", "most"), [(True, 1), (False, 3)])
def test_a_watch_tells_nothing_after_a_contradiction_of_another_tenant(home: Home, follows: bool, most: int) -> None:
    """What was read before, and not told yet, stays untold in a watch that goes on; one that ends tells it and ends."""
    home.raised("1", "2", "3")
    context = _Contradicted(Streams(BytesIO(), None, None, environ={}), home.environment)
    context.follows, context.told = follows, []
    tenants = Tenants(context, None, every=False)
    watches = [(each, TenantWatch(each.store, Filter(), timedelta(hours=1))) for each in tenants]
    watching = Watching(context, tenants, watches, _Telling(context.told), [], Memory(None), Ending(), 1)
    with pytest.raises(VerificationFailed) if follows else nullcontext():
        watching.run({HOME: Position(place=0)}, once=not follows)
    context.close()

    assert len(context.told) == most
