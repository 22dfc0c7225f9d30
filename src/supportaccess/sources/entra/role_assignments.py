"""Reads Entra's role assignments as Microsoft Graph exports them.

`GET /roleManagement/directory/roleAssignments` or `.../transitiveRoleAssignments`, best with `$expand=principal`: pages
with `value`, or an array of the assignments.
Fields: https://learn.microsoft.com/graph/api/resources/unifiedroleassignment
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from supportaccess.domain.roles.assignments import WHOLE_TENANT, RoleAssignment
from supportaccess.domain.strict_json import BadJson, decode
from supportaccess.domain.tenants import is_guid
from supportaccess.errors import InvalidInput, UnreadableExport
from supportaccess.sources.readers.fields import Fields, Refusal, entries, get, mapping, word

DECIDING_ACTION = "microsoft.azure.supportTickets/allEntities/allTasks"
"""The action that Microsoft's how-to asks for to approve, reject and manage support access requests."""
LARGEST_FILE = 64 * 1024**2
_HINT = "Export it again: GET /roleManagement/directory/roleAssignments?$expand=principal (docs/audits.md)."


def read_role_assignments(paths: Sequence[Path]) -> list[RoleAssignment]:
    """Return the assignments of an export, whose pages may be in several files.

    Raises UnreadableExport for what is none, or not all of it: who is missing would look as if they may not decide.
    """
    found: list[RoleAssignment] = []
    unfinished = 0
    for path in paths:
        document = _document(path)
        unfinished += isinstance(document, Mapping) and bool(document.get("@odata.nextLink"))
        found += _assignments(document, path)
    if unfinished >= len(paths):
        raise UnreadableExport(
            f"{paths[-1]} is one page of several: the pages that follow are missing",
            hint="Follow @odata.nextLink to the end, and give each page with a --roles of its own.",
        )
    if not found:
        raise UnreadableExport(f"{paths[0]} has no role assignments in it", hint=_HINT)
    return found


def _document(path: Path) -> object:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
        if len(data) > LARGEST_FILE:
            raise UnreadableExport(f"{path} is larger than {LARGEST_FILE // 1024**2} MiB")
        return decode(data.decode("utf-8-sig"))
    except OSError as error:
        raise UnreadableExport(f"{path} cannot be read: {error.strerror or error}") from None
    except (UnicodeDecodeError, BadJson) as error:
        raise UnreadableExport(f"{path} is no export of role assignments: {error}", hint=_HINT) from None


def _assignments(document: object, path: Path) -> Iterator[RoleAssignment]:
    items = document.get("value") if isinstance(document, Mapping) else document
    if not isinstance(items, list):
        raise UnreadableExport(f"{path} is no export of role assignments", hint=_HINT)
    for number, item in enumerate(items, start=1):
        try:
            yield _assignment(item)
        except (Refusal, InvalidInput) as error:
            raise UnreadableExport(f"{path}: item {number:,} {error.message}", hint=_HINT) from None


def _assignment(item: object) -> RoleAssignment:
    if not isinstance(item, dict):
        raise Refusal("is not a role assignment")
    principal, role = mapping(item, "principal"), mapping(item, "roleDefinition")
    principal_id = word(item, "principalId") or word(principal, "id")
    role_id = word(role, "templateId") or word(item, "roleDefinitionId")
    if principal_id is None or role_id is None:
        raise Refusal("has no principalId or no roleDefinitionId")
    kind = word(principal, "@odata.type")
    return RoleAssignment(
        principal_id=_lower(principal_id),
        role_id=_lower(role_id),
        scope=word(item, "directoryScopeId") or WHOLE_TENANT,
        display_name=word(principal, "displayName") or word(principal, "userPrincipalName"),
        kind=kind.rpartition(".")[2] if kind else None,
        role_name=word(role, "displayName"),
        decides=_decides(role),
    )


def _decides(role: Fields) -> bool:
    """Tell whether an expanded role definition, such as a custom role's, includes the action."""
    for permission in entries(role, "rolePermissions"):
        actions = get(permission, "allowedResourceActions")
        if isinstance(actions, list) and DECIDING_ACTION in actions:
            return True
    return False


def _lower(text: str) -> str:
    return text.lower() if is_guid(text) else text
