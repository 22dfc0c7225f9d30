"""What holds for any change of a good token."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.server.identity.conftest import Seconds, settings_for
from tests.support.examples import costly
from tests.support.issuer import ADA, API, CLIENT, DAEMON, NOW, ROBOT, SCOPE, Issuer
from tests.support.people import FOREIGN, HOME, RESOURCE

from supportaccess.domain.permissions import Permission
from supportaccess.server.identity.authentication import Authenticator, TokenRefused
from supportaccess.server.settings import PermissionsFrom

SERVICE_SUPPORT = "f023fd81-a637-4b56-95fd-791ac0226033"
ROLES = [str(Permission.READ_REQUESTS), str(Permission.DECIDE)]

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
telling = st.sampled_from(
    ("", "app", "user", "1.0", "2.0", "0", "1", "2", ADA, ROBOT, HOME, RESOURCE, FOREIGN, API, CLIENT, DAEMON, SCOPE)
) | st.sampled_from(
    (NOW, NOW - 10_000, NOW + 100, NOW + 10_000_000, True, False, None, (), {}, ("app",), (SCOPE,), {"groups": "src1"})
)
"""Values that mean something in some claim, though not a role."""
names = st.sampled_from(
    ("aud", "iss", "iat", "nbf", "exp", "tid", "ver", "uti", "oid", "sub", "azp", "azpacr", "appid", "appidacr", "name")
) | st.sampled_from(("scp", "roles", "wids", "idtyp", "groups", "hasgroups", "_claim_names", "nonce", "acrs", "email"))
REMOVED = object()


@pytest.fixture(scope="module", params=PermissionsFrom)
def authenticator(good_issuer: Issuer, request: pytest.FixtureRequest) -> Authenticator:
    """Return an authenticator of either mode."""
    return Authenticator(settings_for(good_issuer, permissions_from=request.param), now=Seconds())


def permissions(authenticator: Authenticator, token: str) -> frozenset[Permission]:
    try:
        identity = authenticator.verify(token)
    except TokenRefused:
        return frozenset()
    assert identity.caller.tenant_id == HOME
    return identity.caller.permissions


@costly(100)
@given(name=names | st.text(min_size=1), value=json_values | telling | st.just(REMOVED), app_only=st.booleans())
def test_changing_one_claim_never_allows_more(
    good_issuer: Issuer, authenticator: Authenticator, name: str, value: object, app_only: bool
) -> None:
    """Even signed by the issuer, a good token with one claim changed, added or removed gives nothing beyond it."""
    good: Mapping[str, object] = {"wids": [SERVICE_SUPPORT], "roles": ROLES}
    before = permissions(authenticator, good_issuer.token(app_only=app_only, claims=good))
    changed = {**good, name: value} if value is not REMOVED else good

    token = good_issuer.token(app_only=app_only, without=[name] if value is REMOVED else [], claims=changed)

    assert permissions(authenticator, token) <= before
    assert before


@costly(100)
@given(position=st.integers(0), bit=st.integers(0, 6))
def test_changing_one_bit_proves_nobody(
    good_issuer: Issuer, authenticator: Authenticator, position: int, bit: int
) -> None:
    """A token that differs from a good one anywhere is refused."""
    token = good_issuer.token()
    place = position % len(token)
    changed = token[:place] + chr(ord(token[place]) ^ (1 << bit)) + token[place + 1 :]

    with pytest.raises(TokenRefused):
        authenticator.verify(changed)


@costly(100)
@given(text=st.text() | st.from_regex(r"[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*"))
def test_any_text_is_refused_and_nothing_else(authenticator: Authenticator, text: str) -> None:
    """Whatever stands behind Bearer, the answer is a refusal."""
    assert authenticator.recall(text) is None
    with pytest.raises(TokenRefused):
        authenticator.verify(text)
