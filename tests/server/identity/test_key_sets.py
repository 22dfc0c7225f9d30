"""Key sets: fetched once for all who wait, renewed behind everybody's back, kept while the authority is away."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler

import pytest
from tests.server.identity.conftest import Authenticating, Seconds, eventually
from tests.support.issuer import NOW, Issuer, answer, private_key, published
from tests.support.people import HOME, RESOURCE

from supportaccess.errors import StoreUnavailable
from supportaccess.server.identity.authentication import Authenticator, Reason, TokenRefused
from supportaccess.server.identity.authority import Published
from supportaccess.server.identity.keys import (
    FRESH_SECONDS,
    KEPT_SECONDS,
    RETRY_SECONDS,
    UNKNOWN_KEY_SECONDS,
    TenantKeys,
)

LATER = NOW + 10_000_000
"""An expiry that is far enough for tests that let a day pass."""
LONG = {"longest_token_seconds": 100_000_000}


def refusal(authenticator: Authenticator, token: str) -> Reason:
    with pytest.raises(TokenRefused) as refused:
        authenticator.verify(token)
    return refused.value.reason


def failing(handler: BaseHTTPRequestHandler) -> None:
    answer(handler, b"out of order", 500)


class Gate:
    """Holds answers back until it is opened."""

    def __init__(self, issuer: Issuer) -> None:
        self._issuer = issuer
        self.reached = threading.Event()
        self.opened = threading.Event()

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        self.reached.set()
        assert self.opened.wait(30)
        answer(handler, b'{"keys": []}', 500)


def test_a_key_set_is_fetched_once_and_used_for_an_hour(
    issuer: Issuer, authenticating: Authenticating, seconds: Seconds
) -> None:
    """Of many tokens only the first costs a fetch."""
    authenticator = authenticating(issuer, **LONG)

    for number in range(50):
        authenticator.verify(issuer.token(uti=f"token {number}"))
    seconds.advance(FRESH_SECONDS - 1)
    authenticator.verify(issuer.token(exp=LATER))

    assert issuer.fetches() == 1


def test_tenants_and_versions_have_key_sets_of_their_own(issuer: Issuer, authenticating: Authenticating) -> None:
    """Each tenant and each token version has its own discovery document and its own keys."""
    authenticator = authenticating(issuer)

    for tenant in (HOME, RESOURCE):
        for version in ("1.0", "2.0"):
            authenticator.verify(issuer.token(tenant, version))

    assert sorted(path for path in issuer.asked if path.endswith("/keys")) == sorted(
        f"/{tenant}/discovery{middle}/keys" for tenant in (HOME, RESOURCE) for middle in ("", "/v2.0")
    )


def test_many_callers_wait_for_one_fetch(issuer: Issuer, authenticating: Authenticating) -> None:
    """A server that starts under load asks its authority once."""
    authenticator = authenticating(issuer)
    callers = 16
    together = threading.Barrier(callers)

    def ask(number: int) -> str | None:
        token = issuer.token(uti=f"token {number}")
        together.wait(30)
        return authenticator.verify(token).token_id

    with ThreadPoolExecutor(callers) as pool:
        proven = list(pool.map(ask, range(callers)))

    assert proven == [f"token {number}" for number in range(callers)]
    assert issuer.fetches() == 1


def test_a_thousand_unknown_keys_cost_one_fetch(
    issuer: Issuer, authenticating: Authenticating, seconds: Seconds
) -> None:
    """Whoever invents key IDs cannot make the server ask its authority again and again."""
    authenticator = authenticating(issuer)
    authenticator.verify(issuer.token())
    before = issuer.fetches()

    def ask(_: int) -> Reason:
        return refusal(authenticator, issuer.token(header={"kid": str(uuid.uuid4())}))

    with ThreadPoolExecutor(8) as pool:
        reasons = set(pool.map(ask, range(1000)))

    assert reasons == {Reason.UNKNOWN_KEY}
    assert issuer.fetches() == before + 1

    seconds.advance(UNKNOWN_KEY_SECONDS - 1)
    refusal(authenticator, issuer.token(header={"kid": "one more"}))
    assert issuer.fetches() == before + 1

    seconds.advance(1)
    refusal(authenticator, issuer.token(header={"kid": "one more"}))
    assert issuer.fetches() == before + 2


def test_tokens_that_are_refused_anyway_cost_no_fetch(issuer: Issuer, authenticating: Authenticating) -> None:
    """What is refused by its form, tenant or version is refused without a word to the authority."""
    authenticator = authenticating(issuer)

    refusal(authenticator, issuer.token(str(uuid.uuid4())))
    refusal(authenticator, issuer.token(ver="9.9"))
    refusal(authenticator, issuer.token(header={"alg": "none"}))

    assert issuer.asked == []


def test_a_new_key_is_taken_at_once(issuer: Issuer, authenticating: Authenticating) -> None:
    """After a rollover the first token of the new key has it fetched; the old key goes on."""
    authenticator = authenticating(issuer)
    authenticator.verify(issuer.token())
    issuer.keys.insert(0, published("second"))

    assert authenticator.verify(issuer.token(key="second")).caller.tenant_id == HOME
    assert authenticator.verify(issuer.token(uti="after")).caller.tenant_id == HOME
    assert issuer.fetches() == 2


def test_a_known_key_does_not_wait_for_an_unknown_one(issuer: Issuer, authenticating: Authenticating) -> None:
    """While a key set is fetched for an unknown key, tokens of known keys pass."""
    authenticator = authenticating(issuer)
    authenticator.verify(issuer.token())
    issuer.answers["/keys"] = gate = Gate(issuer)

    with ThreadPoolExecutor(1) as pool:
        unknown = pool.submit(refusal, authenticator, issuer.token(header={"kid": "unknown"}))
        assert gate.reached.wait(30)
        assert authenticator.verify(issuer.token(uti="meanwhile")).caller.tenant_id == HOME
        assert not unknown.done()
        gate.opened.set()
        assert unknown.result(30) is Reason.UNKNOWN_KEY


def test_a_withdrawn_key_stops_working(issuer: Issuer, authenticating: Authenticating, seconds: Seconds) -> None:
    """After the next refresh neither new nor remembered tokens of the key are taken; those of the other key are."""
    authenticator = authenticating(issuer, **LONG)
    withdrawn, kept = issuer.token(exp=LATER), issuer.token(key="plain", exp=LATER)
    for token in (withdrawn, kept):
        authenticator.verify(token)
    issuer.keys = [published("plain")]
    seconds.advance(FRESH_SECONDS)

    authenticator.recall(withdrawn)  # has the refresh begin
    eventually(lambda: authenticator.recall(withdrawn) is None)

    assert refusal(authenticator, withdrawn) is Reason.UNKNOWN_KEY
    assert authenticator.recall(kept) is not None


def test_a_key_that_is_replaced_under_its_id_stops_working(
    issuer: Issuer, authenticating: Authenticating, seconds: Seconds
) -> None:
    """A key ID that now names another key vouches for nothing that the old one signed."""
    authenticator = authenticating(issuer, **LONG)
    token = issuer.token(exp=LATER)
    authenticator.verify(token)
    issuer.keys = [published("second", kid="first")]
    seconds.advance(FRESH_SECONDS)

    authenticator.recall(token)
    eventually(lambda: authenticator.recall(token) is None)

    assert refusal(authenticator, token) is Reason.SIGNATURE


def test_a_refresh_keeps_nobody_waiting(issuer: Issuer, authenticating: Authenticating, seconds: Seconds) -> None:
    """After an hour the key set is fetched again while tokens are checked with the old one."""
    authenticator = authenticating(issuer, **LONG)
    authenticator.verify(issuer.token())
    issuer.answers["/keys"] = gate = Gate(issuer)
    seconds.advance(FRESH_SECONDS)

    for number in range(20):
        authenticator.verify(issuer.token(exp=LATER, uti=f"token {number}"))

    assert gate.reached.wait(30)
    assert issuer.fetches() == 2
    gate.opened.set()


def test_the_last_good_key_set_is_kept_for_a_day(
    issuer: Issuer, authenticating: Authenticating, seconds: Seconds
) -> None:
    """An authority that is away stops nobody for a day, and everybody after that, until it is back."""
    authenticator = authenticating(issuer, **LONG)
    token = issuer.token(exp=LATER)
    authenticator.verify(token)
    issuer.answers["/openid-configuration"] = failing

    seconds.advance(KEPT_SECONDS - 1)
    assert authenticator.recall(token) is not None
    assert authenticator.verify(issuer.token(exp=LATER, uti="old keys")).caller.tenant_id == HOME
    assert authenticator.ready()[HOME] == ""

    seconds.advance(1)
    assert authenticator.recall(token) is None
    with pytest.raises(StoreUnavailable, match=r"signing keys of tenant .* answered 500"):
        authenticator.verify(token)

    issuer.answers.clear()
    seconds.advance(RETRY_SECONDS)
    assert authenticator.verify(token).caller.tenant_id == HOME


def test_a_fetch_that_failed_is_not_repeated_at_once(
    issuer: Issuer, authenticating: Authenticating, seconds: Seconds
) -> None:
    """An authority that is away is asked every ten seconds, not once a request."""
    issuer.answers["/openid-configuration"] = failing
    authenticator = authenticating(issuer)

    for _ in range(20):
        with pytest.raises(StoreUnavailable):
            authenticator.verify(issuer.token())

    assert len(issuer.asked) == 1
    seconds.advance(RETRY_SECONDS)
    with pytest.raises(StoreUnavailable):
        authenticator.verify(issuer.token())
    assert len(issuer.asked) == 2


def test_a_refresh_that_comes_late_fetches_nothing(seconds: Seconds) -> None:
    """Who found no keys, and asks for them when others have just brought them, has them without a second fetch."""
    fetched: list[str] = []

    def fetch() -> Published:
        fetched.append("once")
        return Published(issuer="https://localhost", entries=(published("first"),))

    keys = TenantKeys(HOME, fetch, seconds)
    keys.find("first")

    assert keys.refresh() is None
    assert fetched == ["once"]


def test_a_clock_that_is_set_back_does_not_keep_old_keys(
    issuer: Issuer, authenticating: Authenticating, seconds: Seconds
) -> None:
    """A key set from the future is renewed."""
    authenticator = authenticating(issuer, **LONG)
    authenticator.verify(issuer.token())
    seconds.advance(-86_400)
    issuer.keys.append(published("second"))

    authenticator.ready()

    eventually(lambda: issuer.fetches() >= 2)


UNUSABLE: dict[str, object] = {
    "text": "key",
    "null": None,
    "list": [],
    "empty": {},
    "no kid": published("bad", kid=None),
    "kid is a number": published("bad", kid=1),
    "no modulus": published("bad", n=None),
    "modulus is no base64url": published("bad", n="+/=="),
    "modulus is a number": published("bad", n=17),
    "modulus beyond ASCII": published("bad", n="\uff21"),
    "endless modulus": published("bad", n="_" * 100_000),
    "even exponent": published("bad", e="BA"),
    "exponent 1": published("bad", e="AQ"),
    "1024 bits": published("small", kid="bad", bits=1024),
    "for encryption": published("bad", use="enc"),
    "elliptic curve": {"kty": "EC", "kid": "bad", "crv": "P-256", "x": "AA", "y": "AA"},
    "shared secret": {"kty": "oct", "kid": "bad", "k": "c2VjcmV0"},
    "for another algorithm": published("bad", alg="PS256"),
    "issuer is a list": published("bad", issuer=["https://localhost"]),
}


@pytest.mark.parametrize("entry", UNUSABLE.values(), ids=UNUSABLE)
def test_one_bad_key_costs_no_other(issuer: Issuer, authenticating: Authenticating, entry: object) -> None:
    """A key that cannot be used is left out, and the good ones around it count."""
    issuer.keys = [entry, published("first"), entry, published("plain")]
    authenticator = authenticating(issuer)

    assert authenticator.verify(issuer.token()).caller.tenant_id == HOME
    assert authenticator.verify(issuer.token(key="plain")).caller.tenant_id == HOME
    assert refusal(authenticator, issuer.token(key="bad")) is Reason.UNKNOWN_KEY


def test_of_two_keys_of_one_id_the_first_counts(issuer: Issuer, authenticating: Authenticating) -> None:
    """A second key cannot take the place of the first."""
    issuer.keys = [published("first"), published("second", kid="first")]
    authenticator = authenticating(issuer)

    assert authenticator.verify(issuer.token()).caller.tenant_id == HOME
    assert refusal(authenticator, issuer.token(key="second", header={"kid": "first"})) is Reason.SIGNATURE


def test_keys_without_use_or_algorithm_count(issuer: Issuer, authenticating: Authenticating) -> None:
    """Entra's keys have no alg, and use may be missing."""
    issuer.keys = [published("first", use=None, x5t=None)]

    assert authenticating(issuer).verify(issuer.token()).caller.tenant_id == HOME


def test_an_empty_key_set_is_a_failure(issuer: Issuer, authenticating: Authenticating) -> None:
    """A key set without a usable key is as good as none, and does not replace a good one."""
    issuer.keys = [published("bad", use="enc")]

    with pytest.raises(StoreUnavailable, match="no key that can be used"):
        authenticating(issuer).verify(issuer.token())


def test_readiness_names_what_is_wrong_for_each_tenant(issuer: Issuer, authenticating: Authenticating) -> None:
    """A tenant whose keys are there is ready; the other says why it is not."""
    issuer.answers[f"/{RESOURCE}/v2.0/.well-known/openid-configuration"] = failing
    ready = authenticating(issuer).ready()

    assert ready[HOME] == ""
    assert "answered 500" in ready[RESOURCE]


def test_tokens_do_not_change_readiness(issuer: Issuer, authenticating: Authenticating) -> None:
    """A stranger's token of the other version, for which nothing is published, makes no tenant unready."""
    authenticator = authenticating(issuer)
    assert authenticator.ready() == {HOME: "", RESOURCE: ""}
    issuer.answers[f"/{HOME}/.well-known/openid-configuration"] = failing

    with pytest.raises(StoreUnavailable):
        authenticator.verify(issuer.token(version="1.0"))

    assert authenticator.ready() == {HOME: "", RESOURCE: ""}


def test_the_keys_of_the_tests_differ() -> None:
    """Two names are two keys: otherwise these tests would show nothing."""
    assert private_key("first").public_key() != private_key("second").public_key()
