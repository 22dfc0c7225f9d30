"""Reads request headers that mean something here. All others are ignored, as HTTP has it."""

import re
from collections.abc import Collection

from litestar.types import HTTPScope

from supportaccess.server.web.errors import BadInput, PreconditionRequired

IF_MATCH = "If-Match"
IDEMPOTENCY_KEY = "Idempotency-Key"

# RFC 9110, section 8.8.3, without obs-text.
_STRONG_TAG = re.compile(r'"[\x21\x23-\x7e]*"')
_TAGS = re.compile(r'(?:W/)?("[\x21\x23-\x7e]*")')


def all_of(scope: HTTPScope, name: bytes) -> list[str]:
    """Return every value of a header; the name in lower case."""
    return [value.decode("latin-1") for known, value in scope["headers"] if known == name]


def one_of(scope: HTTPScope, name: str) -> str | None:
    """Return a header's only value, or None without one. Raises BadInput when it is repeated."""
    found = all_of(scope, name.lower().encode())
    if len(found) > 1:
        raise BadInput(f"there is more than one {name} header", target=name)
    return found[0] if found else None


def expected_tag(scope: HTTPScope) -> str:
    """Return the entity tag of the record that was shown to whoever decides.

    Raises PreconditionRequired without one, and BadInput for anything but one strong tag: `*` would decide unseen.
    """
    value = one_of(scope, IF_MATCH)
    if value is None:
        raise PreconditionRequired(
            "a decision needs the If-Match header, with the etag of the record as it was shown",
            hint="Get the record first; its ETag header and its etag member are what to send.",
        )
    if not _STRONG_TAG.fullmatch(value):
        raise BadInput('If-Match takes one entity tag, such as "abc": not *, no weak tag and no list', target=IF_MATCH)
    return value


def is_known(scope: HTTPScope, etag: str) -> bool:
    """Tell whether If-None-Match says that the client has this version already (RFC 9110, section 13.1.2)."""
    values = all_of(scope, b"if-none-match")
    return any(value.strip() == "*" or etag in _TAGS.findall(value) for value in values)


def is_other(scope: HTTPScope, etag: str) -> bool:
    """Tell whether If-Match says that the client wants another version than this (RFC 9110, section 13.1.1)."""
    values = [part.strip() for value in all_of(scope, b"if-match") for part in value.split(",")]
    return bool(values) and not {"*", etag} & set(values)


def idempotency_key(scope: HTTPScope) -> str:
    """Return the key under which the act is done once. Raises BadInput without one; the store checks its form."""
    value = one_of(scope, IDEMPOTENCY_KEY)
    if value is None:
        raise BadInput(
            "this needs the Idempotency-Key header: a new random text for each act, the same one to repeat it",
            target=IDEMPOTENCY_KEY,
        )
    return value


def media_type(scope: HTTPScope) -> str:
    """Return the media type of the body in lower case, without its parameters; empty when there is none."""
    return (one_of(scope, "Content-Type") or "").partition(";")[0].strip().lower()


def encodings(scope: HTTPScope) -> Collection[str]:
    """Return how the body is packed, other than not at all."""
    return {value.strip().lower() for value in all_of(scope, b"content-encoding")} - {"", "identity"}
