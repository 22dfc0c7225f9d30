"""The assertion that Azure Pipelines gives a job of a service connection."""

from collections.abc import Mapping
from urllib.parse import quote

import msgspec

from supportaccess.errors import NotSignedIn
from supportaccess.signin.federation import ask
from supportaccess.signin.method import Request, Result
from supportaccess.signin.msal_clients import token_of_application

_URL = "SYSTEM_OIDCREQUESTURI"
_TOKEN = "SYSTEM_ACCESSTOKEN"  # noqa: S105 - the name of a variable


class _Answer(msgspec.Struct, frozen=True):
    oidc_token: str = msgspec.field(name="oidcToken")


def sign_in(request: Request) -> Result:
    """Sign in by the job's assertion. Raises NotSignedIn, StoreUnavailable."""
    return token_of_application(
        request, {"client_assertion": lambda: _assertion(request.environment, request.how.service_connection)}
    )


def _assertion(environment: Mapping[str, str], service_connection: str | None) -> str:
    url, token = environment.get(_URL), environment.get(_TOKEN)
    if not url or not token:
        raise NotSignedIn(
            f"this is no job of Azure Pipelines, or it has no {_TOKEN}",
            hint="Map it into the step's env: SYSTEM_ACCESSTOKEN: $(System.AccessToken); docs/sign-in.md.",
        )
    if not service_connection:
        raise NotSignedIn(
            "it is not said which service connection the assertion is of",
            hint="supportaccess login --with azure-pipelines --service-connection ID",
        )
    whole = f"{url}?api-version=7.1&serviceConnectionId={quote(service_connection, safe='')}"
    headers = {
        "Authorization": f"Bearer {token}",
        "Accept": "application/json",
        "Content-Type": "application/json",
        "X-TFS-FedAuthRedirect": "Suppress",  # else a refusal is a redirect to a page
    }
    return ask("POST", whole, headers, _Answer, "Azure Pipelines").oidc_token
