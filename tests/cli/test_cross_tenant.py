"""Requests that concern two tenants: the ticket is in contoso, the data in fabrikam."""

import pytest
from tests.cli.home import TICKET, Home, key
from tests.support.people import FOREIGN, HOME, RESOURCE


def told(home: Home, *arguments: str) -> str:
    """Return all that a tenant's reader can be told, in a pipe."""
    return home.run(*arguments, "--tenant", "contoso").out


def everything(home: Home, request_id: str) -> list[str]:
    """Return everything that the support request tenant sees of a request."""
    return [
        told(home, "list", "--all", "-o", "json"),
        told(home, "list", "--approved", "--all", "-o", "json"),
        told(home, "list", "-s", "approved", "-s", "revoked", "-s", "completed"),
        told(home, "list", "-s", "revoked", "-o", "json"),
        told(home, "list", "--search", "enough", "-o", "json"),
        told(home, "list", "--sort=-updatedAt", "--all", "-o", "json"),
        told(home, "show", request_id, "-o", "json"),
        told(home, "show", request_id),
        told(home, "show", TICKET, "-o", "json"),
        told(home, "audit", "log", "--all", "-o", "json"),
        told(home, "audit", "log", "--request", request_id, "-o", "json"),
        told(home, "audit", "verify", "-o", "json"),
    ]


@pytest.fixture
def both(home: Home) -> Home:
    """Return a home with the profiles of both tenants."""
    home.add_tenant(RESOURCE, "fabrikam")
    return home


def test_an_approval_needs_the_profiles_of_both(home: Home) -> None:
    """Without a profile for the resource tenant an approval exits with 4, names that tenant, and changes nothing."""
    record = home.crossing(RESOURCE)
    result = home.run("approve", record.id, "-y")
    assert (result.code, result.out) == (4, "")
    assert RESOURCE in result.err
    assert f"supportaccess tenant set {RESOURCE}" in result.err
    screen = home.on_terminal("approve", record.id)
    assert (screen.code, RESOURCE in screen.words, "[y/N]" in screen.words) == (4, True, False)
    assert home.get(record.id) == record


@pytest.mark.parametrize("place", ["pipe", "terminal"])
def test_with_both_it_is_approved_in_both(both: Home, place: str) -> None:
    """With both profiles an approval opens the access in the resource tenant, each tenant with its own record."""
    record = both.crossing(RESOURCE)
    assert both.run("list", "-t", "fabrikam", "-q").out == ""
    assert both.run("show", record.id, "-t", "fabrikam").code == 5
    if place == "pipe":
        assert both.run("approve", record.id, "-y").code == 0
    else:
        screen = both.on_terminal("approve", record.id, answer="y\n")
        assert screen.code == 0
        assert f"of tenant fabrikam ({RESOURCE})" in screen.words
    assert both.get(record.id).side == "supportRequest"
    there = both.get(record.id, RESOURCE)
    assert (there.side, there.status) == ("resource", "approved")


def test_rejecting_needs_the_support_request_tenant_alone(home: Home) -> None:
    """Refusing is safe: it needs no profile of the other tenant."""
    record = home.crossing(RESOURCE)
    assert home.run("reject", record.id, "-y", "-r", "no").code == 0
    assert home.get(record.id).status == "rejected"


def test_only_the_resource_tenant_revokes(both: Home) -> None:
    """In the support request tenant a revocation exits with 4 and says where it can be done."""
    record = both.crossing(RESOURCE, approve=True)
    result = both.run("revoke", record.id, "-y")
    assert (result.code, result.out) == (4, "")
    assert f"supportaccess revoke {record.id} --tenant {RESOURCE}" in result.err
    assert both.get(record.id, RESOURCE).status == "approved"
    assert both.run("revoke", record.id, "-y", "-t", "fabrikam").code == 0
    assert both.get(record.id, RESOURCE).status == "revoked"


def test_a_revocation_leaves_no_trace_in_the_support_request_tenant(both: Home) -> None:
    """What the support request tenant is told is byte for byte the same before and after the revocation."""
    record = both.crossing(RESOURCE, approve=True)
    other = both.crossing(RESOURCE)
    both.read_log()
    before = everything(both, record.id)
    attempts = [both.run(*words, record.id, "-y", "-r", "x") for words in (["revoke"], ["approve"], ["reject"])]
    assert both.run("revoke", record.id, "-y", "-r", "enough", "-t", "fabrikam").code == 0
    assert everything(both, record.id) == before
    assert [both.run(*words, record.id, "-y", "-r", "x") for words in (["revoke"], ["approve"], ["reject"])] == attempts
    assert both.get(other.id).status == "pending"


def test_closing_the_ticket_after_a_revocation_tells_nothing(both: Home) -> None:
    """When the ticket closes, the support request tenant sees it completed, whether or not it was revoked."""
    revoked = both.crossing(RESOURCE, approve=True, support_request_id="1")
    kept = both.crossing(RESOURCE, approve=True, support_request_id="2")
    assert both.run("revoke", revoked.id, "-y", "-t", "fabrikam").code == 0
    first = both.run("provider", "close", "1", "-y", "-o", "json")
    second = both.run("provider", "close", "2", "-y", "-o", "json")
    assert (first.code, second.code) == (0, 0)
    assert set(first.json[0]) == set(second.json[0])
    assert first.err.replace("request 1 in", "request 2 in") == second.err
    assert both.get(revoked.id).status == both.get(kept.id).status == "completed"
    assert both.get(revoked.id, RESOURCE).status == "revoked"
    assert both.get(kept.id, RESOURCE).status == "completed"


def test_a_foreign_request_does_not_exist(both: Home) -> None:
    """A request of another tenant is answered exactly as one that nobody has, for every command."""
    both.add_tenant(FOREIGN, "tailspin")
    record = both.crossing(RESOURCE, approve=True)
    unknown = "00000000-0000-4000-8000-000000000000"
    for words in (
        ["show"],
        ["approve", "-y"],
        ["revoke", "-y"],
        ["reject", "-y", "-r", "x"],
        ["provider", "withdraw", "-y"],
        ["audit", "log", "--request"],
    ):
        foreign = both.run(*words, record.id, "-t", "tailspin")
        nobody = both.run(*words, unknown, "-t", "tailspin")
        assert foreign.code == 5
        assert foreign.err.replace(record.id, unknown) == nobody.err
        assert foreign.out == nobody.out == ""
    assert both.run("show", TICKET, "-t", "tailspin").code == 5
    assert both.run("list", "--approved", "-t", "tailspin", "-q") == (0, "", "")


def test_raising_for_another_tenant(both: Home) -> None:
    """--resource-tenant takes the alias of a profile, or the ID of a tenant that has none."""
    arguments = ["provider", "raise", "--support-request", TICKET, "--engineer", "E", "--reason", "r", "-o", "json"]
    (by_alias,) = both.run(*arguments, "--resource-tenant", "fabrikam").json
    (by_id,) = both.run(*arguments, "--resource-tenant", FOREIGN).json
    assert (by_alias["resourceTenantId"], by_alias["side"]) == (RESOURCE, "supportRequest")
    assert (by_id["resourceTenantId"], by_id["supportRequestTenantId"]) == (FOREIGN, HOME)


def test_both_views_in_one_list(both: Home) -> None:
    """Over both tenants a cross-tenant request is listed twice, each row as its tenant sees it."""
    record = both.crossing(RESOURCE, approve=True)
    with both.store(RESOURCE) as store:
        there = store.get(record.id)
        store.revoke(there.id, etag=there.etag, key=key())
    rows = both.run("list", "--all-tenants", "--approved", "-o", "json").json
    assert {(each["tenantId"], each["status"]) for each in rows} == {(HOME, "approved"), (RESOURCE, "revoked")}
    assert {each["id"] for each in rows} == {record.id}
