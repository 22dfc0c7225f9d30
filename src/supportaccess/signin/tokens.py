"""Access tokens of one tenant, however one signs in there: from a variable, from the cache, or renewed.

What a command with a good token in the cache goes through is this module and `cached`; the rest is imported when one
has to be had from elsewhere.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock

from supportaccess.errors import NotSignedIn
from supportaccess.settings.profiles import Profile
from supportaccess.signin.access_tokens import AccessTokens
from supportaccess.signin.cache_reader import MARGIN, held
from supportaccess.signin.environment import sign_in_of
from supportaccess.signin.registration import login_line, registration_of
from supportaccess.signin.token import Person, Token, token_of
from supportaccess.signin.token_storage import Damaged, found


class Tokens:
    """The access tokens of one tenant.

    `prepare` returns the profile as it is to be signed in by: with an endpoint's newest word, where that is too old.
    """

    def __init__(
        self,
        profile: Profile,
        environment: Mapping[str, str],
        cache: Path,
        *,
        person: Person,
        prepare: Callable[[Profile], Profile],
    ) -> None:
        self._profile = profile
        self._environment = environment
        self._cache = cache
        self._person = person
        self._prepare = prepare
        self._mine: Token | None = None
        self._lock = Lock()

    def __call__(self, claims: str | None = None) -> str:
        """Return an access token; with `claims`, one that meets a server's claims challenge. Raises NotSignedIn.

        Raises StoreUnavailable when an authority does not answer.
        """
        return self.token(claims).text

    @property
    def mend(self) -> str:
        """What to do when the server does not take the token."""
        given = AccessTokens(self._environment)
        if given.find(self._profile.tenant_id) is not None:
            return f"The access token from {given.origin} was refused: get a new one."
        return login_line(self._profile)

    def token(self, claims: str | None = None) -> Token:
        """Return the same with where it is from."""
        given = AccessTokens(self._environment)
        text = given.find(self._profile.tenant_id)
        if text is not None:
            if claims is not None:
                raise NotSignedIn(
                    f"the server asks for more than the access token from {given.origin} proves",
                    hint=f"Get one by a sign-in that meets it: unset {given.origin}, and {login_line(self._profile)}",
                )
            return Token(text, given.origin)
        if not given.is_given or self._signs_in_otherwise():
            with self._lock:
                return self._own(claims)
        raise given.missing(self._profile.tenant_id)

    @property
    def comes_from_elsewhere(self) -> str | None:
        """What one signs in by without a login: a variable, a file or a way of an application; None if by nothing."""
        given = AccessTokens(self._environment)
        how = sign_in_of(self._environment)
        return given.origin or (how.method if how is not None else None)

    def kept(self) -> Token | None:
        """Return the token that a command would take without asking anybody; None if there is none."""
        given = AccessTokens(self._environment)
        text = given.find(self._profile.tenant_id)
        return Token(text, given.origin) if text is not None else self._held()

    def _signs_in_otherwise(self) -> bool:
        return self._profile.sign_in is not None or sign_in_of(self._environment) is not None

    def _own(self, claims: str | None) -> Token:
        if claims is None and self._mine is not None and _lasts(self._mine):
            return self._mine
        if claims is None and (token := self._held()) is not None:
            self._mine = token
            return token
        from supportaccess.signin.renewal import renewed

        profile = self._prepare(self._profile)
        self._mine = renewed(profile, self._environment, self._cache, self._person, claims)
        return self._mine

    def _held(self) -> Token | None:
        """Return the token that lies in the cache, if that can be read without its own library."""
        profile = self._profile
        if profile.client_id is None or profile.sign_in is None or self._is_by_environment():
            return None
        place = found(self._cache, profile.tenant_id)
        if place is None:
            return None
        account = profile.account.id if profile.account is not None else None
        try:
            text = place.load()
            lying = held(text, registration_of(profile), account, time.time()) if text else None
        except (ValueError, Damaged):
            return None  # whoever renews it says what is wrong, and mends it
        return token_of(lying, place.description, profile) if lying else None

    def _is_by_environment(self) -> bool:
        return sign_in_of(self._environment) is not None


def _lasts(token: Token) -> bool:
    return token.ends is None or token.ends.timestamp() - time.time() >= MARGIN
