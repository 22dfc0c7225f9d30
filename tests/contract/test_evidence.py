"""What audits ask of a store, the same whichever stands behind it."""

from datetime import timedelta

from tests.contract.conftest import World
from tests.support.people import asking

from supportaccess.cli.audit.inputs import evidence_of
from supportaccess.domain.lint.rules import lint
from supportaccess.domain.records import Side, Status
from supportaccess.sources.vendors import vendor_of


def test_every_store_gives_the_same_findings(world: World) -> None:
    """Embedded or shared, on SQLite or PostgreSQL: the evidence is the same, and so is what is found."""
    store = world.store()
    record = store.raise_request(asking("1", requested_seconds=None), key="k1")
    store.approve(record.id, etag=record.etag, key="k2")
    late = store.raise_request(asking("2", decide_by=world.clock() + timedelta(hours=1)), key="k3")
    other = store.raise_request(asking("3"), key="k4")
    store.approve(other.id, etag=other.etag, key="k5")
    store.close("3", key="k6")
    world.clock.advance(timedelta(days=20))
    evidence = evidence_of(world.store(), world.clock(), None)
    found, skipped = lint(evidence, now=world.clock(), older_than=timedelta(days=10), vendor_of=vendor_of)

    assert evidence.closed.keys() == {"3"}
    assert {(each.code, each.access_request_id) for each in found} == {
        ("SA002", record.id),
        ("SA003", record.id),
        ("SA006", record.id),
        ("SA006", other.id),
        ("SA007", late.id),
    }
    assert {each.code for each in skipped} == {"SA004", "SA005", "SA008"}
    world.clock.advance(timedelta(days=20))
    remaining = evidence_of(world.store(), world.clock(), None)
    assert [(each.id, each.status, each.side) for each in remaining.records] == [
        (record.id, Status.APPROVED, Side.BOTH)
    ]
