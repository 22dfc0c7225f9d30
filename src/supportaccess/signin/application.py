"""Ways in which an application signs in without a person: a secret, a certificate, an assertion of where it runs."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from supportaccess.errors import InvalidInput, NotSignedIn
from supportaccess.settings.sign_in import Method, SignIn
from supportaccess.signin import federation, msal_clients
from supportaccess.signin.msal_clients import Result
from supportaccess.signin.registration import Registration
from supportaccess.signin.secrets import secret


def sign_in(
    how: SignIn,
    registration: Registration,
    cache: Any,
    environment: Mapping[str, str],
    *,
    claims: str | None = None,
    given: str | None = None,
) -> Result:
    """Return what the authority answers to an application; `given` is a secret that somebody typed or piped in.

    Raises NotSignedIn for what is not as it should be on this machine, StoreUnavailable.
    """
    if how.method is Method.MANAGED_IDENTITY:
        from supportaccess.signin.methods.managed_identity import token_of_identity

        return token_of_identity(how.managed_identity, registration, claims)
    application = msal_clients.confidential(registration, cache, _credential(how, registration, environment, given))
    result: Result = application.acquire_token_for_client(
        list(registration.application_scopes), claims_challenge=claims
    )
    return result


def _credential(how: SignIn, registration: Registration, environment: Mapping[str, str], given: str | None) -> Any:
    match how.method:
        case Method.CLIENT_SECRET:
            found = given or secret("client secret", environment, variable=how.secret_variable, file=how.secret_file)
            if not found:
                raise NotSignedIn("it is not said where the client secret is", hint=_WHERE_SECRET)
            return found
        case Method.CERTIFICATE:
            return {"client_assertion": _certificate(how, environment)}
        case _:
            return {"client_assertion": _assertion(how, registration, environment)}


_WHERE_SECRET = "supportaccess login --with client-secret --secret-env NAME, or --secret-file FILE"  # noqa: S105


def _certificate(how: SignIn, environment: Mapping[str, str]) -> Callable[[Mapping[str, str]], str]:
    if how.certificate is None:
        raise NotSignedIn(
            "it is not said where the certificate is", hint="supportaccess login --with certificate --certificate FILE"
        )
    from supportaccess.signin.methods.certificate import assertions, read_certificate

    passphrase = secret("passphrase", environment, variable=how.passphrase_variable, file=how.passphrase_file)
    return assertions(read_certificate(Path(how.certificate), passphrase), send_chain=how.send_chain)


def _assertion(how: SignIn, registration: Registration, environment: Mapping[str, str]) -> Callable[[], str]:
    """Return what gets an assertion each time that one is needed: it lives for minutes."""
    audience = federation.audience_of(registration.authority)
    match how.method:
        case Method.GITHUB:
            return lambda: federation.of_github(environment, audience)
        case Method.AZURE_PIPELINES:
            return lambda: federation.of_azure_pipelines(environment, how.service_connection)
        case Method.TOKEN_FILE:
            return lambda: federation.of_file(environment, how.token_file)
        case _:
            raise InvalidInput(f"{how.method} is no way for an application to sign in")
