"""The identity that Azure gives a machine, asked for at an address on that machine."""

import os
from collections.abc import Mapping
from typing import Any

from supportaccess.errors import InvalidInput, NotSignedIn
from supportaccess.signin.msal_clients import Result, library
from supportaccess.signin.registration import Registration

_PROBE_SECONDS = 2.0
_SECONDS = 30.0
_KINDS = {"client_id": "client_id", "object_id": "object_id", "resource_id": "resource_id"}


def token_of_identity(identity: str | None, registration: Registration, claims: str | None) -> Result:
    """Return what the machine answers. Raises NotSignedIn off Azure."""
    msal = library()
    import requests

    session = _Session(requests.Session())
    source = msal.managed_identity.get_managed_identity_source()
    if source is msal.managed_identity.DEFAULT_TO_VM:
        _probe(session)
    client = msal.ManagedIdentityClient(chosen(identity), http_client=session.session, client_capabilities=["CP1"])
    resource = registration.application_scopes[0].rpartition("/")[0]
    try:
        result: Result = client.acquire_token_for_client(resource=resource, claims_challenge=claims)
    except (requests.RequestException, ValueError, msal.ManagedIdentityError) as error:
        raise NotSignedIn(
            f"this machine's identity gave no token: {type(error).__name__}", hint="Is one assigned to it in Azure?"
        ) from error
    return result


def chosen(identity: str | None) -> Any:
    """Return the identity that a text means: `client_id=ID` and its like, or nothing for the system's own.

    Raises InvalidInput.
    """
    msal = library()
    if identity is None:
        return msal.SystemAssignedManagedIdentity()
    kind, _, value = identity.partition("=")
    if kind not in _KINDS or not value:
        raise InvalidInput(
            f"{identity!r} names no managed identity", hint="client_id=ID, object_id=ID or resource_id=ID"
        )
    return msal.UserAssignedManagedIdentity(**{kind: value})


class _Session:
    """A session that never waits for ever, and goes through no proxy: the address is this machine's own."""

    def __init__(self, session: Any) -> None:
        self.session = session
        session.trust_env = False
        asked = session.request

        def request(method: str, url: str, **options: Any) -> Any:
            options.setdefault("timeout", _SECONDS)
            return asked(method, url, **{**options, "allow_redirects": False})

        session.request = request


def _probe(session: _Session, environment: Mapping[str, str] = os.environ) -> None:
    """Raise NotSignedIn where nothing answers: off Azure the address leads nowhere, and that takes minutes to show."""
    import requests

    host = environment.get("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://169.254.169.254").strip("/")
    try:
        session.session.request("GET", f"{host}/metadata/identity/oauth2/token", timeout=_PROBE_SECONDS)
    except requests.RequestException as error:
        raise NotSignedIn(
            "this machine has no managed identity: nothing answers where Azure would",
            hint="On a machine outside Azure: supportaccess login --with certificate, or client-secret.",
        ) from error
