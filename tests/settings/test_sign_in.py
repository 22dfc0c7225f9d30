"""What a profile keeps of a sign-in."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from supportaccess.errors import InvalidInput
from supportaccess.settings.paths import Paths
from supportaccess.settings.profiles import EMBEDDED, Profile, Settings
from supportaccess.settings.sign_in import Account, Discovered, Method, SignIn

TENANT = "aaaaaaaa-0000-4000-8000-000000000001"
CLIENT = "cccccccc-0000-4000-8000-0000000000c1"
NOW = datetime(2026, 11, 25, 1, 2, 3, 456789, UTC)
SCOPES = (f"api://{TENANT}/AccessRequests.Use",)
DISCOVERED = Discovered(
    fetched_at=NOW,
    stale_at=NOW + timedelta(days=1),
    api_version="v1",
    authority="https://login.microsoftonline.com",
    client_id=CLIENT,
    scopes=SCOPES,
)
SIGNED_IN = Profile(
    tenant_id=TENANT,
    alias="contoso",
    store="https://store.example.com",
    client_id=CLIENT,
    authority="https://login.microsoftonline.com",
    scopes=SCOPES,
    sign_in=SignIn(method=Method.CERTIFICATE, certificate="/etc/me.pfx", send_chain=True),
    account=Account(name="ada@contoso.example", id="1.2"),
    discovery=DISCOVERED,
)


def test_all_of_a_sign_in_is_read_back(settings: Settings) -> None:
    """What login settled on is there at the next command, to the microsecond."""
    settings.save(SIGNED_IN)

    assert settings.profiles() == [SIGNED_IN]


def test_what_a_sign_in_no_longer_has_is_not_left_behind(settings: Settings) -> None:
    """Another method has nothing of the one before, and without a sign-in no table of it is left."""
    settings.save(SIGNED_IN)
    other = replace(SIGNED_IN, sign_in=SignIn(method=Method.BROWSER), account=None)

    settings.save(other)
    assert [other] == settings.profiles()

    settings.save(Profile(tenant_id=TENANT))
    assert [Profile(tenant_id=TENANT)] == settings.profiles()


def test_what_people_wrote_into_a_table_stays(settings: Settings, paths: Paths) -> None:
    """Comments and unknown keys stay in a table that is written to."""
    settings.save(SIGNED_IN)
    file = paths.config / "tenants" / f"{TENANT}.toml"
    file.write_text(file.read_text().replace("[sign_in]\n", "[sign_in] # by hand\nnewer = 1\n"))

    settings.save(replace(SIGNED_IN, sign_in=SignIn(method=Method.DEVICE_CODE)))

    assert "[sign_in] # by hand\nnewer = 1\n" in file.read_text()
    assert SignIn(method=Method.DEVICE_CODE) == settings.profiles()[0].sign_in


def test_another_store_takes_another_sign_in() -> None:
    """What signs in to one endpoint is not kept for another; the name of the tenant is."""
    moved = Profile(tenant_id=TENANT, alias="contoso", store="https://other.example.com")

    assert moved == SIGNED_IN.at("https://OTHER.example.com/")
    assert SIGNED_IN.at("https://Store.example.com/") == SIGNED_IN
    assert Profile(tenant_id=TENANT, alias="contoso") == SIGNED_IN.at(EMBEDDED)
    with pytest.raises(InvalidInput, match="not https"):
        SIGNED_IN.at("http://store.example.com")


def test_a_document_differs_by_where_it_leads() -> None:
    """Another time is no difference; another authority, client or scope is one."""
    assert not DISCOVERED.differs(replace(DISCOVERED, fetched_at=NOW + timedelta(days=1)))
    for change in ({"authority": "https://login.microsoftonline.us"}, {"client_id": TENANT}, {"scopes": ()}):
        assert DISCOVERED.differs(replace(DISCOVERED, **change))
