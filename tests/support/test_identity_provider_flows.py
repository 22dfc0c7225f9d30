"""Every way to sign in that the tests' identity provider offers, as MSAL asks for it."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jwt
import msal
import pytest
import requests
from tests.support.certificates import client_certificate
from tests.support.identity_provider import (
    ADA,
    DAEMON_SECRET,
    EXCHANGE_AUDIENCE,
    HAL,
    NORA,
    SECONDS,
    IdentityProvider,
    identity_provider,
    new_provider,
)
from tests.support.issuer import API, CERTIFIED, CLIENT, DAEMON, FEDERATED, SCOPE, Issuer
from tests.support.issuer import running as running_issuer
from tests.support.pages import Reader
from tests.support.people import FOREIGN, HOME, RESOURCE

__all__ = ["identity_provider"]

SCOPES = [f"api://{API}/{SCOPE}"]
EVERYTHING = [f"api://{API}/.default"]
ANYWHERE = "http://localhost:65500"
STEP_UP = json.dumps({"access_token": {"acrs": {"essential": True, "value": "c1"}}})
Answer = dict[str, Any]


def asked_of(provider: IdentityProvider, tenant_id: str = HOME, **others: Any) -> Mapping[str, Any]:
    """Return how MSAL is told to find the provider."""
    session = requests.Session()
    session.trust_env = False
    session.verify = str(provider.ca_file)
    told: dict[str, Any] = {"authority": f"{provider.authority}/{tenant_id}", "instance_discovery": False}
    return {**told, "http_client": session, **others}


def person(provider: IdentityProvider, tenant_id: str = HOME) -> Any:
    """Return an application that takes claims challenges, in which people sign in."""
    return msal.PublicClientApplication(CLIENT, client_capabilities=["CP1"], **asked_of(provider, tenant_id))


def alone(provider: IdentityProvider, client_id: str, credential: object, tenant_id: str = HOME) -> Any:
    """Return an application without a person."""
    asked = asked_of(provider, tenant_id, client_credential=credential)
    return msal.ConfidentialClientApplication(client_id, **asked)


def on_pages(provider: IdentityProvider, app: Any, login: str, claims: str | None = None, **asked: Any) -> Answer:
    """Sign in on the provider's pages, and redeem the code."""
    flow = app.initiate_auth_code_flow(
        SCOPES, redirect_uri=ANYWHERE, response_mode="form_post", claims_challenge=claims, **asked
    )
    reader = Reader(flow["auth_uri"], provider.ca_file)
    while (form := reader.form).action.startswith(provider.authority):
        reader.fill(**({"login": login} if "login" in form.fields else {}))
    assert form.action.rstrip("/") == ANYWHERE
    return dict(app.acquire_token_by_auth_code_flow(flow, form.fields))


def with_device(provider: IdentityProvider, app: Any, login: str, claims: str | None = None) -> Answer:
    """Sign in with a device code."""
    flow = app.initiate_device_flow(SCOPES, claims_challenge=claims)
    provider.enter_code(flow["verification_uri"], flow["user_code"], login)
    return dict(app.acquire_token_by_device_flow(flow, claims_challenge=claims))


WAYS = {"pages": on_pages, "device code": with_device}


def claims_of(answer: Answer) -> Answer:
    assert "access_token" in answer, answer
    return dict(jwt.decode(answer["access_token"], options={"verify_signature": False}))


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    """Return an issuer of assertions."""
    with running_issuer(tmp_path_factory.mktemp("issuer")) as issuer:
        yield issuer


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
class TestPeople:
    """People sign in on pages, by either way."""

    def test_they_get_a_token_and_an_account(self, identity_provider: IdentityProvider, way: Any) -> None:
        """MSAL knows the account by tenant and object ID, and the token is the person's."""
        app = person(identity_provider, RESOURCE)
        claims = claims_of(way(identity_provider, app, ADA))
        (account,) = app.get_accounts()

        assert claims.items() >= {"tid": RESOURCE, "scp": SCOPE, "azp": CLIENT, "xms_cc": ["CP1"]}.items()
        assert (account["username"], account["home_account_id"]) == (ADA, f"{claims['oid']}.{RESOURCE}")
        assert "acrs" not in claims

    def test_one_without_a_role_has_none_in_the_token(self, identity_provider: IdentityProvider, way: Any) -> None:
        """What is empty is left out, as Entra does."""
        assert "roles" not in claims_of(way(identity_provider, person(identity_provider), NORA))

    def test_a_token_is_renewed_without_them(self, identity_provider: IdentityProvider, way: Any) -> None:
        """A token that is about to end is replaced with the refresh token, as often as one wants."""
        app = person(identity_provider)
        with identity_provider.behaving(HOME, lifetime=60):
            first = way(identity_provider, app, ADA)
            renewed = [app.acquire_token_silent(SCOPES, app.get_accounts()[0]) for _ in range(2)]

        assert first["expires_in"] == 60
        assert len({first["access_token"], *(each["access_token"] for each in renewed)}) == 3

    @pytest.mark.parametrize(("end", "number"), [("revoke", 50173), ("expire", 700082)])
    def test_a_refresh_token_can_end(
        self, identity_provider: IdentityProvider, way: Any, end: str, number: int
    ) -> None:
        """Revoked or expired, it is refused with Entra's number for that."""
        app = person(identity_provider)
        way(identity_provider, app, ADA)
        getattr(identity_provider, f"{end}_refresh_tokens")(HOME)
        refused = app.acquire_token_silent_with_error(SCOPES, app.get_accounts()[0], force_refresh=True)

        assert (refused["error"], refused["error_codes"]) == ("invalid_grant", [number])
        assert f"AADSTS{number}" in refused["error_description"]

    def test_a_claims_challenge_takes_a_new_sign_in(self, identity_provider: IdentityProvider, way: Any) -> None:
        """The refresh token does not do until somebody has met the context; from then on it does."""
        app = person(identity_provider)
        way(identity_provider, app, ADA)
        (account,) = app.get_accounts()
        before = app.acquire_token_silent_with_error(SCOPES, account, claims_challenge=STEP_UP)
        met = claims_of(way(identity_provider, app, ADA, STEP_UP))
        after = claims_of(app.acquire_token_silent(SCOPES, account, claims_challenge=STEP_UP))

        assert (before["error"], before["error_codes"]) == ("interaction_required", [50076])
        assert met["acrs"] == after["acrs"] == ["c1"]
        assert met["xms_cc"] == ["CP1"]

    def test_a_policy_can_forbid_it(self, identity_provider: IdentityProvider, way: Any) -> None:
        """The token endpoint refuses with whatever the tenant is said to refuse with."""
        grant = {"pages": "authorization_code", "device code": "urn:ietf:params:oauth:grant-type:device_code"}
        kind = next(grant[name] for name, each in WAYS.items() if each is way)
        told = {"error": "access_denied", "error_description": "AADSTS53003: Access has been blocked."}
        app = person(identity_provider)
        with identity_provider.behaving(HOME, refuses={kind: told}):
            answer = way(identity_provider, app, ADA)

        assert (answer["error"], answer["error_description"][:11]) == ("access_denied", "AADSTS53003")


def test_somebody_who_is_not_in_the_tenant_stays_on_the_page(identity_provider: IdentityProvider) -> None:
    """The page says that there is no such account, and Cancel tells the application so."""
    flow = person(identity_provider, RESOURCE).initiate_auth_code_flow(
        SCOPES, redirect_uri=ANYWHERE, response_mode="form_post"
    )
    reader = Reader(flow["auth_uri"], identity_provider.ca_file)
    reader.fill(login=HAL)
    assert f"AADSTS50034: The user account {HAL} does not exist in the {RESOURCE} directory" in reader.page.text

    reader.fill(cancel="")
    assert reader.form.fields.items() >= {"error": "access_denied", "state": flow["state"]}.items()


def test_an_account_can_be_chosen_and_a_sign_in_demanded(identity_provider: IdentityProvider) -> None:
    """The prompts of Entra beside its own are taken, with a hint of who it will be."""
    for prompt in ("select_account", "login"):
        answer = on_pages(identity_provider, person(identity_provider), ADA, prompt=prompt, login_hint=ADA)
        assert claims_of(answer)["name"] == "Ada Administrator"


def test_authorization_can_be_refused(identity_provider: IdentityProvider) -> None:
    """A policy of the tenant that forbids the sign-in is told to the application before anybody sees a page."""
    told = {"error": "access_denied", "error_description": "AADSTS50105: not assigned to a role."}
    flow = person(identity_provider).initiate_auth_code_flow(SCOPES, redirect_uri=ANYWHERE, response_mode="form_post")
    with identity_provider.behaving(HOME, refuses={"authorize": told}):
        fields = Reader(flow["auth_uri"], identity_provider.ca_file).form.fields

    assert fields.items() >= told.items()


class TestApplications:
    """Applications without a person prove themselves in three ways."""

    def test_a_secret(self, identity_provider: IdentityProvider) -> None:
        """The right one is taken, a wrong one refused with Entra's number."""
        granted = alone(identity_provider, DAEMON, DAEMON_SECRET).acquire_token_for_client(EVERYTHING)
        refused = alone(identity_provider, DAEMON, "another").acquire_token_for_client(EVERYTHING)

        assert claims_of(granted).items() >= {"azp": DAEMON, "azpacr": "1", "idtyp": "app"}.items()
        assert (refused["error"], refused["error_codes"]) == ("invalid_client", [7000215])

    @pytest.mark.parametrize("kind", ["pfx", "pem"])
    def test_a_certificate(self, identity_provider: IdentityProvider, kind: str) -> None:
        """Either file gives an assertion whose thumbprint and signature are checked."""
        certificate = identity_provider.certificate
        credential = {
            "pfx": {"private_key_pfx_path": str(certificate.pfx), "passphrase": certificate.passphrase},
            "pem": {
                "private_key": certificate.pem.read_text(),
                "public_certificate": certificate.certificate.read_text(),
            },
        }[kind]
        claims = claims_of(alone(identity_provider, CERTIFIED, credential).acquire_token_for_client(EVERYTHING))

        assert claims.items() >= {"azp": CERTIFIED, "azpacr": "2", "tid": HOME}.items()

    def test_another_certificate(self, identity_provider: IdentityProvider, tmp_path: Path) -> None:
        """One that is not registered is refused, as Entra does by its thumbprint."""
        other = client_certificate(tmp_path)
        credential = {"private_key_pfx_path": str(other.pfx), "passphrase": other.passphrase}
        refused = alone(identity_provider, CERTIFIED, credential).acquire_token_for_client(EVERYTHING)

        assert refused["error_codes"] == [700027]

    def test_an_assertion_of_an_issuer_that_is_trusted(
        self, identity_provider: IdentityProvider, issuer: Issuer
    ) -> None:
        """Another issuer vouches for the application, for as long as its assertion is good."""
        url, subject = f"{issuer.authority}/actions", "repo:contoso/access:ref:refs/heads/main"
        identity_provider.trust(HOME, url, subject, issuer.keys)

        def ask(**changes: object) -> Answer:
            claims = {"iss": url, "sub": subject, "aud": EXCHANGE_AUDIENCE, "iat": 1, "nbf": 1, "exp": 2**31, **changes}
            assertion = issuer.token(claims=claims)
            return dict(
                alone(identity_provider, FEDERATED, {"client_assertion": lambda: assertion}).acquire_token_for_client(
                    EVERYTHING
                )
            )

        assert claims_of(ask()).items() >= {"azp": FEDERATED, "azpacr": "2", "tid": HOME}.items()
        assert ask(exp=2)["error_codes"] == [700024]
        for wrong in ({"sub": "repo:other/access"}, {"iss": "https://other.example"}, {"aud": "api://other"}):
            assert ask(**wrong)["error_codes"] == [700213]


def test_a_tenant_can_hang(identity_provider: IdentityProvider) -> None:
    """It takes connections and answers nothing, while the others go on."""

    def answers(tenant_id: str, seconds: float = SECONDS) -> bool:
        url = f"{identity_provider.authority}/{tenant_id}/v2.0/.well-known/openid-configuration"
        try:
            return requests.get(url, verify=str(identity_provider.ca_file), timeout=(SECONDS, seconds)).ok
        except requests.ReadTimeout:
            return False

    with identity_provider.behaving(FOREIGN, hangs=True):
        assert not answers(FOREIGN, 0.5)
        identity_provider.wait_until_it_holds_one(FOREIGN)
        assert answers(HOME)
    assert answers(FOREIGN)


def test_a_provider_whose_clock_is_ahead(identity_provider: IdentityProvider) -> None:
    """Its tokens begin and end later than they should."""
    with new_provider([HOME], skew=600) as ahead:
        skewed = claims_of(alone(ahead, DAEMON, DAEMON_SECRET).acquire_token_for_client(EVERYTHING))
    right = claims_of(alone(identity_provider, DAEMON, DAEMON_SECRET).acquire_token_for_client(EVERYTHING))

    assert skewed["exp"] - skewed["iat"] == right["exp"] - right["iat"] == 3600
    assert skewed["iat"] > right["iat"] + 300


def test_a_tenant_can_put_other_claims_into_tokens(identity_provider: IdentityProvider) -> None:
    """For what no good tenant does: a token that says it is of another tenant."""
    with identity_provider.behaving(HOME, claims={"tid": FOREIGN, "name": None}):
        claims = claims_of(with_device(identity_provider, person(identity_provider), ADA))

    assert (claims["tid"], "name" in claims) == (FOREIGN, False)
