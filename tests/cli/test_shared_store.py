"""The command line with tenants whose store is a shared one."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest
from tests.cli.home import Home, Result
from tests.signin.test_access_tokens import token
from tests.store.http.scripted import Server, Step, answer, refuse, serving
from tests.support.people import HOME, RESOURCE, asking

from supportaccess.domain.records import AccessRequest

TOKEN = token(HOME)
NOBODYS = "http://localhost:1"


@pytest.fixture
def server() -> Iterator[Server]:
    """Return a server that says what a test wants."""
    with serving() as server:
        yield server


@pytest.fixture
def remote(new_home: Home, server: Server) -> Home:
    """Return a home whose only tenant, contoso, has its store at the server."""
    done = new_home.run("tenant", "set", HOME, "--alias", "contoso", "--endpoint", server.url)
    assert done.code == 0, done.err
    return new_home


def run(home: Home, *arguments: str, tokens: str = TOKEN) -> Result:
    return home.run(*arguments, env={"SUPPORTACCESS_ACCESS_TOKEN": tokens})


def page(records: Sequence[AccessRequest], **more: object) -> Step:
    return answer(200, msgspec.json.encode({"value": records, **more}))


class TestProfile:
    def test_has_an_endpoint(self, new_home: Home) -> None:
        """A profile's store is set to an endpoint and back; other settings stay."""
        new_home.run("tenant", "set", HOME, "--alias", "contoso")
        new_home.run("tenant", "set", "contoso", "--endpoint", "https://Store.example.com/")
        assert new_home.run("tenant", "show", "contoso", "-o", "json").json["store"] == "https://store.example.com"
        new_home.run("tenant", "set", "contoso", "--alias", "c")
        assert new_home.run("tenant", "show", "c", "-o", "json").json["store"] == "https://store.example.com"
        new_home.run("tenant", "set", "c", "--endpoint", "embedded")

        assert new_home.run("tenant", "show", "c", "-o", "json").json["store"] == "embedded"

    @pytest.mark.parametrize("url", ["http://store.example.com", "https://me:secret@store.example.com", "tape"])
    def test_takes_no_other_endpoint(self, new_home: Home, url: str) -> None:
        """What is no https URL is wrong usage, and nothing is kept of it."""
        refused = new_home.run("tenant", "set", HOME, "--endpoint", url)

        assert refused.code == 2
        assert "secret" not in refused.err
        assert new_home.run("tenant", "list", "-o", "ids").out == ""


class TestSignIn:
    def test_that_is_missing_names_the_command(self, remote: Home) -> None:
        """Without a sign-in a command ends with 3 and says how to get one; nothing is asked."""
        refused = remote.run("list")

        assert refused.code == 3
        assert "Try:   supportaccess login --tenant contoso\n" in refused.err

    def test_from_a_file(self, remote: Home, server: Server, tmp_path: Path) -> None:
        """A file that the environment names serves as well."""
        path = tmp_path / "tokens"
        path.touch(0o600)
        path.write_text(TOKEN)
        server.will(page([]), answer(200, {"count": 0}))

        assert remote.run("list", env={"SUPPORTACCESS_ACCESS_TOKEN_FILE": str(path)}).code == 0
        assert server.asked[0].headers["Authorization"] == f"Bearer {TOKEN}"

    def test_of_another_tenant_is_not_sent(self, remote: Home) -> None:
        """A token of another tenant goes nowhere."""
        refused = run(remote, "list", tokens=token(RESOURCE))

        assert refused.code == 3


def test_a_refusal_has_the_servers_request_id(remote: Home, server: Server) -> None:
    """Message, what mends it and the request ID, each on a line; nothing of it reaches the terminal as it came."""
    server.will(refuse(403, "Forbidden", "no \x1b[2Jpermission", hint="ask \u202ehim"))
    refused = run(remote, "list")

    assert refused.code == 4
    assert [line.partition(":")[0].strip() for line in refused.err.splitlines()] == ["Error", "Try", "Request ID"]
    assert "request-1" in refused.err
    assert "\x1b" not in refused.err
    assert "\u202e" not in refused.err


def test_a_long_list_is_followed_page_by_page(remote: Home, server: Server, new_home: Home) -> None:
    """--all asks for pages of 1,000 and follows the links to the end; a limit asks for one row more than it shows."""
    records = new_home.raised("1", "2", "3")
    link = f"{server.url}/v1/access-requests?skipToken=next"
    server.will(page(records[:2], nextLink=link), page(records[2:]))
    listed = run(remote, "list", "--all", "-o", "jsonl")

    assert len(listed.lines) == 3
    assert "top=1000" in server.asked[0].path

    server.will(page(records[:2], nextLink=link), answer(200, {"count": 3}))
    limited = run(remote, "list", "--limit", "1", "-o", "ids")

    assert limited.lines == [records[0].id]
    assert "Showing 1 of 3" in limited.err
    assert "top=2" in server.asked[2].path


def test_several_tenants_on_several_stores(remote: Home, server: Server) -> None:
    """One list over an embedded store, a shared one, and one without a sign-in, which is told and ends with 7."""
    remote.add_tenant(RESOURCE, "fabrikam")
    assert run(remote, "tenant", "set", "33333333-3333-4333-8333-333333333333", "--endpoint", NOBODYS).code == 0
    (theirs,) = remote.raised("1")
    with remote.store(RESOURCE) as store:
        ours = store.raise_request(asking("2"), key="the key")
    server.will(page([theirs]))
    listed = run(remote, "list", "--all-tenants", "-o", "json")

    assert listed.code == 7
    assert {row["id"]: row["tenantId"] for row in listed.json} == {theirs.id: HOME, ours.id: RESOURCE}
    assert "no access token of tenant 33333333-3333-4333-8333-333333333333" in listed.err


def test_an_approval_needs_both_tenants_on_one_store(remote: Home, server: Server) -> None:
    """A profile of the resource tenant with another store is no proof; the login to run is told, with the endpoint."""
    remote.add_tenant(RESOURCE, "fabrikam")
    record = remote.crossing(RESOURCE)
    server.will(page([record]))
    refused = run(remote, "approve", record.id, "--yes")

    assert refused.code == 4
    assert f"supportaccess login --tenant {RESOURCE} --endpoint {server.url}" in refused.err


def test_the_embedded_store_says_what_is_not_in_it(remote: Home, server: Server) -> None:
    """`store` is of the embedded one; whose requests are elsewhere is told, with where."""
    done = remote.run("store", "info")

    assert f"Not in this store: contoso, whose store is {server.url}" in done.err
