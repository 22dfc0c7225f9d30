"""From the server's errors to the domain's, and on to the exit codes of the contract."""

import re
from pathlib import Path

import pytest
from tests.store.http.conftest import TOKEN, NewStore
from tests.store.http.scripted import Server, answer, refuse
from tests.store.http.test_faults import RECORD
from tests.support.people import FOREIGN, RESOURCE, UNKNOWN_ID

from supportaccess.cli.app.exit_codes import exit_code_of
from supportaccess.domain.records import AccessRequest
from supportaccess.errors import (
    Conflict,
    Forbidden,
    NotFound,
    NotSignedIn,
    ProofRequired,
    StoreUnavailable,
    SupportAccessError,
)
from supportaccess.server.web.errors import STATUSES
from supportaccess.store.http.store import HttpStore

CONTRACT = (Path(__file__).parents[3] / "docs" / "contract.md").read_text()
CODES = {
    code: int(exit_code)
    for code, exit_code in re.findall(
        r"^\| `(\w+)` \|[^|]*\| (\d+) \|$", CONTRACT.partition("## Error codes")[2], re.MULTILINE
    )
}


def refused_with(store: HttpStore) -> SupportAccessError:
    with pytest.raises(SupportAccessError) as refused:
        store.get(UNKNOWN_ID)
    return refused.value


def approve(store: HttpStore) -> AccessRequest:
    return store.approve(UNKNOWN_ID, etag='"x"', key="the key")


@pytest.mark.parametrize("code", CODES)
def test_each_code_is_its_error_and_its_exit_code(
    server: Server, store: HttpStore, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every code of the contract comes out as the error of that code, and ends a command as the contract says."""
    assert len(CODES) >= 15
    monkeypatch.setattr("supportaccess.store.http.client.PATIENCE", 0)
    status = STATUSES.get(code, 400)
    server.steps = [refuse(status, code)] * 1000
    error = refused_with(store)
    server.give_up()

    assert error.code == code
    assert exit_code_of(error) == CODES[code]


@pytest.mark.parametrize("code", sorted(set(STATUSES) - set(CODES)))
def test_each_code_of_the_protocol_is_some_error(server: Server, store: HttpStore, code: str) -> None:
    """What the server refuses for reasons of HTTP alone has a message too."""
    server.steps = [refuse(STATUSES[code], code, "this is why")] * 1000
    error = refused_with(store)
    server.give_up()

    assert error.message == "this is why"


@pytest.mark.parametrize(
    ("status", "exit_code"), [(400, 2), (401, 3), (403, 4), (404, 5), (409, 6), (412, 6), (500, 8)]
)
def test_a_code_that_is_not_known_goes_by_its_status(
    server: Server, store: HttpStore, status: int, exit_code: int
) -> None:
    """A newer server's code ends a command as the status says."""
    server.will(refuse(status, "SomethingNew", "new words"))
    error = refused_with(store)

    assert (error.message, int(exit_code_of(error))) == ("new words", exit_code)


def test_what_the_server_says_is_kept(server: Server, store: HttpStore) -> None:
    """Message, hint, current status and the request ID arrive; line breaks and excess do not."""
    server.will(refuse(409, "Conflict", "it is\nrevoked" + "!" * 9000, hint="look\r\nagain", currentStatus="revoked"))
    error = refused_with(store)

    assert isinstance(error, Conflict)
    assert error.current_status == "revoked"
    assert error.message.startswith("it is revoked!")
    assert len(error.message) <= 2000
    assert error.hint == "look again"
    assert error.request_id == "request-1"


def test_a_refused_sign_in_says_what_to_do(server: Server, store: HttpStore) -> None:
    """A 401 without a hint of the server's has one."""
    server.will(refuse(401, "NotSignedIn", "the token has expired"), answer(401, b"<html>"))
    for _ in range(2):
        error = refused_with(store)

        assert isinstance(error, NotSignedIn)
        assert error.hint == "sign in again"


@pytest.mark.parametrize("status", [400, 403, 404, 409, 500])
def test_an_error_page_of_something_else_is_no_refusal(server: Server, store: HttpStore, status: int) -> None:
    """A 404 of a web server does not say that a request does not exist."""
    server.will(answer(status, b"<html>Apache</html>", {"Content-Type": "text/html"}))
    error = refused_with(store)

    assert type(error) is StoreUnavailable
    assert f"status {status}, text/html" in error.message
    assert "--endpoint" in str(error.hint)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_refused(server: Server, store: HttpStore, status: int) -> None:
    """No redirect is followed, wherever it leads: the token would go along."""
    server.will(answer(status, headers={"Location": f"{server.url}/elsewhere"}))
    error = refused_with(store)

    assert type(error) is StoreUnavailable
    assert "/elsewhere" in error.message
    assert len(server.asked) == 1


NEEDED = refuse(
    403,
    "Forbidden",
    "a token of the resource tenant is needed",
    innererror={"code": "ResourceTenantTokenRequired"},
    resourceTenantId=RESOURCE,
)


class TestTheOtherTenant:
    def test_its_token_goes_along_when_it_is_asked_for(self, server: Server, new_store: NewStore) -> None:
        """The first attempt is without, the second, with the same key, has that tenant's token alone."""
        server.will(NEEDED, answer(200, RECORD))
        approve(
            new_store(
                server.url, also={RESOURCE: lambda _claims=None, /: "r.r.r", FOREIGN: lambda _claims=None, /: "f.f.f"}
            )
        )

        sent = [asked.headers["x-ms-authorization-auxiliary"] for asked in server.asked]
        assert sent == [None, "Bearer r.r.r"]
        assert {asked.headers["Authorization"] for asked in server.asked} == {f"Bearer {TOKEN}"}
        assert {asked.headers["Idempotency-Key"] for asked in server.asked} == {"the key"}

    @pytest.mark.parametrize("also", [{}, {FOREIGN: lambda _claims=None, /: "f.f.f"}])
    def test_without_one_it_is_forbidden(self, server: Server, new_store: NewStore, also: dict[str, object]) -> None:
        """Whoever has no sign-in to that tenant is refused as by the embedded store, and no other token is sent."""
        server.will(NEEDED)
        with pytest.raises(ProofRequired) as refused:
            approve(new_store(server.url, also=also))

        assert refused.value.resource_tenant_id == RESOURCE
        assert len(server.asked) == 1

    def test_a_second_refusal_is_final(self, server: Server, new_store: NewStore) -> None:
        """The token is sent once."""
        server.will(NEEDED, NEEDED)
        with pytest.raises(Forbidden):
            approve(new_store(server.url, also={RESOURCE: lambda _claims=None, /: "r.r.r"}))

    def test_a_missing_record_is_just_that(self, server: Server, new_store: NewStore) -> None:
        """Other refusals ask for nothing."""
        server.will(refuse(404, "NotFound"))
        with pytest.raises(NotFound):
            approve(new_store(server.url, also={RESOURCE: lambda _claims=None, /: "r.r.r"}))
