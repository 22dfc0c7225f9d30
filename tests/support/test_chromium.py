"""The browser of the tests signs people in for a program that opens pages by the variable BROWSER."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from textwrap import dedent
from typing import Any

import pytest
from tests.support.chromium import Browser, browser, chromium
from tests.support.identity_provider import ADA, HAL, NORA, IdentityProvider, identity_provider
from tests.support.issuer import API, CLIENT, SCOPE, running
from tests.support.people import HOME, RESOURCE

__all__ = ["browser", "chromium", "identity_provider"]

PROGRAM = """
    import json, sys
    import msal, requests
    authority, client_id, scope, ca_file, claims = sys.argv[1:]
    session = requests.Session()
    session.trust_env, session.verify = False, ca_file
    app = msal.PublicClientApplication(client_id, authority=authority, instance_discovery=False, http_client=session)
    json.dump(app.acquire_token_interactive([scope], timeout=100, claims_challenge=claims or None), sys.stdout)
"""


@contextmanager
def signing_in(
    browser: Browser, provider: IdentityProvider, tenant_id: str = HOME, claims: str = ""
) -> Iterator[dict[str, Any]]:
    """Let MSAL sign in, and yield what will hold its answer after the block."""
    arguments = [f"{provider.authority}/{tenant_id}", CLIENT, f"api://{API}/{SCOPE}", str(provider.ca_file), claims]
    answer: dict[str, Any] = {}
    with subprocess.Popen(
        [sys.executable, "-c", dedent(PROGRAM), *arguments],
        env={"BROWSER": str(browser.program), "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield answer
            answer |= json.loads(process.communicate(timeout=100)[0])
        finally:
            process.kill()


def test_somebody_signs_in(browser: Browser, identity_provider: IdentityProvider) -> None:
    """The page that a program opens is filled in, the answer is posted to it, and the browser says that it is done."""
    with signing_in(browser, identity_provider, RESOURCE) as answer:
        url = browser.open_what_is_asked_for()
        last = browser.sign_in(ADA)

    assert url.startswith(f"{identity_provider.authority}/{RESOURCE}/v2.0/auth?")
    assert "Authentication complete" in last
    assert answer["id_token_claims"].items() >= {"preferred_username": ADA, "tid": RESOURCE}.items()


def test_they_are_known_from_then_on_until_all_is_forgotten(
    browser: Browser, identity_provider: IdentityProvider
) -> None:
    """The browser keeps its cookies for the next sign-in, and loses them when it is to be as new."""
    for name, login in (("first", NORA), ("again", ADA)):
        with signing_in(browser, identity_provider) as answer:
            browser.open_what_is_asked_for()
            browser.sign_in(login)
        assert answer["id_token_claims"]["preferred_username"] == NORA, name
    browser.forget()
    with signing_in(browser, identity_provider) as answer:
        browser.open_what_is_asked_for()
        browser.sign_in(ADA)
    assert answer["id_token_claims"]["preferred_username"] == ADA


def test_a_context_takes_another_sign_in(browser: Browser, identity_provider: IdentityProvider) -> None:
    """Whoever is signed in is asked again when the program asks for an authentication context."""
    with signing_in(browser, identity_provider) as answer:
        browser.open_what_is_asked_for()
        browser.sign_in(ADA)
    claims = json.dumps({"access_token": {"acrs": {"essential": True, "value": "c1"}}})
    with signing_in(browser, identity_provider, claims=claims) as answer:
        browser.open_what_is_asked_for()
        assert browser.asks_who_it_is
        browser.sign_in(ADA)

    assert "access_token" in answer


def test_somebody_cancels(browser: Browser, identity_provider: IdentityProvider) -> None:
    """A page that says that there is no such account can be left, and the program is told."""
    with signing_in(browser, identity_provider, RESOURCE) as answer:
        browser.open_what_is_asked_for()
        page = browser.try_to_sign_in(HAL)
        last = browser.cancel()

    assert "AADSTS50034" in page
    assert "access_denied" in last
    assert answer["error"] == "access_denied"


def test_a_browser_trusts_that_one_server_alone(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Another server's certificate of the same kind is refused, as by any browser."""
    with running(tmp_path_factory.mktemp("other")) as other:
        assert "ERR_CERT_AUTHORITY_INVALID" in browser.look_at(f"{other.authority}/")
