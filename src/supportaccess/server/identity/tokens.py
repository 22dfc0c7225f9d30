"""Tokens as text: read strictly before anything in them is believed; and their signature (RFC 7515, RFC 8725)."""

import base64
import re
from collections.abc import Mapping

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.api_jws import PyJWS

from supportaccess.domain.strict_json import BadJson, decode
from supportaccess.server.identity.refusals import Reason, TokenRefused

LONGEST_TOKEN = 16 * 1024
"""Characters. Entra puts up to 200 groups into a token, which makes it some 12,000 characters long."""
ALGORITHM = "RS256"
"""The one algorithm that Entra signs access tokens with. It is never the token's choice."""

_LONGEST_KEY_ID = 256
_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_SIGNATURES = PyJWS(algorithms=[ALGORITHM])


class Unverified(msgspec.Struct, frozen=True):
    """What a token claims. Nothing of it is proven; it only chooses among the configured tenants' keys."""

    text: str
    key_id: str
    claims: Mapping[str, object]


def read(token: str) -> Unverified:
    """Return what the token claims. Raises TokenRefused for what is not a token that Entra could have made.

    `jku`, `jwk`, `x5u` and `x5c` are not looked at: keys come from the tenant's own key set alone.
    """
    if len(token) > LONGEST_TOKEN:
        raise TokenRefused(Reason.TOO_LONG, f"it is longer than {LONGEST_TOKEN:,} characters")
    parts = token.split(".", 3)
    if len(parts) != 3:
        raise _malformed("it has not exactly three parts")
    header, claims = _object("header", parts[0]), _object("payload", parts[1])
    _bytes("signature", parts[2])
    return Unverified(text=token, key_id=_key_id(header), claims=claims)


def check_signature(token: Unverified, key: RSAPublicKey) -> None:
    """Raise TokenRefused unless the key signed the token."""
    try:
        _SIGNATURES.decode(token.text, key=key, algorithms=[ALGORITHM])
    except jwt.PyJWTError:
        raise TokenRefused(Reason.SIGNATURE, "its signature is wrong") from None


def _key_id(header: Mapping[str, object]) -> str:
    if header.get("alg") != ALGORITHM:
        raise TokenRefused(Reason.ALGORITHM, f"it is not signed with {ALGORITHM}")
    kind = header.get("typ")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise _malformed("its header has no typ of an access token")
    if "crit" in header or "b64" in header:
        raise _malformed("its header asks for extensions (crit, b64)")
    key_id = header.get("kid")
    if not isinstance(key_id, str) or not 0 < len(key_id) <= _LONGEST_KEY_ID:
        raise _malformed("its header names no key (kid)")
    return key_id


def _object(name: str, part: str) -> Mapping[str, object]:
    try:
        value = decode(_bytes(name, part).decode("utf-8"))
    except (UnicodeDecodeError, BadJson):
        raise _malformed(f"its {name} is not JSON") from None
    if not isinstance(value, dict):
        raise _malformed(f"its {name} is not an object")
    return value


def _bytes(name: str, part: str) -> bytes:
    """Decode base64url as RFC 7515 has it: no padding, no other characters, no spare bits set."""
    if not _BASE64URL.fullmatch(part) or len(part) % 4 == 1:
        raise _malformed(f"its {name} is not base64url")
    decoded = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    if base64.urlsafe_b64encode(decoded).rstrip(b"=") != part.encode():
        raise _malformed(f"its {name} is not base64url")
    return decoded


def _malformed(message: str) -> TokenRefused:
    return TokenRefused(Reason.MALFORMED, message)
