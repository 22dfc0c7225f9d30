"""The assertion that GitHub Actions gives a job."""

from collections.abc import Mapping
from urllib.parse import quote, urlsplit

import msgspec

from supportaccess.errors import NotSignedIn
from supportaccess.signin.federation import ask, audience_of
from supportaccess.signin.method import Request, Result
from supportaccess.signin.msal_clients import token_of_application

_URL = "ACTIONS_ID_TOKEN_REQUEST_URL"
_TOKEN = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"  # noqa: S105 - the name of a variable


class _Answer(msgspec.Struct, frozen=True):
    value: str


def sign_in(request: Request) -> Result:
    """Sign in by the job's assertion. Raises NotSignedIn, StoreUnavailable."""
    audience = audience_of(request.registration.authority)
    return token_of_application(request, {"client_assertion": lambda: _assertion(request.environment, audience)})


def _assertion(environment: Mapping[str, str], audience: str) -> str:
    url, token = environment.get(_URL), environment.get(_TOKEN)
    if not url or not token:
        raise NotSignedIn(
            "this is no job of GitHub Actions that may ask for an assertion",
            hint="The job needs the permission `id-token: write`: docs/sign-in.md.",
        )
    whole = f"{url}{'&' if urlsplit(url).query else '?'}audience={quote(audience, safe='')}"
    headers = {"Authorization": f"bearer {token}", "Accept": "application/json"}
    return ask("GET", whole, headers, _Answer, "GitHub").value
