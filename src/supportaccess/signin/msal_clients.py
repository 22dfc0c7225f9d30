"""MSAL's applications, made as this program wants them: with time limits, our trust, and claims challenges taken.

Making one asks the authority for its addresses, so none is made before it is needed.
"""

import logging
from typing import Any

from supportaccess import __version__
from supportaccess.errors import NotSignedIn, StoreUnavailable, SupportAccessError
from supportaccess.settings.authorities import is_microsofts
from supportaccess.signin.method import Request, Result
from supportaccess.signin.registration import Registration


def public(registration: Registration, cache: Any, **options: Any) -> Any:
    """Return the application in which people sign in. Raises NotSignedIn, StoreUnavailable."""
    return _made(library().PublicClientApplication, registration, token_cache=cache, **options)


def token_of_application(request: Request, credential: Any) -> Result:
    """Return what the authority answers to an application by itself. Raises NotSignedIn, StoreUnavailable."""
    kind = library().ConfidentialClientApplication
    application = _made(kind, request.registration, token_cache=request.cache, client_credential=credential)
    scopes = list(request.registration.application_scopes)
    result: Result = application.acquire_token_for_client(scopes, claims_challenge=request.claims)
    return result


def library() -> Any:
    """Import MSAL. What it logs has answers of the authority in it, and is said nowhere: also not as a last resort."""
    import msal

    logger = logging.getLogger("msal")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
        logger.propagate = False
    return msal


def _made(kind: Any, registration: Registration, **options: Any) -> Any:
    from supportaccess.signin.http import HttpClient

    where = f"{registration.authority}/{registration.tenant_id}"
    # Of an authority that is not Microsoft's, nothing is asked at Microsoft; and its issuer is checked.
    place = {"authority": where} if is_microsofts(registration.authority) else {"oidc_authority": f"{where}/v2.0"}
    try:
        return kind(
            registration.client_id,
            http_client=HttpClient(),
            client_capabilities=["CP1"],
            instance_discovery=False,
            app_name="supportaccess",
            app_version=__version__,
            **place,
            **options,
        )
    except SupportAccessError:
        raise
    except (ValueError, KeyError) as error:
        raise NotSignedIn(
            f"{registration.authority} has no tenant {registration.tenant_id}, or is no authority",
            hint="Check the tenant ID, and the cloud (authority): supportaccess tenant show",
        ) from error
    except Exception as error:
        if type(error).__name__ != "MsalServiceError":
            raise
        raise StoreUnavailable(f"{registration.authority} is not available", hint="Try again.") from error
