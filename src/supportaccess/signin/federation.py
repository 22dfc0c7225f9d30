"""Assertions of where an application runs, which Entra takes in place of a secret (workload identity federation)."""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from supportaccess.errors import NotSignedIn
from supportaccess.settings.authorities import CHINA, US_GOVERNMENT, host_of

_LARGEST = 64 * 1024
_GITHUB_URL = "ACTIONS_ID_TOKEN_REQUEST_URL"
_GITHUB_TOKEN = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"  # noqa: S105 - the name of a variable
_PIPELINES_URL = "SYSTEM_OIDCREQUESTURI"
_PIPELINES_TOKEN = "SYSTEM_ACCESSTOKEN"  # noqa: S105 - the name of a variable
FILE_VARIABLE = "AZURE_FEDERATED_TOKEN_FILE"


T = TypeVar("T")


class _GitHubs(msgspec.Struct, frozen=True):
    value: str


class _Pipelines(msgspec.Struct, frozen=True):
    oidc_token: str = msgspec.field(name="oidcToken")


def audience_of(authority: str) -> str:
    """Return for whom an assertion has to be, in the cloud of an authority."""
    host = host_of(authority)
    if host in US_GOVERNMENT:
        return "api://AzureADTokenExchangeUSGov"
    return "api://AzureADTokenExchangeChina" if host in CHINA else "api://AzureADTokenExchange"


def of_github(environment: Mapping[str, str], audience: str) -> str:
    """Return a job's assertion from GitHub Actions. Raises NotSignedIn, StoreUnavailable."""
    url, token = environment.get(_GITHUB_URL), environment.get(_GITHUB_TOKEN)
    if not url or not token:
        raise NotSignedIn(
            "this is no job of GitHub Actions that may ask for an assertion",
            hint="The job needs the permission `id-token: write`: docs/sign-in.md.",
        )
    whole = f"{url}{'&' if urlsplit(url).query else '?'}audience={quote(audience, safe='')}"
    headers = {"Authorization": f"bearer {token}", "Accept": "application/json"}
    return _ask("GET", whole, headers, _GitHubs, "GitHub").value


def of_azure_pipelines(environment: Mapping[str, str], service_connection: str | None) -> str:
    """Return a job's assertion from Azure Pipelines. Raises NotSignedIn, StoreUnavailable."""
    url, token = environment.get(_PIPELINES_URL), environment.get(_PIPELINES_TOKEN)
    if not url or not token:
        raise NotSignedIn(
            f"this is no job of Azure Pipelines, or it has no {_PIPELINES_TOKEN}",
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
    return _ask("POST", whole, headers, _Pipelines, "Azure Pipelines").oidc_token


def of_file(environment: Mapping[str, str], path: str | None) -> str:
    """Return the assertion of a file, which whoever put it there renews. Raises NotSignedIn."""
    named = path or environment.get(FILE_VARIABLE)
    if not named:
        raise NotSignedIn(
            "it is not said which file has the assertion",
            hint=f"supportaccess login --with token-file --token-file FILE, or the variable {FILE_VARIABLE}.",
        )
    try:
        with Path(named).open("rb") as file:
            text = file.read(_LARGEST).decode("ascii").strip()
    except OSError as error:
        raise NotSignedIn(f"{named}, with the assertion, cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError:
        raise NotSignedIn(f"{named} holds no assertion") from None
    if text.count(".") != 2:
        raise NotSignedIn(f"{named} holds no assertion")
    return text


def _ask(method: str, url: str, headers: Mapping[str, str], kind: type[T], who: str) -> T:
    from supportaccess.signin.http import HttpClient

    with HttpClient() as client:
        answer = client.request(method, url, headers=headers)
    if answer.status_code != 200:
        raise NotSignedIn(f"{who} gave no assertion: status {answer.status_code}", hint="docs/sign-in.md")
    try:
        return msgspec.json.decode(answer.content, type=kind)
    except (msgspec.MsgspecError, RecursionError):
        # What it says instead is not told: it may be the assertion.
        raise NotSignedIn(f"{who} gave no assertion that this version knows", hint="docs/sign-in.md") from None
