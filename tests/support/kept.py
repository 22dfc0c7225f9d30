"""A sign-in whose token is in the cache, without anybody who signed in: for what starts from there."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from tests.support.issuer import API, CLIENT, SCOPE
from tests.support.people import HOME

from supportaccess.private_files import make_folder, write_private
from supportaccess.settings.paths import Paths
from supportaccess.settings.profiles import Profile, Settings
from supportaccess.settings.sign_in import Account, Discovered, Method, SignIn

AUTHORITY = "https://login.microsoftonline.com"


def sign_in(
    environment: Mapping[str, str],
    endpoint: str,
    *,
    token: str = "kept.in.cache",  # noqa: S107
    tenant_id: str = HOME,
    alias: str = "contoso",
) -> None:
    """Put a profile and a token cache there as a login with a browser leaves them."""
    import msal

    paths = Paths.from_environment(environment)
    settings = Settings(paths, environment)
    now, scopes = datetime.now(UTC), (f"api://{API}/{SCOPE}",)
    settings.save(
        Profile(
            tenant_id=tenant_id,
            alias=alias,
            store=endpoint,
            client_id=CLIENT,
            authority=AUTHORITY,
            scopes=scopes,
            sign_in=SignIn(method=Method.BROWSER),
            account=Account(name="ada@contoso.example", id="o.t"),
            discovery=Discovered(
                fetched_at=now - timedelta(days=9),
                stale_at=now - timedelta(days=8),  # which a good token makes nobody ask about
                api_version="v1",
                authority=AUTHORITY,
                client_id=CLIENT,
                scopes=scopes,
            ),
        )
    )
    cache = msal.SerializableTokenCache()
    cache.modify(
        cache.CredentialType.ACCESS_TOKEN,
        {
            "credential_type": "AccessToken",
            "secret": token,
            "home_account_id": "o.t",
            "environment": "login.microsoftonline.com",
            "client_id": CLIENT,
            "target": " ".join(scopes),
            "realm": tenant_id,
            "token_type": "Bearer",
            "expires_on": str(int(time.time()) + 3600),
        },
        {"cached_at": str(int(time.time()))},
    )
    path = paths.cache / "tokens" / f"{tenant_id}.json"
    make_folder(path.parent)
    write_private(path, cache.serialize().encode())
