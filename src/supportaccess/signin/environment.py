"""How to sign in, by variables alone: for pipelines, which have no profile and nobody to ask."""

from collections.abc import Mapping

from supportaccess.errors import InvalidInput
from supportaccess.settings.sign_in import Method, SignIn

CLIENT_ID = "SUPPORTACCESS_CLIENT_ID"
AUTHORITY = "SUPPORTACCESS_AUTHORITY"
METHOD = "SUPPORTACCESS_SIGN_IN"
SECRET = "SUPPORTACCESS_CLIENT_SECRET"  # noqa: S105 - the name of a variable
SECRET_FILE = "SUPPORTACCESS_CLIENT_SECRET_FILE"  # noqa: S105
CERTIFICATE = "SUPPORTACCESS_CLIENT_CERTIFICATE"
PASSPHRASE = "SUPPORTACCESS_CLIENT_CERTIFICATE_PASSPHRASE"  # noqa: S105
PASSPHRASE_FILE = "SUPPORTACCESS_CLIENT_CERTIFICATE_PASSPHRASE_FILE"  # noqa: S105
SEND_CHAIN = "SUPPORTACCESS_CLIENT_CERTIFICATE_SEND_CHAIN"
MANAGED_IDENTITY = "SUPPORTACCESS_MANAGED_IDENTITY"
SERVICE_CONNECTION = "SUPPORTACCESS_SERVICE_CONNECTION"
TOKEN_FILE = "SUPPORTACCESS_FEDERATED_TOKEN_FILE"  # noqa: S105
ALLOW_PLAINTEXT = "SUPPORTACCESS_ALLOW_PLAINTEXT_CACHE"

VARIABLES = {
    "secret_variable": SECRET,
    "secret_file": SECRET_FILE,
    "certificate": CERTIFICATE,
    "passphrase_variable": PASSPHRASE,
    "passphrase_file": PASSPHRASE_FILE,
    "send_chain": SEND_CHAIN,
    "managed_identity": MANAGED_IDENTITY,
    "service_connection": SERVICE_CONNECTION,
    "token_file": TOKEN_FILE,
}
"""The variable of each part of a SignIn but the method."""

_YES = {"1", "true", "yes"}


def sign_in_of(environment: Mapping[str, str]) -> SignIn | None:
    """Return how the environment says to sign in; None when it does not. Raises InvalidInput."""
    method = _method(environment)
    if method is None:
        return None
    given = {name: environment.get(name) or None for name in (SECRET, PASSPHRASE)}
    return SignIn(
        method=method,
        secret_variable=SECRET if given[SECRET] else None,
        secret_file=environment.get(SECRET_FILE) or None,
        certificate=environment.get(CERTIFICATE) or None,
        passphrase_variable=PASSPHRASE if given[PASSPHRASE] else None,
        passphrase_file=environment.get(PASSPHRASE_FILE) or None,
        send_chain=said_yes(environment, SEND_CHAIN),
        managed_identity=environment.get(MANAGED_IDENTITY) or None,
        service_connection=environment.get(SERVICE_CONNECTION) or None,
        token_file=environment.get(TOKEN_FILE) or None,
    )


def named_by(environment: Mapping[str, str]) -> str | None:
    """Return the variable that says how to sign in; None when there is none."""
    return next((name for name in (METHOD, SECRET, SECRET_FILE, CERTIFICATE) if environment.get(name)), None)


def said_yes(environment: Mapping[str, str], variable: str) -> bool:
    """Tell whether a variable says yes."""
    return environment.get(variable, "").lower() in _YES


def _method(environment: Mapping[str, str]) -> Method | None:
    if named := environment.get(METHOD):
        try:
            method = Method(named)
        except ValueError:
            method = None
        if method is None or method.is_a_persons:
            choices = ", ".join(each for each in Method if not each.is_a_persons)
            raise InvalidInput(f"{METHOD} is {named!r}", hint=f"Without a person one signs in by one of {choices}.")
        return method
    if environment.get(SECRET) or environment.get(SECRET_FILE):
        return Method.CLIENT_SECRET
    return Method.CERTIFICATE if environment.get(CERTIFICATE) else None
