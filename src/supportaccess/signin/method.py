"""Signs in, by whichever method is asked for: each has a module of its name in `methods`, with a function `sign_in`."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import msgspec

from supportaccess.settings.sign_in import Method, SignIn
from supportaccess.signin.registration import Registration

Result = Mapping[str, Any]
"""What MSAL returns: a token and what belongs to it, or an error."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-in that is asked for. Its tokens go to MSAL's `cache`; `claims` are those that a server asks for.

    `say` tells a person what to do, and `account` is the name to begin with. `secret` is an application's that somebody
    typed or piped in.
    """

    how: SignIn
    registration: Registration
    cache: Any
    environment: Mapping[str, str]
    say: Callable[[str], object]
    claims: str | None = None
    account: str | None = None
    secret: str | None = None


def sign_in(request: Request) -> Result:
    """Return what the authority answers, also when it refuses.

    Raises NotSignedIn for what is not as it should be on this machine, StoreUnavailable, InvalidInput.
    """
    return entry_of(request.how.method)(request)


def entry_of(method: Method) -> Callable[[Request], Result]:
    """Return what signs in by a method. Only its module is imported, and with that what only it needs."""
    module = import_module(f"supportaccess.signin.methods.{method.replace('-', '_')}")
    entry: Callable[[Request], Result] = module.sign_in
    return entry
