"""What everything that is kept and sent is made of: structs and names, which later versions may add to."""

from enum import StrEnum
from typing import Self

import msgspec

LONGEST_OPEN_NAME = 128


class OpenName(StrEnum):
    """Base of names of which later versions may have more.

    A name that this version does not know is read, kept and sent as it is. What a person types and what a client asks
    for is looked up among the members, never made: `Status("foo")` is no error.
    """

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str) or not 0 < len(value) <= LONGEST_OPEN_NAME:
            return None
        name = str.__new__(cls, value)
        name._name_ = name._value_ = value
        return name

    @property
    def is_known(self) -> bool:
        """Whether this version knows the name. Two unknown ones that are equal need not be the same object."""
        return self._value_ in type(self)._value2member_map_


def described(**schema: object) -> msgspec.Meta:
    """Return what the description of the API says of a value. The rules hold it to that, here nothing does."""
    return msgspec.Meta(extra_json_schema=dict(schema))


class Struct(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Base of what goes over the wire: immutable, camelCase, absent where not set."""
