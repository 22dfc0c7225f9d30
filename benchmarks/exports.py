"""Exports of Entra's audit log to measure with, as large as one likes."""

import gzip
import json
import random
import shutil
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

_BEGIN = datetime(2024, 11, 1, tzinfo=UTC)
_SYSTEM = {
    "appId": None,
    "displayName": "Contoso Example Support Service",
    "servicePrincipalId": "9b4c807a-9966-4d35-b21e-7eb4a7bcae72",
    "servicePrincipalName": None,
}
_PERSON = {
    "id": "b0e6a3a6-d659-4dfc-9224-0ea9d92a176b",
    "displayName": "Olga Owner",
    "userPrincipalName": "olga.owner@contoso.example.com",
    "ipAddress": "192.0.2.12",
    "userType": None,
    "homeTenantId": "8d3fc0a1-5a52-4c6e-9c0e-3f5b0a6d2e71",
    "homeTenantName": None,
}
# Activity, initiated by a person, minutes after the creation.
_COURSES = (
    (("Request created", False, 0), ("Request approved", True, 25), ("Approval approved", False, 25.1),
     ("Approval removed", False, 700)),
    (("Request created", False, 0), ("Request approved", True, 40), ("Approval approved", False, 40.1),
     ("Approval removed", True, 300)),
    (("Request created", False, 0), ("Request rejected", True, 15)),
    (("Request created", False, 0), ("Request canceled", False, 90)),
)  # fmt: skip


def write_export(path: Path, events: int) -> None:
    """Write a page of Graph's directoryAudits with so many support access events, one at a time."""
    with path.open("w", encoding="utf-8") as file:
        file.write('{"@odata.context": "https://graph.example/v1.0/$metadata#auditLogs/directoryAudits", "value": [\n')
        for number, event in zip(range(events), _events(), strict=False):
            file.write(",\n" if number else "")
            json.dump(event, file)
        file.write("\n]}\n")


def compress(path: Path) -> Path:
    """Write the gzip of a file beside it and return its path."""
    target = path.with_name(f"{path.name}.gz")
    with path.open("rb") as source, gzip.open(target, "wb", compresslevel=6) as file:
        shutil.copyfileobj(source, file)
    return target


def _events() -> Iterator[dict[str, Any]]:
    """Yield the events of one request after another, without end."""
    chance = random.Random(1)
    created = _BEGIN
    number = 0
    while True:
        number += 1
        created += timedelta(minutes=chance.uniform(1, 25))
        target, correlation = _guid(chance), _guid(chance)
        for activity, by_person, minutes in chance.choice(_COURSES):
            yield _event(
                activity,
                created + timedelta(minutes=minutes),
                ticket=f"{created:%y%m%d}{number:010}",
                event_id=f"Directory_{_guid(chance)}_A{number % 90 + 10}XQ_{number:08}",
                by_person=by_person,
                target=target,
                correlation=correlation,
            )


def _event(
    activity: str, moment: datetime, *, ticket: str, event_id: str, by_person: bool, target: str, correlation: str
) -> dict[str, Any]:
    return {
        "id": event_id,
        "category": "MicrosoftSupportAccessManagement",
        "correlationId": correlation,
        "result": "success",
        "resultReason": "",
        "activityDisplayName": activity,
        "activityDateTime": f"{moment:%Y-%m-%dT%H:%M:%S.%f}0Z",
        "loggedByService": "Core Directory",
        "operationType": "Update",
        "initiatedBy": {"user": _PERSON, "app": None} if by_person else {"user": None, "app": _SYSTEM},
        "targetResources": [
            {
                "id": target,
                "displayName": "Support access request",
                "type": "Other",
                "userPrincipalName": None,
                "groupType": None,
                "modifiedProperties": [{"displayName": "Status", "oldValue": None, "newValue": f'"{activity}"'}],
            }
        ],
        "additionalDetails": [{"key": "SupportRequestId", "value": ticket}],
    }


def _guid(chance: random.Random) -> str:
    return str(uuid.UUID(int=chance.getrandbits(128), version=4))
