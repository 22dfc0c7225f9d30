"""Reads what a server asks for in WWW-Authenticate (RFC 9110, section 11): above all a stronger sign-in."""

import json
import re
from base64 import b64decode

_LONGEST = 16 * 1024
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_VALUE = r'(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s,"]+))'
_PART = re.compile(
    rf"[\s,]*(?:(?P<name>{_WORD})\s*=\s*{_VALUE}|(?P<scheme>{_WORD})(?=\s|,|$))",
    re.ASCII | re.DOTALL,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def claims_wanted(header: str) -> str | None:
    """Return the claims, as JSON, that a server asks a new sign-in for; None when it does not.

    A header that is no list of challenges, or claims that are no JSON object, ask for nothing.
    """
    for scheme, parameters in _challenges(header[:_LONGEST]):
        if scheme == "bearer" and parameters.get("error") == "insufficient_claims":
            return _decoded(parameters.get("claims", ""))
    return None


def _challenges(header: str) -> list[tuple[str, dict[str, str]]]:
    found: list[tuple[str, dict[str, str]]] = []
    place = 0
    while (part := _PART.match(header, place)) is not None:
        place = part.end()
        if part["scheme"] is not None:
            found.append((part["scheme"].lower(), {}))
        elif found:
            value = part["plain"] if part["quoted"] is None else _ESCAPED.sub(r"\1", part["quoted"])
            found[-1][1].setdefault(part["name"].lower(), value)
    return found


def _decoded(text: str) -> str | None:
    """Return what is base64 in one of its two alphabets, padded or not: services differ."""
    plain = text.strip().replace("-", "+").replace("_", "/").rstrip("=")
    try:
        claims = b64decode(plain + "=" * (-len(plain) % 4), validate=True).decode()
        value = json.loads(claims)
    except (ValueError, RecursionError):
        return None
    return claims if isinstance(value, dict) else None
