"""`supportaccess audit log` in the forms that others' programs read."""

import json
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema  # type: ignore[import-untyped]
from tests.cli.home import EXAMPLE, Home, key
from tests.cli.output.samples import HOSTILE
from tests.support.people import HOME, RESOURCE, asking

from supportaccess.cli.output.shapes import Shape
from supportaccess.cli.output.shapes.directory_audit import DirectoryAudit, directory_audit
from supportaccess.cli.output.shapes.ocsf import CLASS_UID, OCSF_VERSION, ocsf_event
from supportaccess.domain.audit import Activity, AuditEntry, Outcome, activities_with, outcome_of
from supportaccess.domain.records import Actor, ActorKind
from supportaccess.errors import InvalidInput

TEXT = {"type": ["string", "null"]}
KEY_VALUE = {"key": TEXT, "value": TEXT}


def strict(**properties: Any) -> dict[str, Any]:
    """Return the schema of an object with exactly these members."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def several(**properties: Any) -> dict[str, Any]:
    return {"type": "array", "items": strict(**properties)}


# Microsoft Graph v1.0, microsoft.graph.directoryAudit and what it is made of: each property with its type; those that
# the metadata declares not null are not null here.
DIRECTORY_AUDIT = strict(
    id={"type": "string", "minLength": 1},
    category={"type": "string"},
    correlationId=TEXT,
    result={"enum": ["success", "failure", "timeout", "unknownFutureValue"]},
    resultReason=TEXT,
    activityDisplayName={"type": "string"},
    activityDateTime={"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?Z$"},
    loggedByService=TEXT,
    operationType={"enum": ["Add", "Update", "Delete", "Other"]},
    initiatedBy=strict(
        user={
            "anyOf": [
                {"type": "null"},
                strict(id=TEXT, displayName=TEXT, userPrincipalName=TEXT, ipAddress=TEXT),
            ]
        },
        app={
            "anyOf": [
                {"type": "null"},
                strict(appId=TEXT, displayName=TEXT, servicePrincipalId=TEXT, servicePrincipalName=TEXT),
            ]
        },
    ),
    targetResources=several(
        id=TEXT,
        displayName=TEXT,
        type=TEXT,
        userPrincipalName=TEXT,
        groupType=TEXT,
        modifiedProperties=several(displayName=TEXT, oldValue=TEXT, newValue=TEXT),
    ),
    additionalDetails=several(**KEY_VALUE),
)


@pytest.fixture
def every(home: Home) -> Home:
    """Return a home whose log has every activity that it can have in one tenant, and one of another tenant."""
    home.one_of_each()
    home.add_tenant(RESOURCE, "fabrikam")
    crossing = home.crossing(RESOURCE, approve=True)
    assert home.run("revoke", crossing.id, "-y", "-t", "fabrikam").code == 0
    assert home.run("import", str(EXAMPLE)).code == 0
    assert home.run("provider", "close", "none-of-ours", "-y").code == 5
    home.read_log()
    home.read_log("-t", "fabrikam")
    return home


@pytest.fixture(scope="module")
def ocsf() -> jsonschema_rs.Validator:
    """Return what validates an event by OCSF's own definition of its class."""
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(OCSF_VERSION))
    return jsonschema_rs.validator_for(schema.get_class_schema(schema.lookup_class_name_from_uid(CLASS_UID)))


def shaped(home: Home, shape: Shape, *arguments: str) -> list[dict[str, Any]]:
    lines = home.run("audit", "log", "--all", "--shape", shape, "-o", "jsonl", *arguments).lines
    return [json.loads(line) for line in lines]


def kept(home: Home) -> list[str]:
    """Return all that the store holds but for answers to idempotency keys, and how often its log was read."""
    passing = ('INSERT INTO "idempotency"', 'INSERT INTO "attempt_counts"')
    return [line for line in home.dump() if not line.startswith(passing)]


def test_directory_audits_have_graphs_members(every: Home) -> None:
    """Each entry has the members of Graph's directoryAudit with their types, all of them, and no other."""
    validator = jsonschema_rs.validator_for(DIRECTORY_AUDIT)
    told = [*shaped(every, Shape.DIRECTORY_AUDIT), *shaped(every, Shape.DIRECTORY_AUDIT, "-t", "fabrikam")]
    for each in told:
        validator.validate(each)
        assert (each["initiatedBy"]["user"] is None) != (each["initiatedBy"]["app"] is None)
    assert len({each["id"] for each in told}) == len(told)
    assert {each["activityDisplayName"] for each in told} >= {
        "Request created",
        "Request approved",
        "Request rejected",
        "Request canceled",
        "Approval approved",
        "Approval removed",
        "Import",
        "Limit reached",
        "Attempt failed",
        "Audit log read",
    }


def test_a_directory_audit_tells_what_the_entry_tells(home: Home) -> None:
    """Who, what, when, why and the change of status are where Graph has them; both tenants' halves correlate."""
    home.add_tenant(RESOURCE, "fabrikam")
    record = home.crossing(RESOURCE, approve=True)
    approved, created = shaped(home, Shape.DIRECTORY_AUDIT)
    (theirs,) = shaped(home, Shape.DIRECTORY_AUDIT, "-t", "fabrikam")

    assert created["resultReason"] == record.reason
    assert (created["operationType"], approved["operationType"], theirs["operationType"]) == ("Add", "Update", "Add")
    assert approved["correlationId"] == theirs["correlationId"] == record.id
    assert approved["initiatedBy"]["user"]["displayName"] == "Ada Administrator"
    (target,) = approved["targetResources"]
    assert (target["id"], target["displayName"]) == (record.id, record.support_request_id)
    changes = {each["displayName"]: (each["oldValue"], each["newValue"]) for each in target["modifiedProperties"]}
    assert changes["status"] == ('"pending"', '"approved"')
    details = {each["key"]: each["value"] for each in approved["additionalDetails"]}
    assert details["supportRequestId"] == record.support_request_id
    assert details["tenantId"] == HOME


def test_a_log_read_back_makes_no_mirrors(every: Home) -> None:
    """Importing our own log in Graph's shape keeps nothing: a decision made here is no record of a provider."""
    before = kept(every)
    exported = every.run("audit", "log", "--all", "--shape", "directoryAudit", "-o", "json")
    (every.folder / "own.json").write_text(exported.out)
    imported = every.run("import", "own.json", "-o", "json")

    assert imported.code == 0, imported.err
    assert imported.json["eventsRead"] == imported.json["eventsUnrelated"] == len(exported.json) > 10
    assert kept(every) == before


def test_ocsf_events_are_valid(every: Home, ocsf: jsonschema_rs.Validator) -> None:
    """Each entry is a valid event of OCSF's class Entity Management, by the published definition of that version."""
    told = [*shaped(every, Shape.OCSF), *shaped(every, Shape.OCSF, "-t", "fabrikam")]
    for each in told:
        ocsf.validate(each)
        assert each["type_uid"] == each["class_uid"] * 100 + each["activity_id"]
        assert each["metadata"]["version"] == OCSF_VERSION
    assert {"Create", "Read", "Update", "Import", "Attempt failed"} == {each["activity_name"] for each in told}
    assert {each["metadata"]["uid"] for each in told} == {
        each["id"] for tenant in ("contoso", "fabrikam") for each in shaped(every, Shape.DIRECTORY_AUDIT, "-t", tenant)
    }


def test_what_ocsf_validates_is_no_rubber_stamp(every: Home, ocsf: jsonschema_rs.Validator) -> None:
    """The definition refuses an event that lacks what it requires, and one with what it does not know."""
    each = shaped(every, Shape.OCSF)[0]
    for broken in (
        {name: value for name, value in each.items() if name != "entity"},
        {**each, "severity_id": 17},
        {**each, "actor": {}},
        {**each, "decided": True},
    ):
        with pytest.raises(jsonschema_rs.ValidationError):
            ocsf.validate(broken)


@pytest.mark.parametrize("kind", list(ActorKind))
@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("activity", list(Activity))
def test_every_actor_and_activity(
    activity: Activity, named: bool, kind: ActorKind, ocsf: jsonschema_rs.Validator
) -> None:
    """Any actor, named or not, with any activity is a valid event of both."""
    actor = Actor(kind=kind, tenant_id=HOME, object_id="o", display_name="n") if named else Actor(kind=kind)
    entry = msgspec.convert(
        {"formatVersion": 1, "sequence": 0, "time": "2026-03-01T09:30:00Z", "tenantId": HOME, "activity": activity}
        | {"actor": msgspec.to_builtins(actor)},
        AuditEntry,
    )

    ocsf.validate(json.loads(msgspec.json.encode(ocsf_event(entry))))
    audit = json.loads(msgspec.json.encode(directory_audit(entry)))
    jsonschema_rs.validator_for(DIRECTORY_AUDIT).validate(audit)
    assert (audit["result"] == "success") is (outcome_of(activity) is Outcome.SUCCESS)


def test_every_format_takes_a_shape(every: Home) -> None:
    """A shape is a record like others: columns, queries and formats work with it."""
    asked = ["audit", "log", "--shape", "directoryAudit", "-L", "1"]
    columns = "result,initiatedBy.app.displayName,loggedByService"
    assert every.run(*asked, "--columns", columns).lines == ["success\t\tsupportaccess"]
    assert every.run(*asked, "--query", "[0].category").lines == ["MicrosoftSupportAccessManagement"]
    for form in ("json", "yaml", "csv", "tsv", "ids", "table"):
        assert every.run(*asked, "-o", form).code == 0
        assert every.run("audit", "log", "--shape", "ocsf", "-o", form, "-L", "1").code == 0
    assert every.run(*asked, "--columns", "targetResources.id").code == 2


def test_hostile_text_stays_text(home: Home, ocsf: jsonschema_rs.Validator) -> None:
    """Whatever a record holds, the shapes are valid and ASCII."""
    for number, text in enumerate(HOSTILE.values()):
        with home.store() as store:
            try:
                store.raise_request(asking(f"t{number}", engineer=text[:200], reason=text[:200]), key=key())
            except InvalidInput:  # no store holds a NUL or half a character
                continue
    for each in shaped(home, Shape.OCSF):
        ocsf.validate(each)
    for shape in Shape:
        assert home.run("audit", "log", "--all", "--shape", shape, "-o", "jsonl").out.isascii()


def test_outcomes(home: Home) -> None:
    """--outcome narrows to the activities with that outcome; each activity has exactly one."""
    home.raised("1")
    assert len(home.run("audit", "log", "--outcome", "success").lines) == 1
    assert home.run("audit", "log", "--outcome", "failure", "--outcome", "denied", "--fail-if-any").code == 0
    assert home.run("audit", "log", "--outcome", "nothing").code == 2
    assert home.run("provider", "close", "none-of-ours", "-y").code == 5
    asked = ["audit", "log", "--outcome", "failure", "--outcome", "denied", "--fail-if-any"]
    failed = home.run(*asked, "--columns", "activity,supportRequestId,details")
    assert failed.code == 10
    assert failed.lines == ['Attempt failed\tnone-of-ours\t{"error":"NotFound","operation":"close"}']
    chosen = home.run("audit", "log", "--outcome", "success", "--activity", "request created", "--columns", "sequence")
    assert chosen.lines == ["0"]
    assert sum(len(activities_with(outcome)) for outcome in Outcome) == len(Activity)


def test_the_members_are_told_in_order() -> None:
    """The members stand in the order of Graph's own documentation."""
    assert [field.encode_name for field in msgspec.structs.fields(DirectoryAudit)] == list(
        DIRECTORY_AUDIT["properties"]
    )
