"""The operating system's broker, which signs in the account of the device."""

from importlib.util import find_spec
from typing import Any

from supportaccess.errors import NotSignedIn
from supportaccess.settings.authorities import is_microsofts
from supportaccess.signin import msal_clients
from supportaccess.signin.method import Request, Result
from supportaccess.signin.registration import Registration

_SECONDS = 300


def sign_in(request: Request) -> Result:
    """Let a person sign in in the system's own window. Raises NotSignedIn where there is no broker."""
    if not is_microsofts(request.registration.authority):
        raise NotSignedIn(
            f"the broker signs in at Microsoft's clouds alone, and not at {request.registration.authority}",
            hint="supportaccess login --with browser",
        )
    application = client(request.registration, request.cache)
    request.say("Sign in in the window that opens.")
    result: Result = application.acquire_token_interactive(
        list(request.registration.scopes),
        login_hint=request.account,
        claims_challenge=request.claims,
        timeout=_SECONDS,
        parent_window_handle=application.CONSOLE_WINDOW_HANDLE,
    )
    return result


def client(registration: Registration, cache: Any) -> Any:
    """Return the application that goes through the broker. Raises NotSignedIn where its extra is missing."""
    missing = NotSignedIn("the broker needs a part that is not installed", hint="pip install 'supportaccess[broker]'")
    if find_spec("pymsalruntime") is None:  # before the authority is asked: MSAL looks after that
        raise missing
    try:
        return msal_clients.public(
            registration,
            cache,
            enable_broker_on_windows=True,
            enable_broker_on_mac=True,
            enable_broker_on_linux=True,
            enable_broker_on_wsl=True,
        )
    except ImportError as error:
        raise missing from error
