"""An application's secret, from a variable or a file, or as it was typed or piped in."""

from supportaccess.errors import NotSignedIn
from supportaccess.signin.method import Request, Result
from supportaccess.signin.msal_clients import token_of_application
from supportaccess.signin.secrets import secret


def sign_in(request: Request) -> Result:
    """Sign in by a secret. Raises NotSignedIn when it cannot be had."""
    how = request.how
    found = request.secret or secret(
        "client secret", request.environment, variable=how.secret_variable, file=how.secret_file
    )
    if not found:
        raise NotSignedIn(
            "it is not said where the client secret is",
            hint="supportaccess login --with client-secret --secret-env NAME, or --secret-file FILE",
        )
    return token_of_application(request, found)
