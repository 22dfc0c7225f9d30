"""A browser on this machine: the authorisation code with PKCE comes back to an address on it."""

import os
import sys
from collections.abc import Mapping

from supportaccess.errors import NotSignedIn
from supportaccess.settings.authorities import is_microsofts
from supportaccess.signin import msal_clients
from supportaccess.signin.method import Request, Result

_SECONDS = 300
_MINUTES = _SECONDS // 60


def has_browser(environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether a browser that this person sees can be opened from here. MSAL would open none, and wait."""
    if environment.get("BROWSER"):
        return True
    if environment.get("SSH_CONNECTION") or environment.get("SSH_TTY"):
        return False
    if sys.platform in {"win32", "darwin"} or _is_windows_beneath():
        return True
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")) and _finds_one()


def sign_in(request: Request) -> Result:
    """Let a person sign in in the browser that opens. Raises NotSignedIn when nobody does."""
    from msal import BrowserInteractionTimeoutError

    application = msal_clients.public(request.registration, request.cache)
    choose = request.account is None and is_microsofts(request.registration.authority)
    request.say(f"Sign in in the browser that opens. Waiting for {_MINUTES} minutes; Ctrl-C gives up.")
    try:
        result: Result = application.acquire_token_interactive(
            list(request.registration.scopes),
            prompt="select_account" if choose else None,
            login_hint=request.account,
            claims_challenge=request.claims,
            timeout=_SECONDS,
            auth_uri_callback=lambda url: request.say(
                f"No browser could be opened. Open this in one on this machine: {url}"
            ),
        )
    except BrowserInteractionTimeoutError as error:
        raise NotSignedIn(
            f"nobody finished the sign-in in the browser within {_MINUTES} minutes",
            hint="Run it again, or without a browser on this machine: supportaccess login --with device-code",
        ) from error
    return result


def _is_windows_beneath() -> bool:
    import platform

    return sys.platform == "linux" and "microsoft" in platform.uname().release.lower()


def _finds_one() -> bool:
    import webbrowser

    try:
        # One that runs in the terminal would take it over.
        return not isinstance(webbrowser.get(), webbrowser.GenericBrowser) or isinstance(
            webbrowser.get(), webbrowser.BackgroundBrowser
        )
    except webbrowser.Error:
        return False
