"""From an item in the shape of Graph's directoryAudit to a source event."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from supportaccess.domain.records import Actor, ActorKind, Source, canonical_json
from supportaccess.domain.source_events import SourceEvent
from supportaccess.domain.tenants import is_guid
from supportaccess.domain.text import LONGEST_NAME
from supportaccess.domain.times import format_rfc3339, parse_rfc3339
from supportaccess.errors import InvalidInput
from supportaccess.sources.entra.rebuild import ENTRA_ACTIVITIES
from supportaccess.sources.entra.support_request_ids import find_support_request_id
from supportaccess.sources.readers.fields import Fields, Refusal, entries, mapping, quoted, text, word

SERVICE = "Core Directory"
CATEGORY = "MicrosoftSupportAccessManagement"
OWN_SERVICE = "supportaccess"
"""The service in entries of this program's own log (`audit log --shape directoryAudit`)."""

_ACTIVITIES = {activity.casefold(): activity.value for activity in ENTRA_ACTIVITIES}
_SERVICE, _CATEGORY = SERVICE.casefold(), CATEGORY.casefold()
# The reference of the table AuditLogs gives this as Category's only value; in practice it has Graph's categories.
_ANY_CATEGORY = frozenset({"", "audit"})
_NO_ID = "00000000-0000-0000-0000-000000000000"
_NO_OFFSET = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d+)?", re.ASCII)
_NOT_LETTERS = re.compile(r"[^a-z]+")

# Kinds of directory objects: what such a target's ID names is not the access request.
_DIRECTORY_OBJECTS = frozenset(
    {
        *("user", "group", "device", "serviceprincipal", "application", "app", "directory", "tenant"),
        *("organization", "company", "policy", "role", "administrativeunit", "agreement"),
        *("approleassignment", "conditionalaccesspolicy", "contact", "crosstenantaccesspolicy"),
        *("directoryrole", "directorysetting", "domain", "federatedidentitycredential"),
        *("grouplifecyclepolicy", "namedlocation", "oauthpermissiongrant", "orgcontact", "partner"),
        *("permissiongrant", "roleassignment", "roledefinition", "subscribedsku", "unifiedgroup"),
    }
)


@dataclass(frozen=True, slots=True)
class Reading:
    """How the events of an export are to be read.

    `general_category`: Category may be missing or "Audit", and tells nothing then. `utc`: a time without an offset is
    in UTC, as the documentation of that format says.
    """

    tenant_id: str
    format: str
    general_category: bool
    utc: bool


def read_event(audit: Fields, raw: str, reading: Reading) -> SourceEvent | None:
    """Return the event; None if it is plainly not about support access.

    Recognised is what has the service, the category and one of the six activities of Microsoft's list of audit
    activities; an activity alone says nothing, since entitlement management has "Request approved" too. What has only
    some of the three is returned unrecognised. Raises Refusal if a field is missing or is not what it must be.
    """
    recognised = _recognised(audit, reading)
    if recognised is None:
        return None
    activity = word(audit, "activityDisplayName")
    if activity is None:
        raise Refusal("has no activityDisplayName")
    targets = entries(audit, "targetResources")
    initiator = _initiator(audit, reading.tenant_id)
    event_id, result = word(audit, "id"), word(audit, "result")
    time, correlation_id = _time(audit, reading), _guid(word(audit, "correlationId"))
    if recognised:
        activity = _ACTIVITIES[_folded(activity)]
    return SourceEvent(
        source=Source.ENTRA,
        tenant_id=reading.tenant_id,
        id=event_id or _derived_id(time, correlation_id, activity, result, initiator, targets),
        id_derived=event_id is None,
        time=time,
        activity=activity,
        recognised=recognised,
        format=reading.format,
        raw=raw,
        category=word(audit, "category"),
        service=word(audit, "loggedByService"),
        result=result,
        correlation_id=correlation_id,
        initiator=initiator,
        support_request_id=find_support_request_id(entries(audit, "additionalDetails"), targets),
        target_ids=tuple(dict.fromkeys(_target_ids(targets, reading.tenant_id, initiator))),
    )


def _recognised(audit: Fields, reading: Reading) -> bool | None:
    """Tell whether the event is a step of a support access request; None if it has nothing to do with one.

    An entry of this program's own log is none of a provider's record, whatever its category says.
    """
    service = _folded(text(audit, "loggedByService"))
    if service == OWN_SERVICE:
        return None
    category = _folded(text(audit, "category"))
    of_service = service == _SERVICE
    is_step = _folded(text(audit, "activityDisplayName")) in _ACTIVITIES
    in_category = category == _CATEGORY
    if of_service and is_step:
        return in_category or (reading.general_category and category in _ANY_CATEGORY)
    return False if in_category else None


def _folded(value: str | None) -> str:
    return (value or "").strip().casefold()


def _time(audit: Fields, reading: Reading) -> datetime:
    written = text(audit, "activityDateTime")
    if written is None:
        raise Refusal("has no activityDateTime")
    written = written.strip()
    if reading.utc and _NO_OFFSET.fullmatch(written):
        written += "Z"
    try:
        return parse_rfc3339(written)
    except InvalidInput:
        raise Refusal(
            f"has a time that cannot be told for sure: {quoted(written)}",
            hint="Times look like 2026-05-01T12:34:56Z. Download the export again and do not save it from another "
            "program: spreadsheets rewrite times.",
        ) from None


def _guid(value: str | None) -> str | None:
    """Return a GUID in lower case, None for the one that is all zeros, and anything else as it is."""
    if value is None or not is_guid(value):
        return value
    return value.lower() if value != _NO_ID else None


def _initiator(audit: Fields, tenant_id: str) -> Actor | None:
    initiated_by = mapping(audit, "initiatedBy")
    user, app = mapping(initiated_by, "user"), mapping(initiated_by, "app")
    object_id = word(user, "id")
    name = _name(text(user, "displayName") or text(user, "userPrincipalName"))
    if object_id or name:
        home = text(user, "homeTenantId")
        tenant = tenant_id if home is None else home.lower() if is_guid(home) else None
        return Actor(kind=ActorKind.USER, tenant_id=tenant, object_id=object_id, display_name=name)
    object_id = word(app, "servicePrincipalId") or word(app, "appId")
    name = _name(text(app, "displayName") or text(app, "servicePrincipalName"))
    if object_id or name:
        return Actor(kind=ActorKind.APPLICATION, object_id=object_id, display_name=name)
    return None


def _name(value: str | None) -> str | None:
    """Return a display name as a record may hold it."""
    return value.replace("\x00", "\ufffd")[:LONGEST_NAME] if value else None


def _target_ids(targets: Iterable[Fields], tenant_id: str, initiator: Actor | None) -> Iterator[str]:
    actor_id = (initiator.object_id or "").lower() if initiator else ""
    for target in targets:
        target_id = (word(target, "id") or "").lower()
        kind = _NOT_LETTERS.sub("", _folded(text(target, "type")))
        if kind not in _DIRECTORY_OBJECTS and target_id not in {"", _NO_ID, tenant_id, actor_id}:
            yield target_id


def _derived_id(
    time: datetime,
    correlation_id: str | None,
    activity: str,
    result: str | None,
    initiator: Actor | None,
    targets: Iterable[Fields],
) -> str:
    """Return an ID made of what the event says, for an export that leaves its ID out."""
    named = [[text(target, name) for name in ("type", "id", "displayName")] for target in targets]
    content = [format_rfc3339(time), correlation_id, activity, result, initiator, named]
    return f"derived:{hashlib.sha256(canonical_json(content)).hexdigest()}"
