"""How to sign in, by variables alone: for pipelines, which have no profile and nobody to ask."""

from collections.abc import Mapping
from typing import Any

from supportaccess.errors import InvalidInput
from supportaccess.settings.sign_in import AZURE_CLIENT_ID, OPTIONS, Method, SignIn, SignInOption

CLIENT_ID = "SUPPORTACCESS_CLIENT_ID"
AUTHORITY = "SUPPORTACCESS_AUTHORITY"
METHOD = "SUPPORTACCESS_SIGN_IN"
ALLOW_PLAINTEXT = "SUPPORTACCESS_ALLOW_PLAINTEXT_CACHE"

_IMPLYING = {option.variable: option.methods[0] for option in OPTIONS.values() if option.implies}
"""The method that each variable stands for, where none is named."""
_YES = {"1", "true", "yes"}


def sign_in_of(environment: Mapping[str, str]) -> SignIn | None:
    """Return how the environment says to sign in; None when it does not. Raises InvalidInput."""
    method = _method(environment)
    if method is None:
        return None
    parts: dict[str, Any] = {name: _part(option, environment) for name, option in OPTIONS.items()}
    return SignIn(method=method, **parts)


def named_by(environment: Mapping[str, str]) -> str | None:
    """Return the variable that says how to sign in; None when there is none."""
    return next((name for name in (METHOD, *_IMPLYING) if environment.get(name)), None)


def client_id_variable(how: SignIn, environment: Mapping[str, str]) -> str | None:
    """Return the variable that says as which application to sign in; None when there is none."""
    # Kubernetes sets one together with the file.
    known = (CLIENT_ID, AZURE_CLIENT_ID) if how.method is Method.TOKEN_FILE else (CLIENT_ID,)
    return next((name for name in known if environment.get(name)), None)


def said_yes(environment: Mapping[str, str], variable: str) -> bool:
    """Tell whether a variable says yes."""
    return environment.get(variable, "").lower() in _YES


def _part(option: SignInOption, environment: Mapping[str, str]) -> str | bool | None:
    """Return what the environment says of a part: of a secret, the name of its variable."""
    if option.metavar is None:
        return said_yes(environment, option.variable)
    value = environment.get(option.variable) or None
    return option.variable if value and option.is_secret else value


def _method(environment: Mapping[str, str]) -> Method | None:
    named = environment.get(METHOD)
    if not named:
        return next((method for name, method in _IMPLYING.items() if environment.get(name)), None)
    try:
        method = Method(named)
    except ValueError:
        method = None
    if method is None or method.is_a_persons:
        choices = ", ".join(each for each in Method if not each.is_a_persons)
        raise InvalidInput(f"{METHOD} is {named!r}", hint=f"Without a person one signs in by one of {choices}.")
    return method
