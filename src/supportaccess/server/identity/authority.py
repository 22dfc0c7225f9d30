"""What an authority publishes of a tenant: its issuer and its signing keys (OpenID Connect Discovery 1.0)."""

import ssl
import time
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import cast
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import HTTPSHandler, OpenerDirector, ProxyHandler, Request

import msgspec
import truststore

from supportaccess.domain.strict_json import BadJson, decode
from supportaccess.errors import InvalidInput
from supportaccess.server.identity.claims import for_tenant

FETCH_SECONDS = 10.0
"""How long both documents together may take."""
LARGEST_DOCUMENT = 256 * 1024

_SILENCE_SECONDS = 3.0
_CHUNK = 16 * 1024
_PATHS = {"1.0": "", "2.0": "/v2.0"}
_ISSUER_ENDS = {"1.0": "/", "2.0": "/v2.0"}


class Unpublished(Exception):
    """What was wrong with an authority's answer, for the operator to read."""


class Published(msgspec.Struct, frozen=True):
    """A tenant's issuer for one version of tokens, and the entries of its key set as they were given."""

    issuer: str
    entries: tuple[object, ...]


class Authority:
    """The authority at a base URL. Addresses come from the settings and its own documents, never from a token."""

    def __init__(self, base: str, ca_file: Path | None) -> None:
        """Raise InvalidInput when the URL or the certificate file cannot be used."""
        self.base = base.rstrip("/")
        self._place = _place(self.base)
        if self._place is None or "?" in base or "#" in base:
            raise InvalidInput(
                f"identity.authority is {base!r}, which is not the https URL of an authority",
                hint="Set it to the base URL without a tenant, such as https://login.microsoftonline.com",
            )
        # No handler for redirects, files or plain HTTP: those are answers like any other, and wrong ones.
        self._opener = OpenerDirector()
        self._opener.add_handler(ProxyHandler())
        self._opener.add_handler(HTTPSHandler(context=_tls(ca_file)))

    def published(self, tenant: str, version: str) -> Published:
        """Fetch the tenant's discovery document of a token version, and the keys that it names. Raises Unpublished."""
        deadline = time.monotonic() + FETCH_SECONDS
        url = f"{self.base}/{tenant}{_PATHS[version]}/.well-known/openid-configuration"
        document = self._get(url, deadline)
        issuer, keys_url = document.get("issuer"), document.get("jwks_uri")
        if not isinstance(issuer, str) or not _is_of(for_tenant(issuer, tenant), tenant, version):
            raise Unpublished(f"{url} names an issuer that is not tenant {tenant}'s")
        if not isinstance(keys_url, str) or _place(keys_url) != self._place:
            raise Unpublished(f"{url} names a key set (jwks_uri) that is not on the authority's own host")
        entries = self._get(keys_url, deadline).get("keys")
        if not isinstance(entries, list):
            raise Unpublished(f"{keys_url} is not a key set")
        return Published(issuer=for_tenant(issuer, tenant), entries=tuple(entries))

    def _get(self, url: str, deadline: float) -> dict[str, object]:
        headers = {"Accept": "application/json", "User-Agent": "supportaccess"}
        request = Request(url, headers=headers)  # noqa: S310 - _place lets only https pass
        try:
            # None, which its type allows, is for schemes without a handler.
            with cast("HTTPResponse", self._opener.open(request, timeout=_SILENCE_SECONDS)) as response:
                if response.status != 200:
                    raise Unpublished(f"{url} answered {response.status}")
                text = _read(response, url, deadline)
            document = decode(text.decode("utf-8"))
        except (OSError, HTTPException) as error:
            reason = error.reason if isinstance(error, URLError) else error
            raise Unpublished(f"{url} cannot be read: {reason}") from None
        except (UnicodeDecodeError, BadJson):
            raise Unpublished(f"{url} is not JSON") from None
        if not isinstance(document, dict):
            raise Unpublished(f"{url} is not a JSON object")
        return document


def _read(response: HTTPResponse, url: str, deadline: float) -> bytes:
    parts, size = [], 0
    while part := response.read1(_CHUNK):
        parts.append(part)
        size += len(part)
        if size > LARGEST_DOCUMENT:
            raise Unpublished(f"{url} is longer than {LARGEST_DOCUMENT:,} bytes")
        if time.monotonic() > deadline:
            raise Unpublished(f"{url} took longer than {FETCH_SECONDS:.0f} seconds")
    return b"".join(parts)


def _place(url: str) -> tuple[str, int] | None:
    """Return the host and port of a plain https URL, and None for anything else."""
    if not url.startswith("https://") or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return None
    with suppress(ValueError):
        parts = urlsplit(url)
        if parts.hostname and "@" not in parts.netloc:
            return parts.hostname, parts.port or 443
    return None


def _is_of(issuer: str, tenant: str, version: str) -> bool:
    # Not held to the authority's host: the issuer of version 1.0 is sts.windows.net.
    return _place(issuer) is not None and issuer.endswith(f"/{tenant}{_ISSUER_ENDS[version]}")


def _tls(ca_file: Path | None) -> ssl.SSLContext:
    """Trust the operator's own authority alone, or what the operating system trusts."""
    if ca_file is None:
        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except (OSError, ValueError) as error:
        raise InvalidInput(f"identity.ca_file: {ca_file} cannot be used: {error}") from None
