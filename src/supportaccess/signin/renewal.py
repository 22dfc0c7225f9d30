"""Gets an access token by MSAL: silently where that is possible, from the person where a server asks for more."""

import time
from collections.abc import Mapping
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from supportaccess.errors import NotSignedIn
from supportaccess.settings.profiles import Profile
from supportaccess.settings.sign_in import Method, SignIn
from supportaccess.signin import msal_clients, token_storage
from supportaccess.signin.cache import TokenCache
from supportaccess.signin.cache_reader import held
from supportaccess.signin.environment import ALLOW_PLAINTEXT, said_yes, sign_in_of
from supportaccess.signin.method import Request, Result, sign_in
from supportaccess.signin.problems import refusal
from supportaccess.signin.registration import Registration, login_line, registration_of
from supportaccess.signin.token import Person, Token, token_of

IN_MEMORY = "this command's own sign-in, which is not kept"


def renewed(
    profile: Profile, environment: Mapping[str, str], folder: Path, person: Person, claims: str | None = None
) -> Token:
    """Return a new access token. Raises NotSignedIn, StoreUnavailable."""
    how = sign_in_of(environment) or profile.sign_in
    if how is None:
        raise NotSignedIn(f"there is no sign-in to {profile.name}", hint=login_line(profile))
    registration = registration_of(profile)
    place = token_storage.found(folder, profile.tenant_id)
    if place is None and not how.method.is_a_persons and said_yes(environment, ALLOW_PLAINTEXT):
        place = token_storage.PlainFile(token_storage.folder_of(folder), profile.tenant_id)
    return _Renewal(profile, how, registration, environment, place, person).run(claims)


class _Renewal:
    """One renewal."""

    def __init__(
        self,
        profile: Profile,
        how: SignIn,
        registration: Registration,
        environment: Mapping[str, str],
        place: token_storage.Place | None,
        person: Person,
    ) -> None:
        self._profile = profile
        self._how = how
        self._registration = registration
        self._environment = environment
        self._person = person
        self._kept = TokenCache(place, person.warn) if place is not None else None
        self._origin = place.description if place is not None else IN_MEMORY

    def run(self, claims: str | None) -> Token:
        with self._kept.locked() if self._kept else nullcontext():
            text = self._kept.read() if self._kept else ""
            # Another process may have renewed it while this one waited.
            if claims is None and (lying := self._lying(text)) is not None:
                return lying
            cache = memory(text)
            result = self._silently(cache, claims)
            self._keep(cache)
        if result is not None and "access_token" in result:
            return self._token(result)
        if claims is not None and self._how.method.is_a_persons and self._person.can_answer:
            return self._by_person(claims)
        raise self._refused(result, claims)

    def _lying(self, text: str) -> Token | None:
        account = self._account_id()
        lying = held(text, self._registration, account, time.time()) if text else None
        return token_of(lying, self._origin, self._profile) if lying else None

    def _silently(self, cache: Any, claims: str | None) -> Result | None:
        if not self._how.method.is_a_persons:
            return sign_in(self._request(cache, claims))
        account = self._account(cache)
        if account is None:
            return None
        result: Result | None = self._client(cache).acquire_token_silent_with_error(
            list(self._registration.scopes), account, claims_challenge=claims
        )
        return result

    def _client(self, cache: Any) -> Any:
        """Return the application in which the person signed in."""
        if self._how.method is not Method.BROKER:
            return msal_clients.public(self._registration, cache)
        from supportaccess.signin.methods import broker

        return broker.client(self._registration, cache)

    def _request(self, cache: Any, claims: str | None, *, account: str | None = None) -> Request:
        return Request(
            how=self._how,
            registration=self._registration,
            cache=cache,
            environment=self._environment,
            say=self._person.say,
            claims=claims,
            account=account,
        )

    def _by_person(self, claims: str) -> Token:
        self._person.say(f"{self._profile.store} asks for a stronger sign-in to {self._profile.name} for this.")
        cache = memory("")
        name = self._profile.account.name if self._profile.account else None
        result = sign_in(self._request(cache, claims, account=name))
        if "access_token" not in result:
            raise self._refused(result, claims)
        if account_id_of(cache) != self._account_id():
            raise NotSignedIn(
                f"that was another account than {name}, who is signed in to {self._profile.name}",
                hint=f"Decide as one of them: {login_line(self._profile)}",
            )
        if self._kept:
            with self._kept.locked():
                self._kept.write(cache.serialize())
        return self._token(result)

    def _account(self, cache: Any) -> Mapping[str, Any] | None:
        from msal import TokenCache as Names

        wanted = self._account_id()
        accounts = cache.search(Names.CredentialType.ACCOUNT, query={"home_account_id": wanted})
        return next(iter(list(accounts)), None) if wanted else None

    def _account_id(self) -> str | None:
        account = self._profile.account
        return account.id if account is not None and self._how.method.is_a_persons else None

    def _keep(self, cache: Any) -> None:
        if self._kept and cache.has_state_changed:
            self._kept.write(cache.serialize())

    def _token(self, result: Result) -> Token:
        ends = datetime.fromtimestamp(time.time() + int(result.get("expires_in", 0)), UTC)
        return Token(str(result["access_token"]), self._origin, ends, self._how.method)

    def _refused(self, result: Result | None, claims: str | None) -> NotSignedIn:
        name, login = self._profile.name, login_line(self._profile)
        if result is None:
            return NotSignedIn(f"there is no sign-in to {name}", hint=login)
        error = refusal(result, tenant=name, login=login)
        if claims is not None:
            error.message = f"the server asks for a stronger sign-in, and that needs a person: {error.message}"
            if not self._person.is_there:  # a login alone would not do: only the server says what it takes
                error.hint = "Run it on a terminal: it then asks you to sign in for this."
        return error


def memory(text: str) -> Any:
    """Return MSAL's cache with these contents."""
    msal_clients.library()
    from msal import SerializableTokenCache

    cache = SerializableTokenCache()
    cache.deserialize(text or None)
    return cache


def account_id_of(cache: Any) -> str | None:
    """Return the authority's ID of the account in a cache that has one."""
    from msal import TokenCache as Names

    return next((str(each["home_account_id"]) for each in cache.search(Names.CredentialType.ACCOUNT)), None)
