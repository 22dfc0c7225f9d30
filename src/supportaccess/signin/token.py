"""An access token as commands get it, and the person who may be asked for one."""

from datetime import datetime
from typing import Protocol

import msgspec

from supportaccess.settings.profiles import Profile
from supportaccess.settings.sign_in import Method
from supportaccess.signin.cache_reader import Held


class Person(Protocol):
    """Whoever sits in front of it."""

    @property
    def is_there(self) -> bool:
        """Whether somebody is there at all."""

    @property
    def can_answer(self) -> bool:
        """Whether somebody is there who could sign in now, and may be asked to."""

    def say(self, text: str) -> object:
        """Tell what to do, or what happens."""

    def warn(self, text: str) -> object:
        """Tell what must not be missed."""


class Token(msgspec.Struct, frozen=True):
    """An access token, where it is from, and when it ends, if that is known."""

    text: str
    origin: str
    ends: datetime | None = None
    method: Method | None = None


def token_of(lying: Held, origin: str, profile: Profile) -> Token:
    """Return what lay in a cache as what it is to others."""
    return Token(lying.token, origin, lying.ends, profile.sign_in.method if profile.sign_in else None)
