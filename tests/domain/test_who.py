"""Who could decide, and who did."""

from datetime import timedelta

from msgspec.structs import replace
from tests.domain.test_lint import ADA, NOW, mirror, request
from tests.support.people import HOME, RESOURCE

from supportaccess.domain.audit import Activity, AuditEntry
from supportaccess.domain.records import Actor, ActorKind, Status
from supportaccess.domain.roles.approvers import Decider, decisions_at_the_provider, decisions_in, who
from supportaccess.domain.roles.assignments import Deciders, Holder
from supportaccess.sources.entra.roles import shipped_role_table

TABLE = shipped_role_table()
OTTO = Actor(kind=ActorKind.USER, tenant_id=HOME, object_id="otto", display_name="Otto")


def entry(activity: Activity, actor: Actor = ADA, hours: int = 0, after: Status | None = None) -> AuditEntry:
    return AuditEntry(
        format_version=1,
        sequence=hours,
        time=NOW + timedelta(hours=hours),
        tenant_id=HOME,
        activity=activity,
        actor=actor,
        status_after=after,
    )


def told(*entries: AuditEntry, deciders: Deciders | None = None) -> list[Decider]:
    return who(decisions_in(entries), deciders, TABLE, HOME)


def test_decisions_are_counted_for_each_person() -> None:
    """Each person has how often they approved, rejected and revoked, and when last; the latest comes first."""
    rows = told(
        entry(Activity.REQUEST_CREATED, OTTO),
        entry(Activity.REQUEST_APPROVED, hours=1),
        entry(Activity.REQUEST_APPROVED, hours=3),
        entry(Activity.APPROVAL_APPROVED, OTTO, hours=2),
        entry(Activity.REQUEST_REJECTED, OTTO, hours=5),
        entry(Activity.APPROVAL_REMOVED, hours=4, after=Status.REVOKED),
        entry(Activity.APPROVAL_REMOVED, hours=9, after=Status.COMPLETED),
        entry(Activity.IMPORT, hours=9),
    )

    did = [(row.display_name, row.approved, row.rejected, row.revoked, row.last_at) for row in rows if row.last_at]
    assert did == [
        ("Otto", 1, 1, 0, NOW + timedelta(hours=5)),
        ("Ada", 2, 0, 1, NOW + timedelta(hours=4)),
    ]


def test_the_same_name_in_two_tenants_is_two_people() -> None:
    """Tenant and object ID tell people apart; names do not."""
    rows = told(
        entry(Activity.REQUEST_APPROVED),
        entry(Activity.REQUEST_APPROVED, replace(ADA, tenant_id=RESOURCE)),
        entry(Activity.REQUEST_APPROVED, replace(ADA, display_name="Ada Renamed")),
    )

    assert sorted(row.approved for row in rows if row.last_at) == [1, 2]


def test_without_assignments_the_roles_could() -> None:
    """Without role assignments the roles of the table stand for who could; of a person nothing is known."""
    rows = told(entry(Activity.REQUEST_APPROVED))

    assert rows[0].may_decide is None
    roles = rows[1:]
    assert len(roles) == 45
    assert {row.kind for row in roles} == {"role"}
    assert [row.display_name for row in roles] == sorted(row.display_name or "" for row in roles)


def test_with_assignments_people_could() -> None:
    """With role assignments each person of the tenant may or may not; who never decided comes last."""
    deciders = Deciders(
        people={
            "otto": Holder(principal_id="otto", display_name="Otto", kind="user", roles=("Global Administrator",)),
            "new": Holder(principal_id="new", display_name="New", kind="user", roles=("AI Administrator",)),
        }
    )
    local = Actor(kind=ActorKind.LOCAL, tenant_id=HOME, object_id="root@vm", display_name="root")
    rows = told(
        entry(Activity.REQUEST_APPROVED, ADA, 1),
        entry(Activity.REQUEST_APPROVED, OTTO, 2),
        entry(Activity.REQUEST_APPROVED, local, 3),
        entry(Activity.REQUEST_APPROVED, replace(ADA, tenant_id=RESOURCE), 4),
        deciders=deciders,
    )

    assert [(row.display_name, row.may_decide, row.roles) for row in rows] == [
        ("Ada", None, ()),
        ("root", None, ()),
        ("Otto", True, ("Global Administrator",)),
        ("Ada", False, ()),
        ("New", True, ("AI Administrator",)),
    ]


def test_a_group_leaves_it_open() -> None:
    """Where a group of unknown members may decide, nobody is said not to."""
    group = Holder(principal_id="g", display_name="Helpers", kind="group", roles=("Global Administrator",))
    rows = told(entry(Activity.REQUEST_APPROVED), deciders=Deciders(people={}, groups=(group,)))

    assert [(row.kind, row.may_decide) for row in rows] == [("user", None), ("group", True)]


def test_the_provider_tells_of_people_too() -> None:
    """Decisions that only mirrors tell of count; what the system did is nobody's."""
    system = Actor(kind=ActorKind.APPLICATION, display_name="Microsoft")
    mirrors = [
        mirror("1", Status.REVOKED, ended_by=OTTO, ended_at=NOW),
        mirror("2", Status.REJECTED, decided_by=OTTO, decided_at=NOW),
        mirror("3", Status.COMPLETED, decided_by=system, ended_by=system, ended_at=NOW),
        request("4"),
    ]
    found = [(each.actor.display_name, each.verdict) for each in decisions_at_the_provider(mirrors)]

    assert found == [("Ada", "approved"), ("Otto", "revoked"), ("Otto", "rejected")]
