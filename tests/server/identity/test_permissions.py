"""What a good token allows, and what is said of that which it does not."""

from collections.abc import Callable, Mapping

import pytest
from tests.server.identity.conftest import Authenticating, Seconds
from tests.support.issuer import ADA, API, CLIENT, DAEMON, NOW, ROBOT, SCOPE, UTI, Issuer
from tests.support.people import HOME, RESOURCE

from supportaccess.domain.permissions import Permission
from supportaccess.domain.records import Actor, ActorKind
from supportaccess.errors import InvalidInput
from supportaccess.server.identity.authentication import MOST_REMEMBERED, PERSONAL_ACCOUNTS, Identity, Remembered
from supportaccess.server.settings import PermissionsFrom

READ, DECIDE, AUDIT = Permission.READ_REQUESTS, Permission.DECIDE, Permission.READ_AUDIT
RAISE, IMPORT = Permission.RAISE, Permission.WRITE_SOURCE_EVENTS
EVERY_APP_ROLE = [str(permission) for permission in Permission]

SERVICE_SUPPORT = "f023fd81-a637-4b56-95fd-791ac0226033"
GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"
REPORTS_READER = "4a5d8f65-41da-4de4-8968-e035b65339cf"
ORDINARY_USER = "b79fbf4d-3ef9-4689-8143-76b194e85509"
"""Stands in the tokens of ordinary users, and is no role."""
LOCKBOX_OF_ANOTHER_PRODUCT = "5c4f9dcd-47dc-4cf7-8c9a-9e4207cbfc91"

BY_ROLES = {"permissions_from": PermissionsFrom.DIRECTORY_ROLES}


def permissions(identity: Identity) -> set[Permission]:
    assert identity.caller.permissions == {grant.permission for grant in identity.grants}
    return set(identity.caller.permissions)


def givers(identity: Identity) -> Mapping[Permission, tuple[str, ...]]:
    return {grant.permission: grant.granted_by for grant in identity.grants}


@pytest.mark.parametrize("tenant", [HOME, RESOURCE])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_a_person_is_known_by_tenant_and_object(
    good_issuer: Issuer, authenticating: Authenticating, tenant: str, version: str
) -> None:
    """Tokens of both versions name the tenant, the person and the application that they use."""
    identity = authenticating(good_issuer).verify(good_issuer.token(tenant, version))

    assert identity.caller.tenant_id == tenant
    assert identity.caller.actor == Actor(
        kind=ActorKind.USER, tenant_id=tenant, object_id=ADA, display_name="Ada Administrator"
    )
    assert identity.client_id == CLIENT
    assert identity.token_id == UTI
    assert not identity.app_only
    assert permissions(identity) == {READ, DECIDE}


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("marked", [True, False])
def test_an_application_is_known_as_one(
    good_issuer: Issuer, authenticating: Authenticating, version: str, marked: bool
) -> None:
    """An application's own token is told from a person's, with idtyp and without."""
    token = good_issuer.token(
        version=version, app_only=True, without=[] if marked else ["idtyp"], app_displayname="Provider"
    )
    identity = authenticating(good_issuer).verify(token)

    assert identity.app_only
    assert identity.caller.actor == Actor(
        kind=ActorKind.APPLICATION, tenant_id=HOME, object_id=ROBOT, display_name="Provider"
    )
    assert identity.client_id == DAEMON
    assert givers(identity) == {RAISE: ("AccessRequests.Raise",)}


GOOD: dict[str, Callable[[Issuer], str]] = {
    "typ at+jwt": lambda i: i.token(header={"typ": "at+jwt"}),
    "typ application/at+jwt": lambda i: i.token(header={"typ": "application/AT+JWT"}),
    "key without an issuer": lambda i: i.token(key="plain"),
    "key addresses that are not looked at": lambda i: i.token(header={"jku": "https://evil.example", "x5t": "x"}),
    "tenant in capitals": lambda i: i.token(tid=HOME.upper()),
    "object in capitals": lambda i: i.token(oid=ADA.upper()),
    "audience as App ID URI": lambda i: i.token(aud=f"api://{API}"),
    "audience with a slash": lambda i: i.token(aud=f"api://{API}/"),
    "audience from the settings": lambda i: i.token(aud="https://support.contoso.example"),
    "audience from the settings, with a slash": lambda i: i.token(aud="https://support.contoso.example/"),
    "marked as a person's": lambda i: i.token(idtyp="user"),
    "just expired, within the leeway": lambda i: i.token(iat=NOW - 3000, nbf=NOW - 3000, exp=NOW - 49),
    "not quite valid, within the leeway": lambda i: i.token(iat=NOW + 70, nbf=NOW + 70),
    "as long as may be": lambda i: i.token(exp=NOW + 28 * 3600),
    "one scope": lambda i: i.token(scp=SCOPE),
    "200 groups": lambda i: i.token(groups=[ADA] * 200),
}


@pytest.mark.parametrize("good", GOOD.values(), ids=GOOD)
def test_what_is_not_wrong_is_taken(
    good_issuer: Issuer, authenticating: Authenticating, good: Callable[[Issuer], str]
) -> None:
    """The checks refuse no token that Entra may send."""
    authenticator = authenticating(good_issuer, audiences=("https://support.contoso.example",))

    identity = authenticator.verify(good(good_issuer))

    assert (identity.caller.tenant_id, identity.caller.actor.object_id) == (HOME, ADA)
    assert permissions(identity) == {READ, DECIDE}


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Ada", "Ada"),
        ("Ada\x1b[2J\u202e\x00\u200b \u2028x\n", "Ada[2J x"),
        ("x" * 1000, "x" * 256),
        ("\uff21da \u039a", "\uff21da \u039a"),
        (" \t ", None),
        ("", None),
        (7, None),
        (None, None),
        ({"de": "Ada"}, None),
    ],
)
def test_a_name_is_for_people_only(
    good_issuer: Issuer, authenticating: Authenticating, name: object, shown: str | None
) -> None:
    """A name is cut, rid of what cannot be seen, and never decides who somebody is."""
    actor = authenticating(good_issuer).verify(good_issuer.token(name=name)).caller.actor

    assert actor.display_name == shown
    assert actor.object_id == ADA


@pytest.mark.parametrize("claim", ["upn", "preferred_username", "unique_name", "email", "sub"])
def test_changeable_names_are_nobody(good_issuer: Issuer, authenticating: Authenticating, claim: str) -> None:
    """What a person may be called elsewhere changes nothing."""
    authenticator = authenticating(good_issuer)

    plain = authenticator.verify(good_issuer.token())
    named = authenticator.verify(good_issuer.token(claims={claim: "owner@contoso.example"}))

    assert named == plain


def test_directory_roles_give_what_the_table_says(good_issuer: Issuer, authenticating: Authenticating) -> None:
    """In the mode of directory roles, wids decide, and each permission names its roles."""
    authenticator = authenticating(good_issuer, **BY_ROLES)

    identity = authenticator.verify(
        good_issuer.token(wids=[SERVICE_SUPPORT.upper(), REPORTS_READER, ORDINARY_USER], roles=EVERY_APP_ROLE)
    )

    assert givers(identity) == {
        READ: ("Reports Reader", "Service Support Administrator"),
        DECIDE: ("Service Support Administrator",),
        AUDIT: ("Reports Reader", "Service Support Administrator"),
        RAISE: ("AccessRequests.Raise",),
        IMPORT: ("SourceEvents.Write",),
    }


@pytest.mark.parametrize(
    ("wids", "held"),
    [
        ([GLOBAL_ADMINISTRATOR], {READ, DECIDE, AUDIT}),
        ([SERVICE_SUPPORT], {READ, DECIDE, AUDIT}),
        ([REPORTS_READER], {READ, AUDIT}),
        ([ORDINARY_USER], set()),
        ([LOCKBOX_OF_ANOTHER_PRODUCT], set()),
        ([f"{GLOBAL_ADMINISTRATOR} "], set()),
        ([GLOBAL_ADMINISTRATOR.replace("6", "\uff16")], set()),
        ([[GLOBAL_ADMINISTRATOR]], set()),
        ({GLOBAL_ADMINISTRATOR: 1}, set()),
        (GLOBAL_ADMINISTRATOR, set()),
        ([], set()),
        (None, set()),
    ],
)
def test_only_listed_directory_roles_count(
    good_issuer: Issuer, authenticating: Authenticating, wids: object, held: set[Permission]
) -> None:
    """What is no template ID of the table gives nothing, whatever it looks like."""
    token = good_issuer.token(wids=wids, without=["roles"])

    assert permissions(authenticating(good_issuer, **BY_ROLES).verify(token)) == held


def test_directory_roles_do_not_count_beside_app_roles(good_issuer: Issuer, authenticating: Authenticating) -> None:
    """In the mode of app roles, a global administrator without one may do nothing."""
    token = good_issuer.token(wids=[GLOBAL_ADMINISTRATOR], roles=["accessrequests.read", "AccessRequests.Read "])

    assert permissions(authenticating(good_issuer).verify(token)) == set()


@pytest.mark.parametrize("scope", ["", "openid", "accessrequests.use", f"{SCOPE}.All", f"x{SCOPE}"])
def test_without_the_scope_nothing_is_allowed(good_issuer: Issuer, authenticating: Authenticating, scope: str) -> None:
    """A person who did not let the application act for them is known, and may do nothing through it."""
    identity = authenticating(good_issuer).verify(good_issuer.token(scp=scope, roles=EVERY_APP_ROLE))

    assert permissions(identity) == set()
    assert identity.grants == ()
    assert SCOPE in identity.explain(READ)


@pytest.mark.parametrize(
    "marker",
    [
        {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://graph.example"}}},
        {"_claim_names": {"wids": "src1"}},
        {"hasgroups": True},
        {"hasgroups": "true"},
    ],
)
@pytest.mark.parametrize("mode", PermissionsFrom)
def test_with_too_many_groups_no_role_counts(
    good_issuer: Issuer, authenticating: Authenticating, mode: PermissionsFrom, marker: dict[str, object]
) -> None:
    """A token from which roles may have been left out allows nothing, and the reason says so."""
    token = good_issuer.token(wids=[GLOBAL_ADMINISTRATOR], roles=EVERY_APP_ROLE, claims=marker)
    identity = authenticating(good_issuer, permissions_from=mode).verify(token)

    assert permissions(identity) == set()
    assert "groupMembershipClaims" in identity.explain(DECIDE)


def test_applications_may_be_limited(good_issuer: Issuer, authenticating: Authenticating) -> None:
    """Where the operator lists applications, tokens issued to others allow nothing."""
    authenticator = authenticating(good_issuer, allowed_clients=(CLIENT.upper(),))

    assert permissions(authenticator.verify(good_issuer.token())) == {READ, DECIDE}
    for token in (good_issuer.token(azp=DAEMON), good_issuer.token(without=["azp"]), good_issuer.token(app_only=True)):
        stranger = authenticator.verify(token)
        assert permissions(stranger) == set()
        assert "allowed_clients" in stranger.explain(READ)


def test_the_client_is_read_by_the_version(good_issuer: Issuer, authenticating: Authenticating) -> None:
    """Only azp counts in version 2.0 and only appid in 1.0: the other one cannot stand in for it."""
    authenticator = authenticating(good_issuer, allowed_clients=(CLIENT,))

    assert permissions(authenticator.verify(good_issuer.token(azp=DAEMON, appid=CLIENT))) == set()
    assert permissions(authenticator.verify(good_issuer.token(version="1.0", appid=DAEMON, azp=CLIENT))) == set()


@pytest.mark.parametrize("mode", PermissionsFrom)
def test_applications_decide_only_where_it_is_allowed(
    good_issuer: Issuer, authenticating: Authenticating, mode: PermissionsFrom
) -> None:
    """An application with every role does everything but decide, unless the operator named it."""
    token = good_issuer.token(app_only=True, wids=[GLOBAL_ADMINISTRATOR], roles=EVERY_APP_ROLE)

    refused = authenticating(good_issuer, permissions_from=mode).verify(token)
    beside = authenticating(good_issuer, permissions_from=mode, app_only_may_decide=(CLIENT,)).verify(token)
    allowed = authenticating(good_issuer, permissions_from=mode, app_only_may_decide=(DAEMON.upper(),)).verify(token)

    assert permissions(refused) == permissions(beside) == set(Permission) - {DECIDE}
    assert "app_only_may_decide" in refused.explain(DECIDE)
    assert permissions(allowed) == set(Permission)


def test_being_allowed_to_decide_gives_no_role(good_issuer: Issuer, authenticating: Authenticating) -> None:
    """An application that may decide still needs the role for it."""
    authenticator = authenticating(good_issuer, app_only_may_decide=(DAEMON,))

    assert permissions(authenticator.verify(good_issuer.token(app_only=True))) == {RAISE}


def test_a_missing_directory_role_is_explained(good_issuer: Issuer, authenticating: Authenticating) -> None:
    """The hint names roles that would do, those held, and how many others give nothing."""
    authenticator = authenticating(good_issuer, **BY_ROLES)
    hint = authenticator.verify(good_issuer.token(wids=[REPORTS_READER, ORDINARY_USER])).explain(DECIDE)

    assert "Directory roles that give AccessRequests.Decide: Service Support Administrator," in hint
    assert "and 39 more" in hint
    assert "Held: Reports Reader, 1 that give nothing here." in hint


def test_missing_wids_are_explained(good_issuer: Issuer, authenticating: Authenticating) -> None:
    """An administrator whose token has no wids at all is sent to the manifest, not to their roles."""
    authenticator = authenticating(good_issuer, **BY_ROLES)

    without = authenticator.verify(good_issuer.token()).explain(DECIDE)
    empty = authenticator.verify(good_issuer.token(wids=[])).explain(DECIDE)

    assert "no wids claim at all" in without
    assert "groupMembershipClaims to DirectoryRole" in without
    assert API in without
    assert "Held: none." in empty


@pytest.mark.parametrize("mode", PermissionsFrom)
def test_a_missing_app_role_is_explained(
    good_issuer: Issuer, authenticating: Authenticating, mode: PermissionsFrom
) -> None:
    """The hint names the app role, the registration it belongs to, and those held."""
    authenticator = authenticating(good_issuer, permissions_from=mode)

    some = authenticator.verify(good_issuer.token(roles=["AccessRequests.Read", "Unknown\x1b"])).explain(RAISE)
    none = authenticator.verify(good_issuer.token(without=["roles"])).explain(RAISE)

    assert f"AccessRequests.Raise is given by the app role of that name of app registration {API}." in some
    assert "Held: AccessRequests.Read." in some
    assert "no roles claim at all" in none


def test_a_verified_token_is_recalled_until_it_expires(
    good_issuer: Issuer, authenticating: Authenticating, seconds: Seconds
) -> None:
    """What was verified is known again, as it was, and for no longer than it is valid."""
    authenticator = authenticating(good_issuer)
    token = good_issuer.token(exp=NOW + 600)

    assert authenticator.recall(token) is None
    verified = authenticator.verify(token)
    assert authenticator.recall(token) is verified
    assert authenticator.recall(token[:-1]) is None
    assert authenticator.recall(f"{token}\ud800") is None
    assert authenticator.recall("a" * 5_000_000) is None

    seconds.now = NOW + 599.9
    assert authenticator.recall(token) is verified
    seconds.now = NOW + 600
    assert authenticator.recall(token) is None


def test_nothing_is_recalled_of_another_authenticator(good_issuer: Issuer, authenticating: Authenticating) -> None:
    """What one server verified says nothing to another, whose settings may differ."""
    token = good_issuer.token()
    authenticating(good_issuer).verify(token)

    assert authenticating(good_issuer).recall(token) is None


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"tenants": ()}, "identity.tenants is empty"),
        ({"tenants": ("contoso.example",)}, "not a tenant ID"),
        ({"tenants": ("common",)}, "not a tenant ID"),
        ({"tenants": (HOME, PERSONAL_ACCOUNTS)}, "personal accounts"),
        ({"client_id": ""}, "identity.client_id is empty"),
    ],
)
def test_settings_that_would_let_anybody_in_are_refused(
    good_issuer: Issuer, authenticating: Authenticating, changes: dict[str, object], says: str
) -> None:
    """Whose tokens are taken is said in full, or the server does not start."""
    with pytest.raises(InvalidInput, match=says):
        authenticating(good_issuer, **changes)


def test_what_is_remembered_is_bounded() -> None:
    """The oldest make room: memory does not grow with the number of sign-ins."""
    remembered = Remembered[int]()

    for number in range(MOST_REMEMBERED + 5):
        remembered.keep(f"token {number}", number, expires=NOW)

    assert [remembered.find(f"token {number}", NOW - 1) for number in (0, 4, 5, MOST_REMEMBERED + 4)] == [
        None,
        None,
        5,
        MOST_REMEMBERED + 4,
    ]
