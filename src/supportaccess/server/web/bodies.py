"""Reads bodies: not more than is allowed, not longer than is allowed, and nothing in them that is not known."""

import asyncio
import json
from collections.abc import AsyncIterator, Hashable
from functools import cache
from typing import Any, TypeVar

import msgspec
from litestar.types import HTTPScope, Receive

from supportaccess.errors import InvalidInput
from supportaccess.server.settings import LimitSettings
from supportaccess.server.web.errors import BadInput, PayloadTooLarge, RequestTimeout, UnsupportedMediaType
from supportaccess.server.web.headers import encodings, media_type, one_of
from supportaccess.server.web.replies import JSON
from supportaccess.store.wire import Body

_LONGEST_REASON = 200

B = TypeVar("B", bound=Body)
T = TypeVar("T")


async def read_body(kind: type[B], scope: HTTPScope, receive: Receive, limits: LimitSettings) -> B | None:
    """Return the body, or None for an empty one.

    Raises BadInput, UnsupportedMediaType, PayloadTooLarge, RequestTimeout.
    """
    data = bytearray()
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for chunk in chunks(scope, receive, limits.body_bytes):
                data += chunk
    except TimeoutError:
        raise late(limits) from None
    if not data:
        return None
    check_type(scope, JSON)
    return decode(bytes(data), kind)


async def chunks(scope: HTTPScope, receive: Receive, most: int) -> AsyncIterator[bytes]:
    """Yield a body as it comes in. Raises PayloadTooLarge as soon as it is clear, InvalidInput when it breaks off."""
    length = one_of(scope, "Content-Length")
    if length is not None and length.isdigit() and int(length) > most:
        raise _too_large(most)
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise InvalidInput("the body broke off")
        size += len(message["body"])
        if size > most:
            raise _too_large(most)
        yield message["body"]
        if not message["more_body"]:
            return


def check_type(scope: HTTPScope, wanted: str) -> None:
    """Raise UnsupportedMediaType unless the body is of the wanted type, and not packed."""
    if packed := encodings(scope):
        raise UnsupportedMediaType(f"a body is taken as it is, not packed with {', '.join(sorted(packed))[:80]}")
    if media_type(scope) != wanted:
        raise UnsupportedMediaType(f"the body's Content-Type must be {wanted}")


def late(limits: LimitSettings) -> RequestTimeout:
    """Return what is said when a body does not come in."""
    return RequestTimeout(f"the body did not come in within {limits.body_seconds:g} seconds")


def decode(data: bytes, kind: type[T], what: str = "the body") -> T:
    """Return what a JSON text says. Raises BadInput, naming `what` it is.

    Refused are members that are unknown or there twice, values of another type, NaN and Infinity, half surrogate pairs,
    and what is not UTF-8.
    """
    try:
        decoded: T = _decoder(kind).decode(data)  # type: ignore[arg-type]  # a type is hashable
        json.loads(data, object_pairs_hook=_no_name_twice)
    except UnicodeError:
        raise BadInput(f"{what} is not UTF-8", target=what) from None
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadInput(f"{what}: {str(error)[:_LONGEST_REASON]}", target=what) from None
    return decoded


@cache
def _decoder(kind: Hashable) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def _no_name_twice(pairs: list[tuple[str, object]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a member is there twice in one object")


def _too_large(most: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"the body is larger than {most:,} bytes, which is the most")
