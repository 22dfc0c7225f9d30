"""Reading who holds which directory role."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportaccess.domain.roles.assignments import deciders_of
from supportaccess.errors import UnreadableExport
from supportaccess.sources.entra.role_assignments import DECIDING_ACTION, read_role_assignments
from supportaccess.sources.entra.roles import shipped_role_table

SERVICE_SUPPORT = "f023fd81-a637-4b56-95fd-791ac0226033"
GLOBAL = "62e90394-69f5-4237-9190-012177145e10"
REPORTS_READER = "4a5d8f65-41da-4de4-8968-e035b65339cf"
ADA, OTTO, HELPERS = (f"{digit * 8}-0000-4000-8000-000000000000" for digit in "abc")


def assignment(principal_id: str = ADA, role_id: str = SERVICE_SUPPORT, **fields: Any) -> dict[str, Any]:
    """Return an assignment as Graph's unifiedRoleAssignment has it."""
    return {
        "id": f"{role_id}-{principal_id}",
        "principalId": principal_id,
        "roleDefinitionId": role_id,
        "directoryScopeId": "/",
        "appScopeId": None,
        **fields,
    }


def written(folder: Path, document: object, name: str = "roles.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(document))
    return path


def deciding(*paths: Path) -> dict[str, tuple[str, ...]]:
    deciders = deciders_of(read_role_assignments(paths), shipped_role_table())
    return {key: holder.roles for key, holder in deciders.people.items()}


def test_holders_of_deciding_roles(tmp_path: Path) -> None:
    """Who holds a role that may decide is found with the names of those roles; others are not."""
    path = written(
        tmp_path,
        {
            "@odata.context": "https://graph.microsoft.com/v1.0/$metadata#roleManagement/directory/roleAssignments",
            "value": [
                assignment(ADA.upper()),
                assignment(ADA, GLOBAL, principal={"@odata.type": "#microsoft.graph.user", "displayName": "Ada"}),
                assignment(OTTO, REPORTS_READER),
            ],
        },
    )

    assert deciding(path) == {ADA: ("Global Administrator", "Service Support Administrator")}


def test_a_role_in_one_part_of_the_tenant_does_not_decide(tmp_path: Path) -> None:
    """An assignment scoped to an administrative unit gives no say over the tenant's support access."""
    scoped = assignment(directoryScopeId="/administrativeUnits/1")

    assert deciding(written(tmp_path, [scoped, assignment(OTTO)])) == {OTTO: ("Service Support Administrator",)}


def test_a_custom_role_with_the_action(tmp_path: Path) -> None:
    """A role of the tenant's own decides where the export says that it includes the action."""
    own = "99999999-0000-4000-8000-000000000000"
    role = {"id": own, "displayName": "Lockbox", "rolePermissions": [{"allowedResourceActions": [DECIDING_ACTION]}]}
    other = {**role, "displayName": "Other", "rolePermissions": [{"allowedResourceActions": ["a/b/c"]}]}
    path = written(tmp_path, [assignment(ADA, own, roleDefinition=role), assignment(OTTO, own, roleDefinition=other)])

    assert deciding(path) == {ADA: ("Lockbox",)}


def test_a_group_is_told_apart(tmp_path: Path) -> None:
    """A group that holds a role is no person."""
    group = assignment(HELPERS, principal={"@odata.type": "#microsoft.graph.group", "displayName": "Helpers"})
    deciders = deciders_of(read_role_assignments([written(tmp_path, [group])]), shipped_role_table())

    assert deciders.people == {}
    assert [each.display_name for each in deciders.groups] == ["Helpers"]


def test_pages(tmp_path: Path) -> None:
    """Pages are read together; a first page without those that follow is refused."""
    first = written(tmp_path, {"value": [assignment()], "@odata.nextLink": "https://graph.example/next"}, "1.json")
    last = written(tmp_path, {"value": [assignment(OTTO)]}, "2.json")

    assert set(deciding(first, last)) == {ADA, OTTO}
    with pytest.raises(UnreadableExport, match="one page of several"):
        read_role_assignments([first])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no export of role assignments"),
        ("{}", "no export of role assignments"),
        ("[]", "no role assignments in it"),
        ('{"error": {"code": "Forbidden"}}', "no export of role assignments"),
        ("[1]", "item 1 is not a role assignment"),
        ('[{"principalId": "a"}]', "item 1 has no principalId or no roleDefinitionId"),
        ('[{"principalId": 1, "roleDefinitionId": "b"}]', "item 1 has a number"),
        ('[{"principalId": "a", "roleDefinitionId": "b", "principal": 1}]', "item 1 has"),
        ('[{"principalId": "a", "principalId": "b"}]', "no export of role assignments"),
        ("[" * 1000, "no export of role assignments"),
        ('{"value": [NaN]}', "no export of role assignments"),
    ],
)
def test_what_is_no_export(tmp_path: Path, text: str, says: str) -> None:
    """Anything else is refused with what is wrong and where."""
    path = tmp_path / "roles.json"
    path.write_text(text)
    with pytest.raises(UnreadableExport, match=says) as refused:
        read_role_assignments([path])
    assert str(path) in refused.value.message


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A file that cannot be read, or is no text, is refused."""
    with pytest.raises(UnreadableExport, match="cannot be read"):
        read_role_assignments([tmp_path / "missing.json"])
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UnreadableExport, match="no export"):
        read_role_assignments([tmp_path / "binary"])


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["value", "principalId", "roleDefinitionId", "principal", "roleDefinition", "@odata.type"]
                ),
                inner,
            )
        ),
        max_leaves=12,
    )
)
def test_any_json_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, document: object) -> None:
    """Whatever the file holds, it is read or refused by our own error."""
    path = written(tmp_path_factory.mktemp("any"), document)
    try:
        assignments = read_role_assignments([path])
    except UnreadableExport:
        return
    assert all(each.principal_id and each.role_id for each in assignments)
