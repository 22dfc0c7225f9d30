"""Random histories, by everybody who may act, against the pure rules and against the store."""

from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timedelta

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.support.examples import costly
from tests.support.people import HOME, RESOURCE, START, UNKNOWN_ID, asking
from tests.support.worlds import Acts, MemoryWorld, StoreWorld, World, every_record, throwaway_world, with_counted_ids

from supportaccess.domain.expiry import Limit
from supportaccess.domain.records import FINAL, AccessRequest, Side, Status
from supportaccess.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    ProofRequired,
    Stale,
    SupportAccessError,
)
from supportaccess.store.protocol import Order, RequestQuery, RequestStore

TICKETS = ("1001", "1002")
LEGAL = {
    None: {Status.PENDING, Status.APPROVED},
    Status.PENDING: {Status.APPROVED, Status.REJECTED, Status.CANCELED, Status.LAPSED},
    Status.APPROVED: {Status.REVOKED, Status.COMPLETED, Status.EXPIRED},
}
STATUSES_OF_SIDE = {
    Side.BOTH: set(Status),
    Side.SUPPORT_REQUEST: set(Status) - {Status.REVOKED},
    Side.RESOURCE: {Status.APPROVED, Status.REVOKED, Status.COMPLETED, Status.EXPIRED},
}
durations = st.sampled_from([timedelta(microseconds=1), timedelta(minutes=30), timedelta(hours=4), timedelta(days=31)])
limits = st.none() | st.builds(
    Limit, seconds=st.none() | st.integers(-1, 9 * 3600), until=st.none() | durations.map(lambda by: START + by)
)


class LifecycleMachine(RuleBasedStateMachine):
    """Everybody does anything at any time; what comes of it must be what the design allows."""

    def new_world(self) -> World:
        return MemoryWorld()

    @initialize()
    def begin(self) -> None:
        self.world = self.new_world()
        self.ids = [UNKNOWN_ID]
        self.seen: dict[tuple[str, str], AccessRequest] = {}
        self.keys = 0

    def key(self) -> str:
        self.keys += 1
        return f"key-{self.keys}"

    def attempt(self, expected: type[SupportAccessError] | None, act: Callable[[], object]) -> None:
        """Do it; refused, it must be for the expected reason, and nothing may have changed."""
        before = self.everything()
        try:
            act()
        except SupportAccessError as error:
            refused: type[SupportAccessError] | None = type(error)
        else:
            refused = None
        assert refused is expected
        if refused:
            assert before == self.everything()

    def everything(self) -> list[object]:
        return [look(tenant) for tenant in (HOME, RESOURCE) for look in (self.world.records, self.world.done)]

    def look(self, tenant_id: str, request_id: str) -> AccessRequest | None:
        return next((record for record in self.world.records(tenant_id) if record.id == request_id), None)

    def why_not(self, record: AccessRequest | None, needed: Status, fresh: bool) -> type[SupportAccessError] | None:
        if record is None:
            return NotFound
        if record.status is not needed:
            return Conflict
        return None if fresh else Stale

    @rule(
        ticket=st.sampled_from(TICKETS),
        cross=st.booleans(),
        asked_for=st.none() | st.integers(1, 8 * 3600),
        answer_in=st.none() | durations,
    )
    def raise_request(self, ticket: str, cross: bool, asked_for: int | None, answer_in: timedelta | None) -> None:
        """Ask, as the provider."""
        asked = asking(
            ticket,
            resource_tenant_id=RESOURCE if cross else None,
            requested_seconds=asked_for,
            decide_by=None if answer_in is None else self.world.clock() + answer_in,
        )
        try:
            self.ids.append(self.world.acts(HOME).raise_request(asked, key=self.key()).id)
        except Conflict:  # the support request is closed
            return

    @rule(data=st.data(), by_resource_tenant=st.booleans(), proof=st.booleans(), fresh=st.booleans(), limit=limits)
    def approve(
        self, data: st.DataObject, by_resource_tenant: bool, proof: bool, fresh: bool, limit: Limit | None
    ) -> None:
        """Approve, as an administrator of either tenant, with a proof for the other one or without."""
        tenant, other = (RESOURCE, HOME) if by_resource_tenant else (HOME, RESOURCE)
        request_id = data.draw(st.sampled_from(self.ids))
        record = self.look(tenant, request_id)
        expected = self.why_not(record, Status.PENDING, fresh)
        if expected is None and record is not None:
            if record.side is Side.SUPPORT_REQUEST and not proof:
                expected = ProofRequired
            elif limit is not None and not self.allowed(limit, record):
                expected = InvalidInput
        acts = self.world.acts(tenant, [other] if proof else [])
        etag = record.etag if record and fresh else '"old"'
        self.attempt(expected, lambda: acts.approve(request_id, etag=etag, key=self.key(), limit=limit))

    def allowed(self, limit: Limit, record: AccessRequest) -> bool:
        if limit.seconds is not None and limit.until is not None:
            return False
        now = self.world.clock()
        end = limit.until if limit.until is not None else now + timedelta(seconds=limit.seconds or 0)
        if limit.seconds is None and limit.until is None:
            return True
        longest = timedelta(seconds=record.requested_seconds) if record.requested_seconds else timedelta(days=3650)
        return now < end <= now + longest

    @rule(data=st.data(), tenant=st.sampled_from([HOME, RESOURCE]), fresh=st.booleans())
    def reject(self, data: st.DataObject, tenant: str, fresh: bool) -> None:
        """Reject, as an administrator of either tenant."""
        request_id = data.draw(st.sampled_from(self.ids))
        record = self.look(tenant, request_id)
        etag = record.etag if record and fresh else '"old"'
        acts = self.world.acts(tenant)
        self.attempt(
            self.why_not(record, Status.PENDING, fresh),
            lambda: acts.reject(request_id, etag=etag, key=self.key(), reason="no"),
        )

    @rule(data=st.data(), tenant=st.sampled_from([HOME, RESOURCE]), fresh=st.booleans())
    def revoke(self, data: st.DataObject, tenant: str, fresh: bool) -> None:
        """Revoke, as an administrator of either tenant."""
        request_id = data.draw(st.sampled_from(self.ids))
        record = self.look(tenant, request_id)
        elsewhere = record is not None and record.side is Side.SUPPORT_REQUEST
        etag = record.etag if record and fresh else '"old"'
        acts = self.world.acts(tenant)
        self.attempt(
            Forbidden if elsewhere else self.why_not(record, Status.APPROVED, fresh),
            lambda: acts.revoke(request_id, etag=etag, key=self.key()),
        )

    @rule(data=st.data(), tenant=st.sampled_from([HOME, RESOURCE]), fresh=st.booleans())
    def withdraw(self, data: st.DataObject, tenant: str, fresh: bool) -> None:
        """Take a request back, as the provider."""
        request_id = data.draw(st.sampled_from(self.ids))
        record = self.look(tenant, request_id)
        etag = record.etag if record and fresh else '"old"'
        acts = self.world.acts(tenant)
        self.attempt(
            self.why_not(record, Status.PENDING, fresh),
            lambda: acts.withdraw(request_id, etag=etag, key=self.key()),
        )

    @rule(ticket=st.sampled_from(TICKETS), tenant=st.sampled_from([HOME, HOME, RESOURCE]))
    def close(self, ticket: str, tenant: str) -> None:
        """Close a support request, as the provider; nothing of it stays open, in either tenant."""
        try:
            ended = self.world.acts(tenant).close(ticket, key=self.key())
        except (NotFound, Conflict):
            return
        assert all(record.status in {Status.CANCELED, Status.COMPLETED} for record in ended)
        for seen_by in (HOME, RESOURCE):
            for record in self.world.records(seen_by):
                assert record.support_request_id != ticket or record.status in FINAL

    @rule(by=durations)
    def time_passes(self, by: timedelta) -> None:
        """Let the clock go on."""
        self.world.clock.advance(by)

    @rule()
    def sweep(self) -> None:
        """Write down what the clock did; nobody sees a difference."""
        before = [self.world.records(tenant) for tenant in (HOME, RESOURCE)]
        self.world.sweep()
        assert before == [self.world.records(tenant) for tenant in (HOME, RESOURCE)]
        assert self.world.sweep() == 0

    @invariant()
    def every_step_was_legal(self) -> None:
        """Statuses only move as the design draws it, and what is final stays as it is, to the byte."""
        for tenant in (HOME, RESOURCE):
            for record in self.world.records(tenant):
                before = self.seen.get((tenant, record.id))
                if before is None:
                    assert record.status in LEGAL[None]
                elif before.status in FINAL:
                    assert before == record
                elif before.status is not record.status:
                    assert record.status in LEGAL[before.status]
                self.seen[tenant, record.id] = record
            assert {i for t, i in self.seen if t == tenant} == {r.id for r in self.world.records(tenant)}

    @invariant()
    def every_record_is_as_the_clock_has_it(self) -> None:
        """No read shows approved past its limit or pending past its deadline; no limit is longer than asked for."""
        now = self.world.clock()
        for tenant in (HOME, RESOURCE):
            for record in self.world.records(tenant):
                self.check(record, now)
                assert record.side is not (Side.SUPPORT_REQUEST if tenant == RESOURCE else Side.RESOURCE)

    def check(self, record: AccessRequest, now: datetime) -> None:
        assert record.status in STATUSES_OF_SIDE[record.side]
        if record.status is Status.PENDING:
            assert record.decide_by is None or record.decide_by > now
        if record.status is Status.APPROVED:
            assert record.expires_at is None or record.expires_at > now
        if record.expires_at is not None and record.requested_seconds is not None:
            assert record.starts_at is not None
            assert record.expires_at - record.starts_at <= timedelta(seconds=record.requested_seconds)
        if record.requested_seconds is not None and record.starts_at is not None:
            assert record.expires_at is not None
        assert (record.status in FINAL) == (record.ended_at is not None)

    @invariant()
    def every_change_has_its_entry(self) -> None:
        """Each request was led, step by step, by its entries to the status it was left in."""
        for tenant in (HOME, RESOURCE):
            stood: dict[str | None, Status | None] = {}
            for sequence, entry in enumerate(self.world.done(tenant)):
                assert sequence == entry.sequence
                assert stood.get(entry.access_request_id) == entry.status_before
                stood[entry.access_request_id] = entry.status_after
            for record in self.world.records(tenant):
                written = stood[record.id]
                assert written == record.status or (written, record.status) in {
                    (Status.PENDING, Status.LAPSED),
                    (Status.APPROVED, Status.EXPIRED),
                }


class StoreMachine(LifecycleMachine):
    """The same against the embedded store."""

    def new_world(self) -> World:
        self.until_the_end = ExitStack()
        return self.until_the_end.enter_context(throwaway_world())

    def teardown(self) -> None:
        self.until_the_end.close()


TestRules = LifecycleMachine.TestCase
TestRules.settings = settings(costly(100), stateful_step_count=25)
TestStore = StoreMachine.TestCase
TestStore.settings = settings(costly(25), stateful_step_count=25)


# --- what the resource tenant revokes, the support request tenant never learns ---

act = st.one_of(
    st.tuples(st.just("raise"), st.sampled_from(TICKETS), st.booleans(), st.none() | durations, st.none() | durations),
    st.tuples(st.just("approve"), st.integers(0, 4), st.none() | st.integers(1, 8 * 3600)),
    st.tuples(st.just("reject"), st.integers(0, 4)),
    st.tuples(st.just("revoke"), st.integers(0, 4)),
    st.tuples(st.just("withdraw"), st.integers(0, 4)),
    st.tuples(st.just("close"), st.sampled_from(TICKETS)),
    st.tuples(st.just("resource tenant revokes"), st.integers(0, 4)),
    st.tuples(st.just("time passes"), durations),
    st.tuples(st.just("sweep")),
)
# Begun with an approved cross-tenant request, so that there is something to revoke from the start.
histories = st.lists(act, max_size=14).map(
    lambda acts: [
        ("raise", TICKETS[0], True, timedelta(hours=4), None),
        ("approve", 0, None),
        ("resource tenant revokes", 0),
        *acts,
    ]
)


def transcript(world: World, history: list[tuple[object, ...]], *, revoking: bool) -> tuple[list[bytes], int]:
    """Return everything that the support request tenant gets to see, act by act, and how many revocations worked."""
    seen: list[bytes] = []
    ids: list[str] = []
    revoked = 0
    for number, (what, *how) in enumerate(history):
        if what == "resource tenant revokes":
            revoked += revoking and _revoked_by_resource_tenant(world, ids, how[0], f"theirs-{number}")
        elif what == "time passes":
            assert isinstance(how[0], timedelta)
            world.clock.advance(how[0])
        elif what == "sweep":
            world.sweep()
        else:
            seen.append(_answer(world, ids, str(what), how, f"key-{number}"))
        seen.append(_view(world))
    return seen, revoked


def _revoked_by_resource_tenant(world: World, ids: list[str], which: object, key: str) -> bool:
    assert isinstance(which, int)
    if not ids:
        return False
    request_id, acts = ids[which % len(ids)], world.acts(RESOURCE)
    try:
        acts.revoke(request_id, etag=acts.get(request_id).etag, key=key, reason="enough")
    except (NotFound, Conflict):
        return False
    return True


def _answer(world: World, ids: list[str], what: str, how: list[object], key: str) -> bytes:
    """Do an act as an administrator of the support request tenant, and return the answer, whatever it is."""
    acts: Acts = world.acts(HOME, [RESOURCE])
    try:
        if what == "raise":
            ticket, cross, asked_for, answer_in = how
            assert isinstance(ticket, str)
            asked = asking(
                ticket,
                resource_tenant_id=RESOURCE if cross else None,
                requested_seconds=int(asked_for.total_seconds()) + 1 if isinstance(asked_for, timedelta) else None,
                decide_by=world.clock() + answer_in if isinstance(answer_in, timedelta) else None,
            )
            record = acts.raise_request(asked, key=key)
            ids.append(record.id)
            return msgspec.json.encode(record)
        if what == "close":
            return msgspec.json.encode(acts.close(str(how[0]), key=key))
        assert isinstance(how[0], int)
        request_id = ids[how[0] % len(ids)]
        etag = acts.get(request_id).etag
        match what:
            case "approve":
                limit = Limit(seconds=how[1]) if isinstance(how[1], int) else None
                return msgspec.json.encode(acts.approve(request_id, etag=etag, key=key, limit=limit))
            case "reject":
                return msgspec.json.encode(acts.reject(request_id, etag=etag, key=key, reason="no"))
            case "revoke":
                return msgspec.json.encode(acts.revoke(request_id, etag=etag, key=key))
            case "withdraw":
                return msgspec.json.encode(acts.withdraw(request_id, etag=etag, key=key))
            case _:
                raise AssertionError(what)
    except SupportAccessError as error:
        return repr((type(error), error.message, error.hint, getattr(error, "current_status", None))).encode()


def _view(world: World) -> bytes:
    """Return all that the support request tenant can read, byte for byte."""
    seen: list[object] = [world.records(HOME), world.entries(HOME)]
    if isinstance(world, StoreWorld):
        seen += _lists(world.store(HOME))
    return msgspec.json.encode(seen)


def _lists(store: RequestStore) -> list[object]:
    queries = [RequestQuery(order=order) for order in Order]
    queries += [RequestQuery(approved_access=True), *(RequestQuery(statuses=frozenset({s})) for s in Status)]
    seen: list[object] = [every_record(store, query, top=2) for query in queries]
    seen += [store.count(query, at_most=100) for query in queries]
    seen += [store.find(ticket, top=10) for ticket in TICKETS]
    seen += [store.history(record.id) for record in store.page(RequestQuery(), top=100).value]
    return [*seen, store.log_head()]


@costly(200)
@given(histories)
def test_a_revocation_does_not_reach_the_support_request_tenant_in_the_rules(
    history: list[tuple[object, ...]],
) -> None:
    """By the rules alone, records, entries and answers of the support request tenant are the same without it."""
    with_revocations, revoked = transcript(MemoryWorld(), history, revoking=True)
    without, _ = transcript(MemoryWorld(), history, revoking=False)

    assert revoked
    assert without == with_revocations


@costly(30)
@given(histories)
def test_a_revocation_does_not_reach_the_support_request_tenant_in_the_store(
    history: list[tuple[object, ...]],
) -> None:
    """In the store, lists, orders, counts, searches, histories and the head of its log are the same as well."""
    transcripts = []
    for revoking in (True, False):
        with throwaway_world() as world, with_counted_ids():
            transcripts.append(transcript(world, history, revoking=revoking)[0])

    assert transcripts[1] == transcripts[0]
