"""An assertion in a file, which whoever put it there renews: a workload identity on Kubernetes, among others."""

from collections.abc import Mapping
from pathlib import Path

from supportaccess.errors import NotSignedIn
from supportaccess.settings.sign_in import AZURE_TOKEN_FILE
from supportaccess.signin.method import Request, Result
from supportaccess.signin.msal_clients import token_of_application

_LARGEST = 64 * 1024


def sign_in(request: Request) -> Result:
    """Sign in by the assertion in the file. Raises NotSignedIn, StoreUnavailable."""
    return token_of_application(
        request, {"client_assertion": lambda: _assertion(request.environment, request.how.token_file)}
    )


def _assertion(environment: Mapping[str, str], path: str | None) -> str:
    named = path or environment.get(AZURE_TOKEN_FILE)
    if not named:
        raise NotSignedIn(
            "it is not said which file has the assertion",
            hint=f"supportaccess login --with token-file --token-file FILE, or the variable {AZURE_TOKEN_FILE}.",
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
