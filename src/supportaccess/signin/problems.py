"""What Entra says when it gives no token, in plain words, and what mends it.

Codes: https://learn.microsoft.com/entra/identity-platform/reference-error-codes
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from supportaccess.errors import NotSignedIn

_CODE = re.compile(r"AADSTS(\d{5,7})")
_LONGEST = 300
_SIGN_IN = "{login}"
_BROWSER = "{login} --with browser"


class _Problem(NamedTuple):
    why: str
    mend: str


_MFA = _Problem("the tenant asks for a second factor, which this sign-in does not have", _SIGN_IN)
_GONE = _Problem("the sign-in has ended", _SIGN_IN)
_NO_TENANT = _Problem(
    "there is no such tenant in this cloud",
    "Check the tenant ID, and the cloud (authority): supportaccess tenant show {tenant}",
)
_NO_USER = _Problem(
    "the account is not one of this tenant", "Sign in with an account of the tenant, or be invited there: {login}"
)
_BLOCKED = _Problem(
    "a Conditional Access policy of the tenant does not allow this sign-in",
    "Often it is the device code flow that is blocked: {login} --with browser\n"
    "or, on a managed device: {login} --with broker",
)
_ASSERTION = _Problem(
    "the assertion is not one that the application trusts",
    "Check the application's certificate or federated credential (issuer, subject, audience) in Entra, "
    "and this machine's clock.",
)
_SECRET = _Problem(
    "the client secret is not the application's (its value is needed, not its ID), or it has ended",
    "Add a new one in Entra under Certificates & secrets, and put it where {tenant} reads it: {login}",
)

KNOWN: Mapping[str, _Problem] = {
    "16000": _Problem("several accounts are signed in, and none was chosen", _SIGN_IN),
    "50020": _NO_USER,
    "50034": _NO_USER,
    "50055": _Problem("the password has expired", f"Change it on the sign-in page: {_BROWSER}"),
    "50057": _Problem("the account is disabled", "Ask an administrator of the tenant."),
    "50058": _Problem("nobody is signed in there", _SIGN_IN),
    "50072": _MFA,
    "50074": _MFA,
    "50076": _MFA,
    "50078": _Problem("the second factor was given too long ago", _SIGN_IN),
    "50079": _Problem("the account has to register a second factor first", _BROWSER),
    "50097": _BLOCKED,
    "50105": _Problem(
        "the account is not assigned to the application, which takes assigned ones alone",
        "An administrator assigns it in Entra: Enterprise applications > Users and groups.",
    ),
    "50126": _Problem("name or password is wrong", _SIGN_IN),
    "50128": _NO_TENANT,
    "50173": _Problem("the sign-in was revoked, or the password has changed", _SIGN_IN),
    "53000": _Problem("the tenant takes managed devices alone", "{login} --with broker"),
    "53001": _Problem("the tenant takes devices that are joined to it alone", "{login} --with broker"),
    "53003": _BLOCKED,
    "530036": _BLOCKED,
    "65001": _Problem(
        "nobody in the tenant has consented to the application",
        "An administrator consents once: docs/operate/entra-app-registration.md, Consent.",
    ),
    "65004": _Problem("the consent was declined", _SIGN_IN),
    "70008": _GONE,
    "70011": _Problem("the scope is not one of the store's application", "Ask who runs the store: its settings."),
    "70016": _Problem("nobody has entered the code yet", _SIGN_IN),
    "70019": _Problem("the code was not entered in time", _SIGN_IN),
    "70043": _Problem("the sign-in is older than the tenant allows", _SIGN_IN),
    "90002": _NO_TENANT,
    "90072": _NO_USER,
    "90094": _Problem(
        "only an administrator may consent to the application",
        "An administrator consents once: docs/operate/entra-app-registration.md, Consent.",
    ),
    "500011": _Problem(
        "the store's application is not known in the tenant",
        "An administrator consents once: docs/operate/entra-app-registration.md, Consent.",
    ),
    "500113": _Problem("the application has no redirect URI", "Register http://localhost for it: docs/operate."),
    "50011": _Problem(
        "the redirect URI is not registered for the application",
        "Register http://localhost under Mobile and desktop applications: docs/operate/entra-app-registration.md.",
    ),
    "700016": _Problem(
        "the application is not known in the tenant",
        "Check the client ID; an administrator consents once: docs/operate/entra-app-registration.md, Consent.",
    ),
    "700021": _ASSERTION,
    "700024": _Problem("the assertion has expired, or is not good yet", "Check this machine's clock; {login} --check"),
    "700027": _ASSERTION,
    "700030": _ASSERTION,
    "70021": _ASSERTION,
    "700211": _ASSERTION,
    "700212": _ASSERTION,
    "700213": _ASSERTION,
    "700082": _Problem("the sign-in was not used for too long", _SIGN_IN),
    "7000112": _Problem("the application is disabled in the tenant", "Ask an administrator of the tenant."),
    "7000215": _SECRET,
    "7000218": _Problem(
        "the application is not a public client",
        "Set 'Allow public client flows', or sign in as the application: {login} --with client-secret",
    ),
    "7000222": _SECRET,
}

_BY_ERROR: Mapping[str, _Problem] = {
    "access_denied": _Problem("it was declined on the sign-in page", _SIGN_IN),
    "authorization_declined": _Problem("it was declined on the sign-in page", _SIGN_IN),
    "authorization_pending": _Problem("nobody has entered the code in time", _SIGN_IN),
    "expired_token": _Problem("the code was not entered in time", _SIGN_IN),
    "code_expired": _Problem("the code was not entered in time", _SIGN_IN),
    "interaction_required": _Problem("a person is needed", _SIGN_IN),
    "login_required": _Problem("a person is needed", _SIGN_IN),
    "consent_required": _Problem("a consent is needed", _BROWSER),
    "invalid_client": _Problem("the application's secret or assertion is not taken", _SIGN_IN),
    "invalid_grant": _GONE,
    "unauthorized_client": _Problem(
        "the application may not sign in this way", "Check its registration: docs/operate/entra-app-registration.md."
    ),
}


def refusal(result: Mapping[str, object], *, tenant: str, login: str) -> NotSignedIn:
    """Return why an authority gave no token: `tenant` is what to call it, `login` the command that signs in there."""
    text = str(result.get("error_description") or result.get("error") or "")
    codes = [*_CODE.findall(text), *(str(code) for code in _list(result.get("error_codes")))]
    problem = next((KNOWN[code] for code in codes if code in KNOWN), None)
    problem = problem or _BY_ERROR.get(str(result.get("error")), _Problem(_plain(text), _SIGN_IN))
    named = f" (AADSTS{codes[0]})" if codes else ""
    error = NotSignedIn(
        f"no sign-in to {tenant}: {problem.why}{named}", hint=problem.mend.format(login=login, tenant=tenant)
    )
    error.request_id = _ids(result)
    return error


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _plain(text: str) -> str:
    """Return the first line of what an authority says, of sane length: it comes from elsewhere."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return f"the authority says: {line[:_LONGEST]}" if line else "the authority gave no reason"


def _ids(result: Mapping[str, object]) -> str | None:
    """Return the IDs by which Entra's support finds the attempt."""
    ids = [
        f"{name} {str(result[key])[:64]}"
        for name, key in (("correlation", "correlation_id"), ("trace", "trace_id"))
        if isinstance(result.get(key), str) and result[key]
    ]
    return ", ".join(ids) or None
