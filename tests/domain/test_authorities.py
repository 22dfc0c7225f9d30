"""Whose word is enough to be asked for a password, and for which tokens."""

import pytest

from supportaccess.errors import InvalidInput
from supportaccess.settings.authorities import (
    application_scope,
    check_authority,
    check_scope,
    is_microsofts,
    may_name,
)

STORE = "https://store.example.com"
API = "aaaaaaaa-0000-4000-8000-00000000a711"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("https://login.microsoftonline.com/", "https://login.microsoftonline.com"),
        (" https://LOGIN.microsoftonline.us", "https://login.microsoftonline.us"),
        ("https://id.example.com:8443/realms/a/", "https://id.example.com:8443/realms/a"),
    ],
)
def test_an_authority_is_kept_in_one_form(text: str, kept: str) -> None:
    """Case of the host, blanks around it and a slash at its end make no other authority."""
    assert kept == check_authority(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "login.microsoftonline.com", "http://login.microsoftonline.com", "ftp://a", "https://", "https://a:x"),
        *(
            "https://u:p@login.microsoftonline.com",
            "https://a.example?x=1",
            "https://a.example#x",
            "https://a.example?",
        ),
        *("https://a.example\\@login.microsoftonline.com", "https://lögin.microsoftonline.com", "https://a b"),
    ],
)
def test_what_is_no_authority(text: str) -> None:
    """What is no plain https URL is refused: also for this machine, for MSAL takes no other."""
    with pytest.raises(InvalidInput):
        check_authority(text)


@pytest.mark.parametrize(
    ("endpoint", "authority", "enough"),
    [
        (STORE, "https://login.microsoftonline.com", True),
        (STORE, "https://login.microsoftonline.us", True),
        (STORE, "https://login.partner.microsoftonline.cn", True),
        (STORE, "https://login.sovcloud-identity.de", True),
        (STORE, "https://login.microsoftonline.com.evil.example", False),
        (STORE, "https://evil.example/login.microsoftonline.com", False),
        (STORE, "https://login.microsoftonline.com:444", False),
        (STORE, "https://login.microsoftonline.com/evil", False),
        (STORE, "https://xlogin.microsoftonline.com", False),
        (STORE, "https://localhost:8444", False),
        ("https://localhost:8443", "https://localhost:8444", True),
        ("http://127.0.0.1:8443", "https://[::1]:8444", True),
        ("https://localhost:8443", "https://id.example.com", False),
        ("https://localhost.example.com", "https://localhost", False),
    ],
)
def test_whose_word_is_enough(endpoint: str, authority: str, enough: bool) -> None:
    """An endpoint may name Microsoft's clouds; one on this machine may also name an authority on this machine."""
    assert enough is may_name(endpoint, check_authority(authority))


def test_microsofts_clouds_are_known_by_their_host_alone() -> None:
    """The same host with a port or a path is not the cloud."""
    assert is_microsofts("https://login.windows.net")
    assert not is_microsofts("https://login.windows.net/a")


@pytest.mark.parametrize(
    "scope",
    [
        *("", "openid", ".default", f"{API}/.default", f"api://{API}", f"api://{API}/", f"api://{API}/a b"),
        *("https://graph.microsoft.com/.default", "https://management.azure.com/.default", "api://graph/User.Read"),
        "api://00000003-0000-0000-c000-000000000000/.default",
        "api://00000002-0000-0ff1-ce00-000000000000/Mail.Read",
        "api://797F4846-BA00-4FD7-BA43-DAC1F8F63013/user_impersonation",
        *(f"api://{API}/Use https://graph.microsoft.com/.default", f"api://{API}/Use\n", f"API://{API}/Use"),
        f"api://{'-' * 36}/Use",
    ],
)
def test_no_token_is_asked_for_that_another_service_would_take(scope: str) -> None:
    """Only a scope of a store's own API is one; Graph and its like never are."""
    with pytest.raises(InvalidInput, match="is not a scope of a store"):
        check_scope(scope)


def test_an_application_asks_for_all_that_it_was_granted() -> None:
    """The scope of an application is made from that of people."""
    assert f"api://{API}/.default" == application_scope(check_scope(f"api://{API}/AccessRequests.Use"))
