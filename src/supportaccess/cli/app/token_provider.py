"""What ties sign-in to the rest: whom to ask how, what to tell the person, and what the profile keeps of it."""

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from threading import current_thread, main_thread
from typing import TYPE_CHECKING

import msgspec

from supportaccess.cli.output.streams import Streams
from supportaccess.errors import NotSignedIn, SupportAccessError
from supportaccess.signin.tokens import Tokens

if TYPE_CHECKING:
    from supportaccess.domain.times import Clock
    from supportaccess.settings.profiles import Profile, Settings
    from supportaccess.settings.sign_in import Discovered, SignIn
    from supportaccess.store.wire import Discovery


class AtTerminal:
    """The person at the terminal, if there is one."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    @property
    def is_there(self) -> bool:
        """Whether somebody is there at all."""
        return self._streams.can_ask

    @property
    def can_answer(self) -> bool:
        """Whether somebody is there who could sign in now.

        That is asked in the command's own thread alone: what others do meanwhile, such as asking several tenants side
        by side, must not open a browser for each, nor ask while something else is said.
        """
        return self.is_there and current_thread() is main_thread()

    def say(self, text: str) -> None:
        """Tell what to do. Also when told to be quiet: without it nobody could sign in."""
        self._streams.warn(text, colour=None)

    def warn(self, text: str) -> None:
        """Tell what must not be missed."""
        self._streams.warn(text)


class TokenProvider(msgspec.Struct, frozen=True, kw_only=True):
    """Makes each tenant's access tokens. `cache` is the folder of the token caches; `discover` asks an endpoint."""

    environment: Mapping[str, str]
    cache: Path
    settings: "Settings"
    streams: Streams
    clock: "Clock"
    discover: "Callable[[str], Discovery]"

    def tokens(self, profile: "Profile") -> Tokens:
        """Return the access tokens of a tenant. That there is no sign-in shows when one is first asked for."""
        return Tokens(profile, self.environment, self.cache, person=AtTerminal(self.streams), prepare=self._prepared)

    def _prepared(self, profile: "Profile") -> "Profile":
        """Return a profile as it is to be signed in by now: by the environment, or by its own word, not too old.

        Raises NotSignedIn when the endpoint now leads elsewhere.
        """
        from supportaccess.signin.discovered import is_stale, refuse_changed
        from supportaccess.signin.environment import sign_in_of

        if (how := sign_in_of(self.environment)) is not None:
            return self._by_environment(profile, how)
        if profile.sign_in is None or not is_stale(profile, self.clock()):
            return profile
        try:
            told = self._asked(profile.store)
        except SupportAccessError as error:
            since = profile.discovery and f"{profile.discovery.fetched_at:%Y-%m-%d}"
            self.streams.warn(f"Going by what {profile.store} said of signing in on {since}: {error.message}")
            return profile
        refuse_changed(profile, told)
        try:
            self.settings.remember(profile, told)
        except SupportAccessError as error:
            self.streams.warn(f"What {profile.store} says of signing in is not kept: {error.message}")
        return profile

    def _by_environment(self, profile: "Profile", how: "SignIn") -> "Profile":
        from msgspec.structs import replace

        from supportaccess.signin.discovered import is_stale, settled
        from supportaccess.signin.environment import AUTHORITY

        kept = profile.discovery
        told = self._asked(profile.store) if kept is None or is_stale(profile, self.clock()) else kept
        authority = self.environment.get(AUTHORITY) or None
        chosen = settled(profile, told, client_id=self._client_id(how), authority=authority)
        return replace(chosen, sign_in=None, account=None)

    def _client_id(self, how: "SignIn") -> str | None:
        """Return as which application the environment says to sign in. Raises NotSignedIn without one that it takes."""
        from supportaccess.signin.environment import CLIENT_ID, client_id_variable

        named = client_id_variable(how, self.environment)
        if named is None and how.method.takes_client_id:
            raise NotSignedIn(f"it is not said which application signs in by {how.method}", hint=f"Set {CLIENT_ID}.")
        return self.environment[named] if named else None

    def _asked(self, endpoint: str) -> "Discovered":
        return understood(self.discover(endpoint), self.clock())


def understood(told: "Discovery", now: datetime) -> "Discovered":
    """Return an endpoint's word as a profile keeps it. Raises InvalidInput for what is not to be used."""
    from supportaccess.signin.discovered import discovered

    return discovered(
        now,
        api_version=told.api_version,
        authority=told.authority,
        client_id=told.client_id,
        scopes=told.scopes,
        seconds=told.refresh_seconds,
    )
