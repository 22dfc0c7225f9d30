"""What of an item becomes a source event, and what it says."""

from typing import Any

import pytest
from tests.sources.builders import (
    APP,
    CORRELATION_ID,
    OTHER_TENANT,
    REQUEST_ID,
    TENANT,
    USER,
    event,
    export,
    page,
    read,
    read_one,
    refusal,
    row,
    unrelated,
)

from supportaccess.domain.records import Actor, ActorKind

SIX = (
    "Request created",
    "Request approved",
    "Request rejected",
    "Request canceled",
    "Approval approved",
    "Approval removed",
)


@pytest.mark.parametrize("activity", SIX)
def test_the_six_activities(activity: str) -> None:
    """The six activities are recognised in any case, and kept in their own spelling."""
    found = read_one(event(activityDisplayName=f" {activity.upper()} ", loggedByService="core directory "))
    assert found.recognised
    assert found.activity == activity


@pytest.mark.parametrize(
    "changes",
    [
        {"activityDisplayName": "Request reassigned"},
        {"loggedByService": "Another Service"},
        {"loggedByService": None},
        {"category": "Audit"},
        {"category": None},
        {"category": "EntitlementManagement"},
    ],
)
def test_kept_but_not_recognised(changes: dict[str, Any]) -> None:
    """What has only some of the marks of a step is kept, and said not to be recognised."""
    found = read_one(event(**changes))
    assert not found.recognised
    assert found.activity == changes.get("activityDisplayName", "Request approved")


@pytest.mark.parametrize(
    "item",
    [
        unrelated(),
        event(category="EntitlementManagement", loggedByService="Entitlement Management"),
        event(category="Audit", activityDisplayName="Update user"),
        event(category=None, loggedByService=None),
    ],
)
def test_unrelated(item: dict[str, Any]) -> None:
    """Other events are counted and not yielded; an activity's name alone says nothing."""
    source = export(page(item, event()))
    assert len(list(source)) == 1
    assert (source.events, source.unrelated) == (2, 1)


@pytest.mark.parametrize("category", ["Audit", "audit", "", None])
def test_log_analytics_may_call_every_category_audit(category: str | None) -> None:
    """In Log Analytics a step may be of category Audit, if its service and activity are the right ones."""
    (found,) = read(page(row(Category=category)))
    assert found.recognised
    assert read(page(row(Category=category, LoggedByService="Entitlement Management"))) == []
    (found,) = read(page(row(Category="EntitlementManagement")))
    assert not found.recognised


@pytest.mark.parametrize(
    ("initiated_by", "actor"),
    [
        ({"user": USER}, Actor(kind=ActorKind.USER, tenant_id=TENANT, object_id="user-1", display_name="Ada Admin")),
        (
            {"user": {**USER, "displayName": None, "homeTenantId": OTHER_TENANT.upper()}, "app": None},
            Actor(kind=ActorKind.USER, tenant_id=OTHER_TENANT, object_id="user-1", display_name="ada@example.com"),
        ),
        (
            {"user": {**USER, "homeTenantId": "somewhere"}},
            Actor(kind=ActorKind.USER, object_id="user-1", display_name="Ada Admin"),
        ),
        ({"app": APP}, Actor(kind=ActorKind.APPLICATION, object_id="sp-1", display_name="Support Service")),
        (
            {"user": {"id": None, "displayName": "", "userPrincipalName": None}, "app": {"appId": "app-1"}},
            Actor(kind=ActorKind.APPLICATION, object_id="app-1"),
        ),
        ({"user": {"id": ""}, "app": {}}, None),
        ({"user": None, "app": None}, None),
        ({}, None),
        (None, None),
    ],
)
def test_initiator(initiated_by: dict[str, Any] | None, actor: Actor | None) -> None:
    """The initiator is the user, else the application, else unknown."""
    assert read_one(event(initiatedBy=initiated_by)).initiator == actor


def test_long_and_hostile_names() -> None:
    """A display name is cut to what a record may hold, and its NUL characters are replaced."""
    actor = read_one(event(initiatedBy={"user": {"id": "u", "displayName": "\x00\x1b" + "x" * 300}})).initiator
    assert actor is not None
    assert actor.display_name == "\ufffd\x1b" + "x" * 254


def test_target_ids() -> None:
    """Targets that are directory objects, the tenant, the actor, or have no ID do not name the request."""
    targets = [
        {"id": REQUEST_ID.upper(), "type": "Other"},
        {"id": "No-Type"},
        {"id": REQUEST_ID, "Type": "SupportAccessRequest"},
        *({"id": "x", "type": kind} for kind in ("User", "servicePrincipal", "Service Principal", "Directory", "role")),
        {"id": TENANT.upper(), "type": "Other"},
        {"id": "USER-1"},
        {"id": ""},
        {"id": None},
        {"id": "00000000-0000-0000-0000-000000000000"},
    ]
    assert read_one(event(targetResources=targets)).target_ids == (REQUEST_ID, "no-type")


def test_correlation_ids() -> None:
    """A correlation ID is in lower case, and the one that is all zeros is none."""
    assert read_one(event(correlationId=CORRELATION_ID.upper())).correlation_id == CORRELATION_ID
    assert read_one(event(correlationId="00000000-0000-0000-0000-000000000000")).correlation_id is None
    assert read_one(event(correlationId="Opaque")).correlation_id == "Opaque"


def test_ids_are_opaque() -> None:
    """An event's ID is kept as it is."""
    assert read_one(event(id=" SSGM_X ")).id == " SSGM_X "


def test_derived_ids() -> None:
    """Without an ID one is derived, the same for the same content and another for any other."""
    variants: list[dict[str, Any]] = [
        {},
        {"activityDateTime": "2026-05-01T12:34:57Z"},
        {"correlationId": None},
        {"activityDisplayName": "Request created"},
        {"result": "failure"},
        {"initiatedBy": {}},
        {"targetResources": []},
    ]
    derived = {read_one(event(id=None, **changes)).id for changes in variants}
    assert len(derived) == 7
    assert read_one(event(id="")).id in derived


@pytest.mark.parametrize(
    "written",
    [
        "2026-05-01T12:34:56.1234567",
        "2026-05-01 12:34:56.1234567",
        "2026-05-01T12:34:56.1234567Z",
        "2026-05-01T14:34:56.1234567+02:00",
    ],
)
def test_times_of_log_analytics(written: str) -> None:
    """A time without an offset is UTC where the documentation of the form says so."""
    (found,) = read(page(row(ActivityDateTime=written)))
    assert found.time.isoformat() == "2026-05-01T12:34:56.123456+00:00"


@pytest.mark.parametrize("written", ["5/1/2026, 12:34:56 PM", "1777638896", "2026-02-30T00:00:00Z", "/Date(1)/"])
def test_ambiguous_times(written: str) -> None:
    """A time that can be read in two ways is refused, not guessed."""
    error = refusal(page(row(ActivityDateTime=written)))
    assert written in error.message
    assert "spreadsheets" in (error.hint or "")


def test_graph_times_have_an_offset() -> None:
    """Graph always gives the offset, so one without it is not Graph's."""
    assert "time" in refusal(page(event(activityDateTime="2026-05-01T12:34:56"))).message


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"activityDisplayName": None}, "has no activityDisplayName"),
        ({"activityDateTime": ""}, "has no activityDateTime"),
        ({"id": 7}, "has a number as its id, not text"),
        ({"category": []}, "has an array as its category, not text"),
        ({"id": "x" * 257}, "has 257 characters as its id; 256 is the most"),
        ({"id": "a\x00"}, "NUL"),
        ({"initiatedBy": []}, "not an object"),
        ({"initiatedBy": {"user": 1}}, "not an object"),
        ({"targetResources": {}}, "not an array of objects"),
        ({"targetResources": [1]}, "not an array of objects"),
        ({"targetResources": [{"id": True}]}, "true or false"),
    ],
)
def test_fields_that_are_not_what_they_must_be(changes: dict[str, Any], says: str) -> None:
    """A field of another kind is refused, with the item and what is wrong."""
    message = refusal(page(unrelated(), event(**changes))).message
    assert message.startswith("audit.json: item 2 (line 1) ")
    assert says in message
