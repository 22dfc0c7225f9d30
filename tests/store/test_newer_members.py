"""Records of a newer program: members that this one does not know are vouched for by the log like all others."""

from collections.abc import Callable, Iterator

import msgspec
import pytest
from tests.contract.conftest import DATABASES
from tests.support.people import HOME, caller
from tests.support.worlds import SqlWorld

from supportaccess.domain.audit import Activity, Step
from supportaccess.domain.records import AccessRequest, Actor, ActorKind, Side, Source, Status, with_etag
from supportaccess.store.sql.writes import lock_and_write
from supportaccess.tlog.verify import Verdict

ID = "0a0a0a0a-0000-4000-8000-000000000001"


class NewerActor(Actor, frozen=True, kw_only=True):
    """An actor that says more."""

    device: str


class Newer(AccessRequest, frozen=True, kw_only=True):
    """A record with members to come, one of which sorts before all that there are."""

    aaa: dict[str, int]
    zone: str


@pytest.fixture(params=DATABASES)
def world(request: pytest.FixtureRequest) -> Iterator[SqlWorld]:
    """Return a store in which a newer program wrote a record; what a test did to it is undone at the end."""
    with DATABASES[request.param]() as world:
        who = caller(HOME).actor
        record = Newer(
            id=ID,
            aaa={"b": 2, "a": 1},
            zone="EU",
            support_request_id="newer",
            status=Status.APPROVED,
            source=Source.STORE,
            side=Side.BOTH,
            support_request_tenant_id=HOME,
            resource_tenant_id=HOME,
            scope="identityDiagnosticData",
            access_level="read",
            created_at=world.clock(),
            decided_by=NewerActor(kind=ActorKind.USER, display_name="Ada", device="phone"),
            updated_at=world.clock(),
        )
        step = Step(
            tenant_id=HOME,
            activity=Activity.REQUEST_CREATED,
            actor=who,
            at=world.clock(),
            after=with_etag(record),
        )
        with world.engine.writing([HOME]) as session:
            lock_and_write(world.engine, session, [step], {})
        world.store()
        text = stored(world)
        yield world
        store(world, text)


def stored(world: SqlWorld) -> str:
    """Return the record's JSON."""
    with world.engine.reading([HOME]) as session:
        row = session.one("SELECT record FROM access_requests WHERE id = :id", {"id": ID})
    assert row is not None
    return str(row[0])


def store(world: SqlWorld, text: str) -> None:
    """Write the record's JSON, and nothing else."""
    with world.engine.writing([HOME]) as session:
        session.run("UPDATE access_requests SET record = :record WHERE id = :id", {"record": text, "id": ID})


def test_what_was_hashed_verifies(world: SqlWorld) -> None:
    """A record whose hash covers members that this program does not know is as the log left it."""
    assert {"aaa", "zone"} < msgspec.json.decode(stored(world)).keys()
    verification = world.store().verify()

    assert (verification.findings, verification.access_requests) == ([], 1)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace('"zone":"EU"', '"zone":"US"'),
        lambda text: text.replace('"device":"phone"', '"device":"desk"'),
        lambda text: text.replace('"b":2', '"b":3'),
        lambda text: text.replace(',"zone":"EU"', ""),
        lambda text: text.replace('"zone":"EU"', '"zone":"EU","zones":2'),
        lambda text: text.replace('"zone":"EU"', '"zone":"US","zone":"EU"'),
        lambda text: text.replace('"device":"phone"', '"device":"desk","device":"phone"'),
        lambda text: text.replace('"zone":"EU"', '"zone":"\\u0045U"'),
    ],
    ids=["changed", "changed-inside", "changed-number", "removed", "added", "twice", "twice-inside", "escaped"],
)
def test_what_was_changed_is_found(world: SqlWorld, change: Callable[[str], str]) -> None:
    """An unknown member that was changed, added, removed or written twice behind the store's back is altered."""
    text = change(stored(world))
    assert text != stored(world)
    store(world, text)

    (finding,) = world.store().verify().findings

    assert (finding.verdict, finding.access_request_id, finding.sequence) == (Verdict.ALTERED, ID, 0)
