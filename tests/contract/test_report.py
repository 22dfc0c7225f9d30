"""A period's report, the same whichever store stands behind it."""

from datetime import timedelta

from tests.contract.acts import approved, cross_tenant, revoke
from tests.contract.conftest import World
from tests.support.people import HOME, RESOURCE, asking

from supportaccess.cli.audit.report.gathering import gather
from supportaccess.domain.audit import Activity
from supportaccess.domain.report.figures import Period, Report


def report_of(world: World, tenant_id: str = HOME) -> Report:
    now = world.clock()
    return gather(
        world.store(tenant_id),
        Period(since=now - timedelta(days=30), until=now),
        now=now,
        name=None,
        deciders=None,
        silenced={},
        older_than=timedelta(days=1),
    )


def test_a_period(world: World) -> None:
    """Requests with their entries, numbers, open access, findings and a log that holds are in it."""
    store = world.store()
    first = approved(store, asking("1", requested_seconds=None))
    world.clock.advance(timedelta(days=2))
    second = approved(store, asking("2"))
    revoke(store, second.id)
    world.clock.advance(timedelta(hours=1))
    report = report_of(world)

    assert [(each.id, len(each.history)) for each in report.requests] == [(first.id, 2), (second.id, 3)]
    assert (report.numbers.approved, report.numbers.revoked, report.numbers.open_at_end) == (2, 1, 1)
    assert [(each.access_request_id, each.until is None) for each in report.access] == [
        (first.id, True),
        (second.id, False),
    ]
    assert {"SA002", "SA003", "SA006"} <= set(report.requests[0].findings)
    assert (report.log.holds, report.log.size, report.log.begins_at) == (True, 6, first.created_at)
    assert [entry.activity for entry in world.entries(HOME)[5:]] == [Activity.LOG_READ]


def test_a_report_tells_a_tenant_only_what_it_may_know(world: World) -> None:
    """That the resource tenant revoked is in its own report alone."""
    request_id = cross_tenant(world)
    revoke(world.store(RESOURCE), request_id)
    world.clock.advance(timedelta(minutes=1))
    asked, theirs = report_of(world), report_of(world, RESOURCE)

    assert [each.status for each in theirs.requests] == ["revoked"]
    assert [each.status for each in asked.requests] == ["approved"]
    assert (asked.numbers.revoked, theirs.numbers.revoked) == (0, 1)
    assert "revoke" not in repr(asked.requests) + repr(asked.access)
    assert any("which alone knows" in gap for gap in asked.gaps)
