"""Claims challenges: what a server may ask for, and that it is answered once."""

import json
from base64 import b64encode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.store.http.conftest import NewStore
from tests.store.http.scripted import Server, answer
from tests.store.http.test_faults import RECORD
from tests.support.people import RESOURCE, UNKNOWN_ID

from supportaccess.errors import NotSignedIn
from supportaccess.store.http.refusals import claims_wanted

CLAIMS = json.dumps({"access_token": {"acrs": {"essential": True, "value": "c1?>"}}})
PADDED = b64encode(CLAIMS.encode()).decode()
SAFE = urlsafe_b64encode(CLAIMS.encode()).decode()


@pytest.mark.parametrize(
    "header",
    [
        f'Bearer realm="", authorization_uri="https://a/b", error="insufficient_claims", claims="{PADDED}"',
        f'Bearer error="insufficient_claims", claims="{PADDED.rstrip("=")}"',
        f'bearer ERROR=insufficient_claims , claims="{SAFE}"',
        f"Bearer claims={PADDED},error=insufficient_claims",
        f'Basic realm="a, Bearer error=\\"x\\"", Bearer error="insufficient_claims", claims="{PADDED}"',
        f'Negotiate, Bearer\terror="insufficient_claims",,claims="{PADDED}", Digest realm="x"',
        f'Bearer error="invalid_token", Bearer error="insufficient_claims", claims="{PADDED}"',
    ],
)
def test_what_is_asked_for(header: str) -> None:
    """Quoted or not, padded or not, in either alphabet, among other challenges: the claims are found."""
    assert claims_wanted(header) == CLAIMS


@pytest.mark.parametrize(
    "header",
    [
        *(
            "",
            "Bearer",
            'Bearer error="invalid_token"',
            'Bearer error="insufficient_claims"',
            "error=insufficient_claims",
        ),
        f'Bearer error="invalid_token", claims="{PADDED}"',
        f'Basic error="insufficient_claims", claims="{PADDED}"',
        'Bearer error="insufficient_claims", claims="***"',
        f'Bearer error="insufficient_claims", claims="{b64encode(b"[1]").decode()}"',
        f'Bearer error="insufficient_claims", claims="{b64encode(b"[" * 9000).decode()}"',
        f'Bearer error="insufficient_claims", claims="{b64encode(bytes(range(200, 256))).decode()}"',
        f'Bearer realm="{"x" * 20_000}", error="insufficient_claims", claims="{PADDED}"',
        f'Bearer error="insufficient_claims", claims="{PADDED}',
    ],
)
def test_what_asks_for_nothing(header: str) -> None:
    """Another error, another scheme, and what is no JSON object ask for nothing."""
    assert claims_wanted(header) is None


@given(st.text())
def test_no_header_is_a_traceback(header: str) -> None:
    """Whatever a server writes there is read to its end."""
    claims_wanted(f"Bearer error=insufficient_claims, {header}")


CHALLENGED = answer(
    401,
    json.dumps({"error": {"code": "NotSignedIn", "message": "more is needed"}}).encode(),
    {"WWW-Authenticate": f'Bearer error="insufficient_claims", claims="{PADDED}"'},
)


class Asked:
    """A source of tokens that notes what it is asked for."""

    def __init__(self) -> None:
        self.claims: list[str | None] = []

    def __call__(self, claims: str | None = None, /) -> str:
        self.claims.append(claims)
        return f"t.{len(self.claims)}.t"


def test_it_is_answered_once_with_the_same_key(server: Server, new_store: NewStore) -> None:
    """The same request goes again with the new token and the same idempotency key."""
    token = Asked()
    server.will(CHALLENGED, answer(200, RECORD))
    new_store(server.url, token=token).revoke(UNKNOWN_ID, etag='"x"', key="the key")

    assert token.claims == [None, CLAIMS]
    assert [asked.headers["Authorization"] for asked in server.asked] == ["Bearer t.1.t", "Bearer t.2.t"]
    assert {asked.headers["Idempotency-Key"] for asked in server.asked} == {"the key"}
    assert len({asked.body for asked in server.asked}) == 1


def test_never_in_a_loop(server: Server, new_store: NewStore) -> None:
    """A server that asks again is told no."""
    server.will(CHALLENGED, CHALLENGED)
    with pytest.raises(NotSignedIn, match="more is needed"):
        new_store(server.url, token=Asked()).get(UNKNOWN_ID)

    assert len(server.asked) == 2


def test_the_other_tenants_token_is_the_one_that_is_renewed(server: Server, new_store: NewStore) -> None:
    """A challenge of the resource tenant's token is met by a sign-in there, and this tenant's stays as it is."""
    own, other = Asked(), Asked()
    needed = {"code": "Forbidden", "message": "both", "resourceTenantId": RESOURCE}
    lacks = {"code": "NotSignedIn", "message": "more is needed", "resourceTenantId": RESOURCE}
    server.will(
        answer(403, json.dumps({"error": {**needed, "innererror": {"code": "ResourceTenantTokenRequired"}}}).encode()),
        answer(
            401,
            json.dumps({"error": lacks}).encode(),
            {"WWW-Authenticate": f'Bearer error="insufficient_claims", claims="{PADDED}"'},
        ),
        answer(200, RECORD),
    )
    new_store(server.url, token=own, also={RESOURCE: other}).approve(UNKNOWN_ID, etag='"x"', key="the key")

    assert own.claims == [None, None]
    assert other.claims == [None, CLAIMS]
    assert server.asked[2].headers["x-ms-authorization-auxiliary"] == "Bearer t.2.t"
