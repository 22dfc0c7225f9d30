"""Ways in which a person signs in: a browser, a code to be entered elsewhere, the operating system's broker."""

import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from supportaccess.errors import NotSignedIn, StoreUnavailable
from supportaccess.settings.authorities import is_microsofts
from supportaccess.settings.sign_in import Method
from supportaccess.signin import msal_clients
from supportaccess.signin.msal_clients import Result
from supportaccess.signin.registration import Registration

SECONDS = 300
"""How long a browser's answer is waited for."""

Say = Callable[[str], object]


def has_browser(environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether a browser that this person sees can be opened from here. MSAL would open none, and wait."""
    if environment.get("BROWSER"):
        return True
    if environment.get("SSH_CONNECTION") or environment.get("SSH_TTY"):
        return False
    if sys.platform in {"win32", "darwin"} or _is_windows_beneath():
        return True
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")) and _finds_one()


def sign_in(
    method: Method,
    registration: Registration,
    cache: Any,
    say: Say,
    *,
    account: str | None = None,
    claims: str | None = None,
    seconds: int = SECONDS,
) -> Result:
    """Let a person sign in; what comes of it is in `cache`, too. `account` is the name to begin with.

    Raises NotSignedIn, StoreUnavailable; an authority's refusal is returned.
    """
    match method:
        case Method.DEVICE_CODE:
            return _by_device_code(registration, cache, say, claims)
        case Method.BROKER:
            return _by_broker(registration, cache, say, account, claims)
        case _:
            return _by_browser(msal_clients.public(registration, cache), registration, say, account, claims, seconds)


def _by_browser(
    application: Any, registration: Registration, say: Say, account: str | None, claims: str | None, seconds: int
) -> Result:
    from msal import BrowserInteractionTimeoutError

    choose = "select_account" if account is None and is_microsofts(registration.authority) else None
    say(f"Sign in in the browser that opens. Waiting for {seconds // 60} minutes; Ctrl-C gives up.")
    try:
        result: Result = application.acquire_token_interactive(
            list(registration.scopes),
            prompt=choose,
            login_hint=account,
            claims_challenge=claims,
            timeout=seconds,
            auth_uri_callback=lambda url: say(f"No browser could be opened. Open this in one on this machine: {url}"),
        )
    except BrowserInteractionTimeoutError as error:
        raise NotSignedIn(
            f"nobody finished the sign-in in the browser within {seconds // 60} minutes",
            hint="Run it again, or without a browser on this machine: supportaccess login --with device-code",
        ) from error
    return result


def _by_device_code(registration: Registration, cache: Any, say: Say, claims: str | None) -> Result:
    application = msal_clients.public(registration, cache)
    flow = application.initiate_device_flow(list(registration.scopes), claims_challenge=claims)
    if "user_code" not in flow:
        return dict(flow)
    minutes = max(int(flow.get("expires_in", 900)) // 60, 1)
    say(
        f"Open {flow['verification_uri']} in any browser and enter the code {flow['user_code']}.\n"
        f"It is good for {minutes} minutes. Ctrl-C gives up."
    )
    while True:
        try:
            result: Result = application.acquire_token_by_device_flow(flow, claims_challenge=claims)
        except StoreUnavailable:
            # The person may be in the middle of it: a network that drops out for a moment does not end that.
            if time.time() + flow["interval"] > flow["expires_at"]:
                raise
            time.sleep(flow["interval"])
        else:
            return result


def _by_broker(registration: Registration, cache: Any, say: Say, account: str | None, claims: str | None) -> Result:
    if not is_microsofts(registration.authority):
        raise NotSignedIn(
            f"the broker signs in at Microsoft's clouds alone, and not at {registration.authority}",
            hint="supportaccess login --with browser",
        )
    application = broker_application(registration, cache)
    say("Sign in in the window that opens.")
    result: Result = application.acquire_token_interactive(
        list(registration.scopes),
        login_hint=account,
        claims_challenge=claims,
        timeout=SECONDS,
        parent_window_handle=application.CONSOLE_WINDOW_HANDLE,
    )
    return result


def broker_application(registration: Registration, cache: Any) -> Any:
    """Return the application that goes through the broker. Raises NotSignedIn where its extra is missing."""
    from importlib.util import find_spec

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
