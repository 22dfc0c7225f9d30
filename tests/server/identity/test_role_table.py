"""The role table: what the shipped one says, and what an operator's own must be."""

import json
from pathlib import Path

import pytest
from tests.server.identity.conftest import Authenticating
from tests.support.issuer import Issuer

from supportaccess.domain.permissions import Permission
from supportaccess.domain.roles.table import BY_DIRECTORY_ROLE
from supportaccess.errors import InvalidInput
from supportaccess.server.identity.roles import load_role_table
from supportaccess.server.settings import PermissionsFrom
from supportaccess.sources.entra.roles import shipped_file

OWN_ROLE = "0f1e2d3c-4b5a-4697-8877-665544332211"


def table(**changes: object) -> str:
    grant = {"permissions": {"AccessRequests.Decide": "our own rule"}, "roles": {"Approver": OWN_ROLE.upper()}}
    return json.dumps({"asOf": "2026-11-01", "grants": [grant], **changes})


def grant(**changes: object) -> list[object]:
    return [{"permissions": {"AccessRequests.Read": "ours"}, "roles": {"Approver": OWN_ROLE}, **changes}]


def test_the_shipped_table_has_the_documented_roles() -> None:
    """45 roles decide and 12 read the audit log; everyone who does either may look. The date says when."""
    shipped = load_role_table()

    named = {
        permission: {shipped.names[role] for role in shipped.giving[permission]} for permission in BY_DIRECTORY_ROLE
    }
    assert shipped.as_of.isoformat() == "2026-08-21"
    assert len(named[Permission.DECIDE]) == 45
    assert {"Service Support Administrator", "Global Administrator", "Helpdesk Administrator"} <= named[
        Permission.DECIDE
    ]
    assert named[Permission.READ_AUDIT] - named[Permission.DECIDE] == {
        "Cloud Device Administrator",
        "Global Reader",
        "Reports Reader",
        "Security Reader",
    }
    assert named[Permission.READ_REQUESTS] == named[Permission.READ_AUDIT]


def test_the_shipped_table_has_no_lockbox_role() -> None:
    """Whether Entra's lockbox approver decides these requests is documented nowhere; Microsoft 365's certainly not."""
    names = set(load_role_table().names.values())

    assert not any("lockbox" in name.lower() for name in names)


def test_the_shipped_table_says_what_each_grant_rests_on() -> None:
    """Every permission of the file is marked as documented or as inferred."""
    file = json.loads(shipped_file())

    bases = [basis for grant in file["grants"] for basis in grant["permissions"].values()]

    assert len(bases) == 5
    assert all(basis.startswith(("documented", "inferred: ")) for basis in bases)


def test_an_operator_brings_a_table(good_issuer: Issuer, authenticating: Authenticating, tmp_path: Path) -> None:
    """With a table of one's own the shipped one counts for nothing."""
    own = tmp_path / "roles.json"
    own.write_text(table())
    authenticator = authenticating(good_issuer, permissions_from=PermissionsFrom.DIRECTORY_ROLES, role_table=own)
    everything = list(load_role_table().names)

    assert authenticator.verify(good_issuer.token(wids=everything)).caller.permissions == set()
    mine = authenticator.verify(good_issuer.token(wids=[OWN_ROLE]))
    assert mine.caller.permissions == {Permission.DECIDE}
    assert mine.grants[0].granted_by == ("Approver",)
    assert "gives AccessRequests.Read to no role" in mine.explain(Permission.READ_REQUESTS)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is not JSON"),
        ("[]", r"Expected `object`"),
        ("{}", "asOf"),
        (table(asOf="yesterday"), "asOf"),
        (table(extra=1), "extra"),
        (table(grants=[]), "gives nothing"),
        (table(grants=grant(roles={})), "gives nothing"),
        (table(grants=grant(permissions={})), "gives nothing"),
        (table(grants=grant(permissions=["AccessRequests.Read"])), r"grants\[0\].permissions"),
        (table(grants=grant(permissions={"AccessRequests.Approve": "x"})), "Invalid enum value"),
        (table(grants=grant(permissions={"AccessRequests.Raise": "x"})), "only an app role can give"),
        (table(grants=grant(permissions={"SourceEvents.Write": "x"})), "only an app role can give"),
        (table(grants=grant(roles={"Approver": "Approver"})), "is not a template ID"),
        (table(grants=grant(roles={"Approver": 7})), r"grants\[0\].roles"),
        (table(grants=grant(roles={"Approver": OWN_ROLE, "Other": OWN_ROLE})), "two names"),
        (table()[:-1] + ', "asOf": "2026-11-02"}', "same name twice"),
        (" " * 1_100_000, "larger than"),
    ],
)
def test_a_table_that_is_wrong_is_refused(
    good_issuer: Issuer, authenticating: Authenticating, tmp_path: Path, text: str, says: str
) -> None:
    """The server does not start with a table that it does not understand, and says what is wrong in which file."""
    own = tmp_path / "roles.json"
    own.write_text(text)

    with pytest.raises(InvalidInput, match=says) as refused:
        authenticating(good_issuer, role_table=own)

    assert str(own) in refused.value.message


def test_a_table_that_is_not_there_is_named(
    good_issuer: Issuer, authenticating: Authenticating, tmp_path: Path
) -> None:
    """A missing file ends the start with its name."""
    with pytest.raises(InvalidInput, match=r"missing\.json cannot be read: No such file"):
        authenticating(good_issuer, role_table=tmp_path / "missing.json")
