"""The rules of `audit lint`."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.support.examples import costly
from tests.support.people import HOME, RESOURCE, START, object_id

from supportaccess.domain.expiry import as_of
from supportaccess.domain.lint.findings import MEANINGS, Code, LintFinding
from supportaccess.domain.lint.reconciliation import partners, standing
from supportaccess.domain.lint.rules import RULES, Evidence, counting, lint
from supportaccess.domain.records import (
    IDENTITY_DIAGNOSTIC_DATA,
    READ,
    AccessRequest,
    Actor,
    ActorKind,
    Confidence,
    Engineer,
    Mirror,
    Side,
    Source,
    Status,
)
from supportaccess.domain.roles.assignments import Deciders, Holder
from supportaccess.sources.vendors import vendor_of

DAY = timedelta(days=1)
NOW = START + 100 * DAY
ADA = Actor(kind=ActorKind.USER, tenant_id=HOME, object_id=object_id("Ada"), display_name="Ada")
RAISER = Actor(kind=ActorKind.APPLICATION, tenant_id=HOME, object_id=object_id("provider"))
ADA_MAY = Deciders(people={object_id("Ada"): Holder(principal_id=object_id("Ada"), roles=("Global Administrator",))})
NOBODY_MAY = Deciders(people={})


def request(name: str = "one", status: Status = Status.APPROVED, **fields: Any) -> AccessRequest:
    """Return a request that there is nothing to say of: opened a day ago, for two days."""
    approved = status not in {Status.PENDING, Status.REJECTED, Status.CANCELED, Status.LAPSED}
    return AccessRequest(
        **{
            "id": name,
            "support_request_id": "1",
            "status": status,
            "source": Source.STORE,
            "side": Side.BOTH,
            "support_request_tenant_id": HOME,
            "resource_tenant_id": HOME,
            "scope": IDENTITY_DIAGNOSTIC_DATA,
            "access_level": READ,
            "engineer": Engineer(display_name="Erin"),
            "created_at": NOW - DAY,
            "updated_at": NOW - DAY,
            **({"decided_by": ADA, "decided_at": NOW - DAY, "starts_at": NOW - DAY} if approved else {}),
            **({"expires_at": NOW + DAY} if status is Status.APPROVED else {}),
            **fields,
        }
    )


def mirror(name: str = "mirror", status: Status = Status.APPROVED, **fields: Any) -> AccessRequest:
    return request(
        name,
        status,
        source=Source.ENTRA,
        mirror=Mirror(confidence=Confidence.INFERRED, events=2),
        **{"expires_at": None, **fields},
    )


def found(*records: AccessRequest, now: datetime = NOW, older_than: timedelta = 30 * DAY, **more: Any) -> list[str]:
    """Return the codes that are found, each with whose it is."""
    evidence = Evidence(
        **{
            "tenant_id": HOME,
            "records": records,
            "imported_at": NOW,
            "deciders": ADA_MAY,
            "related": [mirror("confirming", created_at=NOW - 2 * DAY, expires_at=NOW + DAY)],
            "raised_by": {record.id: RAISER for record in records},
            **more,
        }
    )
    return [
        f"{each.code} {each.access_request_id}"
        for each in lint(evidence, now=now, older_than=older_than, vendor_of=vendor_of)[0]
    ]


def test_nothing_is_found_of_what_is_in_order() -> None:
    """Confirmed access with a limit, by somebody who may, is no finding; nor is what waits or was refused."""
    assert found(request()) == []
    for status in set(Status) - {Status.LAPSED, Status.APPROVED}:
        assert found(request(status=status), related=()) == []


@pytest.mark.parametrize(
    ("record", "more", "expected"),
    [
        (request(), {"closed": {"1": NOW}}, "SA001"),
        (request(), {"closed": {"2": NOW}}, None),
        (request(support_request_tenant_id=RESOURCE), {"closed": {"1": NOW}}, None),
        (request(status=Status.COMPLETED), {"closed": {"1": NOW}, "related": ()}, None),
        (request(expires_at=None), {}, "SA002"),
        (request(starts_at=NOW - 31 * DAY), {}, "SA003"),
        (request(starts_at=NOW - 30 * DAY), {}, None),
        (request(), {"related": ()}, "SA004"),
        (request(), {"related": (), "imported_at": None}, None),
        (request(), {"deciders": NOBODY_MAY}, "SA005"),
        (request(status=Status.COMPLETED), {"deciders": NOBODY_MAY, "related": ()}, None),
        (request(decided_by=replace(ADA, kind=ActorKind.LOCAL)), {"deciders": NOBODY_MAY}, None),
        (request(decided_by=replace(ADA, tenant_id=RESOURCE)), {"deciders": NOBODY_MAY}, None),
        (request(decided_by=replace(ADA, object_id=object_id("Ada").upper())), {}, None),
        (request(), {"raised_by": {"one": ADA}}, "SA006"),
        (request(status=Status.COMPLETED), {"raised_by": {"one": ADA}, "related": ()}, "SA006"),
        (request(), {"raised_by": {"one": replace(ADA, tenant_id=RESOURCE)}}, None),
        (request(engineer=Engineer(id=object_id("Ada"))), {}, "SA006"),
        (request(status=Status.LAPSED, decide_by=NOW - DAY), {"related": ()}, "SA007"),
        (request(status=Status.PENDING, decide_by=NOW), {"related": ()}, "SA007"),
        (request(status=Status.PENDING, decide_by=NOW + DAY), {"related": ()}, None),
        (request(status=Status.REJECTED), {}, "SA008"),
        (request(status=Status.EXPIRED), {}, "SA008"),
        (request(), {"related": [mirror(status=Status.REVOKED)]}, "SA008"),
        (request(status=Status.COMPLETED), {"related": [mirror(status=Status.REJECTED)]}, "SA008"),
        (request(status=Status.EXPIRED), {"related": [mirror(status=Status.PENDING)]}, None),
        (request(status=Status.EXPIRED), {"related": [mirror(status=Status.COMPLETED)]}, None),
    ],
)
def test_each_rule(record: AccessRequest, more: dict[str, Any], expected: str | None) -> None:
    """Each rule finds what it is about and nothing beside it."""
    assert found(record, **more) == ([] if expected is None else [f"{expected} one"])


def test_access_of_another_tenant_is_that_tenants_matter() -> None:
    """The support request tenant cannot end access in the resource tenant, and is not told to."""
    here = request(side=Side.SUPPORT_REQUEST, resource_tenant_id=RESOURCE, expires_at=None, starts_at=NOW - 90 * DAY)

    assert found(here, closed={"1": NOW}) == []


def test_a_ticket_that_the_provider_closed() -> None:
    """Where the provider ended one access by itself the ticket was closed, but for access opened later."""
    ended = mirror("ended", Status.COMPLETED, ended_at=NOW - DAY, created_at=NOW - 3 * DAY)
    early = mirror("early", starts_at=NOW - 2 * DAY, expires_at=NOW + DAY)
    late = mirror("late", starts_at=NOW, expires_at=NOW + DAY)

    assert found(early, late, related=[ended]) == ["SA001 early"]


def test_a_disagreement_is_told_once() -> None:
    """Of a request here and its mirror the one here is named, or the mirror where only that is looked at."""
    ours, theirs = request("ours", Status.REVOKED), mirror("theirs", expires_at=NOW + DAY)

    assert found(ours, theirs, related=[ours, theirs]) == ["SA008 ours"]
    assert found(theirs, related=[ours, theirs]) == ["SA008 theirs"]


def test_the_command_mends_where_it_can() -> None:
    """Access of this store is revoked here; what the provider keeps is removed there, and then imported."""
    evidence = Evidence(tenant_id=HOME, records=[request(expires_at=None), mirror(expires_at=None)])
    ours, theirs = lint(evidence, now=NOW, older_than=30 * DAY, vendor_of=vendor_of)[0]

    assert theirs.command == f"supportaccess revoke one --tenant {HOME}"
    assert ours.command == f"supportaccess import FILE --tenant {HOME}"
    assert "Entra admin center" in ours.message


def test_what_cannot_be_looked_for_says_why() -> None:
    """Without an import, role assignments or the members of a group that decides, a rule is left out with a reason."""
    bare = Evidence(tenant_id=HOME, records=[request()])
    group = Evidence(
        tenant_id=HOME,
        records=[request()],
        imported_at=NOW,
        deciders=Deciders(people={}, groups=(Holder(principal_id="g", display_name="Helpers"),)),
    )

    assert [each.code for each in lint(bare, now=NOW, older_than=DAY, vendor_of=vendor_of)[1]] == [
        "SA004",
        "SA008",
        "SA005",
    ]
    ((skipped,), findings) = lint(group, now=NOW, older_than=30 * DAY, vendor_of=vendor_of)[::-1]
    assert skipped.code == "SA005"
    assert "Helpers" in skipped.reason
    assert [each.code for each in findings] == ["SA004"]


def test_every_code_has_a_rule_and_a_meaning() -> None:
    """No code is without a rule, a severity and a meaning; codes are what they always were."""
    assert set(RULES) == set(MEANINGS) == set(Code)
    assert list(Code) == [f"SA00{number}" for number in range(1, 9)]


moments = st.none() | st.integers(-200, 200).map(lambda hours: NOW + timedelta(hours=hours))
actors = st.sampled_from([ADA, RAISER, replace(ADA, kind=ActorKind.LOCAL), Actor(kind=ActorKind.SYSTEM), None])
records = st.builds(
    AccessRequest,
    id=st.sampled_from([f"r{number}" for number in range(12)]),
    support_request_id=st.sampled_from(["1", "2", None]),
    status=st.sampled_from(Status),
    source=st.sampled_from(Source),
    side=st.sampled_from(Side),
    support_request_tenant_id=st.sampled_from([HOME, RESOURCE, None]),
    resource_tenant_id=st.just(HOME),
    scope=st.just(IDENTITY_DIAGNOSTIC_DATA),
    access_level=st.just(READ),
    created_at=moments,
    decide_by=moments,
    decided_at=moments,
    decided_by=actors,
    starts_at=moments,
    expires_at=moments,
    ended_at=moments,
    updated_at=st.just(NOW),
)
evidences = st.builds(
    Evidence,
    tenant_id=st.just(HOME),
    records=st.lists(records, max_size=6, unique_by=lambda record: record.id),
    related=st.lists(records, max_size=6, unique_by=lambda record: record.id),
    closed=st.dictionaries(st.sampled_from(["1", "2"]), st.just(NOW)),
    raised_by=st.dictionaries(st.sampled_from(["r1", "r2", "r3"]), st.sampled_from([ADA, RAISER])),
    imported_at=st.none() | st.just(NOW),
    deciders=st.sampled_from([None, ADA_MAY, NOBODY_MAY]),
)


def linted(
    evidence: Evidence, older_than: timedelta = DAY, silenced: dict[str, str] | None = None
) -> list[LintFinding]:
    return lint(evidence, now=NOW, older_than=older_than, silenced=silenced, vendor_of=vendor_of)[0]


@costly(200)
@given(evidences, st.permutations(range(6)))
def test_findings_are_of_what_is_looked_at(evidence: Evidence, order: list[int]) -> None:
    """Any evidence gives findings of the records looked at, one a code and record, sorted, whatever their order."""
    findings = linted(evidence)
    seen = [(each.code, each.access_request_id) for each in findings]
    assert len(set(seen)) == len(seen)
    assert {name for _, name in seen} <= {record.id for record in evidence.records}
    assert [each.severity.rank for each in findings] == sorted(each.severity.rank for each in findings)
    mixed = [evidence.records[place] for place in order if place < len(evidence.records)]
    assert linted(replace(evidence, records=mixed)) == findings


@costly(200)
@given(evidences, st.sampled_from(Code))
def test_silencing_hides_nothing(evidence: Evidence, code: Code) -> None:
    """A silenced code's findings are all still there with the reason, and no longer count; others are untouched."""
    loud, quiet = linted(evidence), linted(evidence, silenced={code: "known"})

    assert [replace(each, silenced=None) for each in quiet] == loud
    assert {each.code for each in quiet if each.silenced == "known"} <= {code}
    assert counting(quiet) == [each for each in loud if each.code is not code]


@costly(200)
@given(evidences, st.integers(0, 300))
def test_more_patience_finds_no_more(evidence: Evidence, hours: int) -> None:
    """The longer access may be open, the fewer findings; other rules do not depend on it."""
    strict = linted(evidence, timedelta(0))
    patient = linted(evidence, timedelta(hours=hours))

    assert all(each in strict for each in patient)
    assert {each.code for each in strict} - {each.code for each in patient} <= {Code.OPEN_FOR_LONG}


@costly(200)
@given(evidences)
def test_what_is_over_is_not_told_to_be_revoked(evidence: Evidence) -> None:
    """Only open access of this store is to be revoked here, also where the clock ended it and nobody wrote it down."""
    by_id = {record.id: as_of(record, NOW) for record in (*evidence.related, *evidence.records)}
    for each in linted(evidence):
        if each.command.startswith("supportaccess revoke "):
            record = by_id[each.command.split()[2]]
            assert (record.status, record.source) == (Status.APPROVED, Source.STORE)


@costly(200)
@given(st.lists(records, max_size=8, unique_by=lambda record: record.id))
def test_pairs_are_of_one_here_and_one_there(several: list[AccessRequest]) -> None:
    """Partners are each other's, one of this store and one mirror, as many as there are of the fewer."""
    pairs = partners(several)
    local = sum(record.source is Source.STORE for record in several)

    assert len(pairs) == 2 * min(local, len(several) - local)
    for record in several:
        partner = pairs.get(record.id)
        if partner is not None:
            assert pairs[partner.id] is record
            assert (record.source is Source.STORE) != (partner.source is Source.STORE)
            assert standing(record) is not None
