"""The tests' own identity provider does what they rely on."""

import time
from typing import Any

import jwt
import pytest
import requests
from tests.support.identity_provider import (
    APPLICATION_ROLES,
    DEVICE_CODE,
    IdentityProvider,
    identity_provider,
    new_provider,
    object_id,
)
from tests.support.issuer import API, CLIENT, DAEMON, SCOPE
from tests.support.people import HOME, RESOURCE
from tests.support.run import current

from supportaccess.domain.permissions import Permission
from supportaccess.server.identity.authentication import Authenticator
from supportaccess.server.identity.refusals import TokenRefused
from supportaccess.server.settings import IdentitySettings, PermissionsFrom

__all__ = ["identity_provider"]

OID = object_id("Ada")
SERVICE_SUPPORT_ADMINISTRATOR = "f023fd81-a637-4b56-95fd-791ac0226033"


def claims_of(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def test_a_token_has_the_claims_that_were_asked_for(identity_provider: IdentityProvider) -> None:
    """A person's token looks like one of Entra's v2.0 tokens, with nothing empty in it."""
    wids = [SERVICE_SUPPORT_ADMINISTRATOR]
    token = identity_provider.token(HOME, oid=OID, name="Ada", wids=wids, lifetime=600)
    claims = claims_of(token)

    assert jwt.get_unverified_header(token)["alg"] == "RS256"
    assert jwt.get_unverified_header(token)["typ"] == "JWT"
    assert claims["exp"] - claims["nbf"] == 600
    assert claims.items() >= {
        "ver": "2.0", "aud": API, "iss": f"{identity_provider.authority}/{HOME}/v2.0", "tid": HOME, "oid": OID,
        "sub": OID, "name": "Ada", "scp": SCOPE, "azp": CLIENT, "azpacr": "0", "wids": wids,
    }.items()  # fmt: skip
    assert claims["uti"]
    assert not {"roles", "idtyp", "scope", "client_id", "jti"} & set(claims)


def test_its_tokens_prove_who_somebody_is(identity_provider: IdentityProvider) -> None:
    """The server's own checks take tokens of people and of applications, and read permissions from either claim."""
    settings = IdentitySettings(
        tenants=(HOME, RESOURCE),
        client_id=API,
        authority=identity_provider.authority,
        ca_file=identity_provider.ca_file,
        permissions_from=PermissionsFrom.DIRECTORY_ROLES,
    )
    wids, roles = [SERVICE_SUPPORT_ADMINISTRATOR], ["AccessRequests.Raise"]
    authenticator = Authenticator(settings)
    person = authenticator.verify(identity_provider.token(RESOURCE, oid=OID, name="Ada", wids=wids))
    alone = authenticator.verify(identity_provider.client_credentials(HOME))
    minted = authenticator.verify(identity_provider.token(HOME, oid=OID, roles=roles, app_only=True))

    assert (person.caller.tenant_id, person.caller.actor.object_id, person.app_only) == (RESOURCE, OID, False)
    assert Permission.DECIDE in person.caller.permissions
    assert (alone.app_only, minted.app_only, alone.client_id) == (True, True, DAEMON)
    assert alone.caller.permissions == {Permission.RAISE}  # the others come from directory roles here
    assert minted.caller.permissions == {Permission.RAISE}


def test_a_token_of_an_application_has_no_person(identity_provider: IdentityProvider) -> None:
    """An app-only token says so, and carries roles instead of a scope."""
    claims = claims_of(identity_provider.token(HOME, oid=OID, roles=["AccessRequests.Raise"], app_only=True))

    assert claims.items() >= {"idtyp": "app", "azpacr": "1", "roles": ["AccessRequests.Raise"]}.items()
    assert not {"scp", "name", "wids"} & set(claims)


def test_a_token_can_be_bent(identity_provider: IdentityProvider) -> None:
    """Any claim can be set or left out, and a token can be one that has ended."""
    claims = claims_of(identity_provider.token(HOME, oid=OID, lifetime=-600, iss="https://evil.example", uti=None))

    assert claims["iss"] == "https://evil.example"
    assert "uti" not in claims
    assert claims["nbf"] < claims["exp"] < time.time()


@pytest.mark.parametrize("tenant_id", [HOME, RESOURCE])
def test_each_tenant_is_an_issuer_of_its_own(identity_provider: IdentityProvider, tenant_id: str) -> None:
    """A tenant's discovery document leads to the keys that verify its tokens, and no other tenant's."""
    base = f"{identity_provider.authority}/{tenant_id}/v2.0"
    trusted = str(identity_provider.ca_file)
    document = requests.get(f"{base}/.well-known/openid-configuration", verify=trusted, timeout=30).json()
    keys = jwt.PyJWKSet(requests.get(document["jwks_uri"], verify=trusted, timeout=30).json()["keys"])
    own, other = (
        identity_provider.token(each, oid=OID) for each in (tenant_id, {HOME: RESOURCE, RESOURCE: HOME}[tenant_id])
    )

    assert document["issuer"] == base
    jwt.decode(own, keys[jwt.get_unverified_header(own)["kid"]], audience=API, issuer=base, algorithms=["RS256"])
    with pytest.raises(KeyError):
        keys[jwt.get_unverified_header(other)["kid"]]


def test_an_application_signs_in_with_its_secret(identity_provider: IdentityProvider) -> None:
    """Client credentials give an app-only token."""
    claims = claims_of(identity_provider.client_credentials(HOME))

    assert claims.items() >= {"tid": HOME, "azp": DAEMON, "idtyp": "app", "aud": API}.items()
    assert claims["roles"] == list(APPLICATION_ROLES)
    with pytest.raises(requests.HTTPError, match="invalid_client"):
        identity_provider.post(HOME, "token", grant_type="client_credentials", client_id=DAEMON)


def test_a_person_signs_in_with_a_device_code(identity_provider: IdentityProvider) -> None:
    """The device flow ends with a token of the person who entered the code, once they have."""
    asked = {"client_id": CLIENT, "scope": f"api://{API}/{SCOPE} openid profile offline_access"}
    flow = {key: str(value) for key, value in identity_provider.post(HOME, "device/auth", **asked).items()}
    polled = {"grant_type": DEVICE_CODE, "client_id": CLIENT, "device_code": flow["device_code"]}

    with pytest.raises(requests.HTTPError, match="authorization_pending"):
        identity_provider.post(HOME, "token", **polled)
    last = identity_provider.enter_code(flow["verification_uri"], flow["user_code"], "ada@contoso.example")
    answer = identity_provider.post(HOME, "token", **polled)

    assert "successful" in last
    claims = claims_of(str(answer["access_token"]))
    assert claims.items() >= {"tid": HOME, "name": "Ada Administrator", "scp": SCOPE, "aud": API}.items()
    assert answer["refresh_token"]
    renewed = {"grant_type": "refresh_token", "refresh_token": str(answer["refresh_token"]), "client_id": CLIENT}
    assert claims_of(str(identity_provider.post(HOME, "token", **renewed)["access_token"]))["oid"] == claims["oid"]


def test_providers_of_one_process_have_nothing_in_common(identity_provider: IdentityProvider) -> None:
    """What a test process does to a tenant leaves that tenant of other test processes as it is, as do its tokens."""
    with new_provider() as other:
        with other.behaving(HOME, claims={"name": "Eve"}, refuses={"client_credentials": {"error": "no"}}):
            told = claims_of(identity_provider.client_credentials(HOME))
            with pytest.raises(requests.HTTPError, match="no"):
                other.client_credentials(HOME)
        token = other.client_credentials(HOME)
    settings = IdentitySettings(
        tenants=(HOME,), client_id=API, authority=identity_provider.authority, ca_file=identity_provider.ca_file
    )

    assert (told["iss"], "name" in told) == (f"{identity_provider.authority}/{HOME}/v2.0", False)
    assert claims_of(token)["iss"] == f"{other.authority}/{HOME}/v2.0"
    with pytest.raises(TokenRefused):
        Authenticator(settings).verify(token)
    with pytest.raises(requests.ConnectionError):
        other.client_credentials(HOME)


def test_orders_take_the_secret(identity_provider: IdentityProvider) -> None:
    """Who does not know it changes no tenant."""
    told = current().shared("identity-provider", lambda _: {})
    url = f"https://localhost:{told['port']}/order"
    order = {"port": int(identity_provider.authority.rpartition(":")[2]), "tenant": HOME, "behaviour": {"hangs": True}}
    answer = requests.post(
        url, json=order, headers={"Authorization": "Bearer x"}, verify=str(identity_provider.ca_file), timeout=30
    )

    assert answer.status_code == 404
    assert claims_of(identity_provider.client_credentials(HOME))["tid"] == HOME
