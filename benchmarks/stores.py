"""Stores to measure on: two years of access requests, written by the rules and the store's own code."""

import random
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from supportaccess.domain import expiry, lifecycle
from supportaccess.domain.audit import Step
from supportaccess.domain.expiry import Limit
from supportaccess.domain.lifecycle import NewRequest
from supportaccess.domain.permissions import Caller, Permission
from supportaccess.domain.records import AccessRequest, Actor, ActorKind, Engineer
from supportaccess.store.sql.engine import Engine
from supportaccess.store.sql.sqlite.open import open_embedded
from supportaccess.store.sql.writes import lock_and_write

TENANT = "8d3fc0a1-5a52-4c6e-9c0e-3f5b0a6d2e71"
OBJECT_ID = "b0e6a3a6-d659-4dfc-9224-0ea9d92a176b"
PERIOD = timedelta(days=730)

_ENGINEERS = ("Erin Engineer", "Paulo Paiva", "Wei Zhang", "Aino Mäkelä", "Grace O'Neil")
_REASONS = (
    "Sign-in fails for guests since the policy change",
    "Conditional access blocks a break-glass account",
    "Group writeback stopped; need the sync errors",
    "Token lifetime differs between two applications",
)


def caller(tenant_id: str) -> Caller:
    """Return a person of a tenant who may do everything."""
    actor = Actor(kind=ActorKind.USER, tenant_id=tenant_id, object_id=OBJECT_ID, display_name="Olga Owner")
    return Caller(tenant_id=tenant_id, actor=actor, permissions=frozenset(Permission))


_CALLER = caller(TENANT)


@dataclass(frozen=True)
class Mix:
    """How many requests, and how many of them are waiting and open. The rest is final."""

    requests: int
    pending: int
    open: int


USUAL = {size: Mix(size, size * 2 // 100, size * 3 // 100) for size in (100, 100_000)}
"""2 % waiting for a decision, 3 % open access, the rest final."""
BUSY = Mix(100, 24, 36)
"""A small store in the same proportion of waiting to open, with more of both than a list prints."""


def fill(path: Path, mix: Mix, now: datetime | None = None) -> None:
    """Make an embedded store with its audit log: everything up to `now`."""
    engine = open_embedded(path)
    try:
        fill_engine(engine, mix, now)
    finally:
        engine.close()


def fill_engine(engine: Engine, mix: Mix, now: datetime | None = None) -> None:
    """Write everything up to `now` into an empty store, in one transaction."""
    steps = sorted(_steps(mix, now or datetime.now(UTC)), key=lambda step: step.at)
    with engine.writing([TENANT]) as session:
        lock_and_write(engine, session, steps, {})


def records(mix: Mix, now: datetime | None = None) -> Iterator[AccessRequest]:
    """Yield the requests as they stand at the end, without a store."""
    latest = {record.id: record for step in _steps(mix, now or datetime.now(UTC)) if (record := step.after)}
    return iter(latest.values())


def raise_pending(engine: Engine, tenant_ids: Sequence[str], number: int) -> list[tuple[str, AccessRequest]]:
    """Raise so many requests in each of some tenants; return them with their tenants, one of each tenant in turn."""
    chance, created = random.Random(number), datetime.now(UTC) - timedelta(hours=1)
    raised = []
    for tenant_id in tenant_ids:
        who, waits = caller(tenant_id), timedelta(days=7)
        steps = [_raised(each, created, chance, waits=waits, who=who) for each in range(number)]
        with engine.writing([tenant_id]) as session:
            lock_and_write(engine, session, steps, {})
        raised.append([(tenant_id, _after(step)) for step in steps])
    return [one for of_each in zip(*raised, strict=True) for one in of_each]


def _steps(mix: Mix, now: datetime) -> Iterator[Step]:
    chance = random.Random(mix.requests)
    final = mix.requests - mix.pending - mix.open
    for number in range(mix.requests):
        if number < final:
            # Between two years and two days ago: what ended, ended by now.
            created = now - timedelta(days=2) - (PERIOD - timedelta(days=2)) * chance.random()
            yield from _final(_raised(number, created, chance), chance)
        else:
            step = _raised(number, now - timedelta(hours=chance.uniform(1, 40)), chance, waits=timedelta(days=7))
            yield step
            if number >= final + mix.pending:
                yield from _approved(step, Limit())


def _raised(
    number: int,
    created: datetime,
    chance: random.Random,
    *,
    waits: timedelta = timedelta(hours=24),
    who: Caller = _CALLER,
) -> Step:
    asked = NewRequest(
        support_request_id=f"{created:%y%m%d}{number:010}",
        engineer=Engineer(id=f"engineer-{number % 40}@provider.example", display_name=chance.choice(_ENGINEERS)),
        reason=chance.choice(_REASONS),
        title="Sign-in problem",
        requested_seconds=3 * 24 * 3600,
        decide_by=created + waits + timedelta(seconds=number),
    )
    return lifecycle.raise_request(asked, who, str(uuid.UUID(int=chance.getrandbits(128), version=4)), created)


def _final(step: Step, chance: random.Random) -> Iterator[Step]:
    """Yield the creation of a request and the steps that end it."""
    yield step
    (end,) = chance.choices(list(_ENDS), weights=list(_ENDS.values()))
    yield from end(step)


def _approved(step: Step, limit: Limit) -> list[Step]:
    record, now = _after(step), step.at + timedelta(minutes=20)
    return lifecycle.approve(record, _CALLER, etag=record.etag, reason="Agreed", limit=limit, also=(), now=now)


def _rejected(step: Step) -> list[Step]:
    record, now = _after(step), step.at + timedelta(minutes=20)
    return lifecycle.reject(record, _CALLER, etag=record.etag, reason="Send us the log instead", now=now)


def _withdrawn(step: Step) -> list[Step]:
    record, now = _after(step), step.at + timedelta(hours=3)
    return lifecycle.withdraw(record, _CALLER, etag=record.etag, reason=None, now=now)


def _lapsed(step: Step) -> list[Step]:
    return _fallen_due(_after(step))


def _revoked(step: Step) -> list[Step]:
    (approval,) = _approved(step, Limit())
    record, now = _after(approval), approval.at + timedelta(hours=5)
    return [approval, *lifecycle.revoke(record, _CALLER, etag=record.etag, reason="Enough was seen", now=now)]


def _completed(step: Step) -> list[Step]:
    (approval,) = _approved(step, Limit())
    record, now = _after(approval), approval.at + timedelta(hours=9)
    return [approval, *lifecycle.close(record.support_request_id or "", [record], _CALLER, now)]


def _expired(step: Step) -> list[Step]:
    (approval,) = _approved(step, Limit(seconds=8 * 3600))
    return [approval, *_fallen_due(_after(approval))]


_ENDS: dict[Callable[[Step], list[Step]], float] = {
    _completed: 45,
    _expired: 25,
    _rejected: 12,
    _revoked: 8,
    _withdrawn: 5,
    _lapsed: 5,
}
"""How requests end, and how often."""


def _fallen_due(record: AccessRequest) -> list[Step]:
    step = expiry.fall_due(record, record.updated_at + PERIOD)
    return [] if step is None else [step]


def _after(step: Step) -> AccessRequest:
    if step.after is None:
        raise ValueError("the step leaves no record")
    return step.after
