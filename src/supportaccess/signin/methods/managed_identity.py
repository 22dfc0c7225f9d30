"""The identity that Azure gives a machine, asked for at an address on that machine."""

import os
from collections.abc import Mapping
from typing import Any

from requests import RequestException

from supportaccess.errors import InvalidInput, NotSignedIn
from supportaccess.http.failures import Failure
from supportaccess.http.session import Session
from supportaccess.signin.method import Request, Result
from supportaccess.signin.msal_clients import library

_PROBE_SECONDS = 2.0
_KINDS = {"client_id": "client_id", "object_id": "object_id", "resource_id": "resource_id"}


def sign_in(request: Request) -> Result:
    """Return what the machine answers. Raises NotSignedIn off Azure, InvalidInput for what names no identity."""
    msal = library()
    resource = request.registration.application_scopes[0].rpartition("/")[0]
    with Session(use_proxy=False) as session:  # the address is this machine's own
        if msal.managed_identity.get_managed_identity_source() is msal.managed_identity.DEFAULT_TO_VM:
            _probe(session)
        client = msal.ManagedIdentityClient(
            chosen(request.how.managed_identity), http_client=session, client_capabilities=["CP1"]
        )
        try:
            result: Result = client.acquire_token_for_client(resource=resource, claims_challenge=request.claims)
        except (Failure, RequestException, ValueError, msal.ManagedIdentityError) as error:
            why = error.reason if isinstance(error, Failure) else type(error).__name__
            raise NotSignedIn(
                f"this machine's identity gave no token: {why}", hint="Is one assigned to it in Azure?"
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


def _probe(session: Session, environment: Mapping[str, str] = os.environ) -> None:
    """Raise NotSignedIn where nothing answers: off Azure the address leads nowhere, and that takes minutes to show."""
    host = environment.get("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://169.254.169.254").strip("/")
    try:
        session.get(f"{host}/metadata/identity/oauth2/token", timeout=_PROBE_SECONDS)
    except Failure as failure:
        raise NotSignedIn(
            "this machine has no managed identity: nothing answers where Azure would",
            hint="On a machine outside Azure: supportaccess login --with certificate, or client-secret.",
        ) from failure
