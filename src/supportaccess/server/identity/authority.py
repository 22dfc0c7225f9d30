"""What an authority publishes of a tenant: its issuer and its signing keys (OpenID Connect Discovery 1.0)."""

from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from supportaccess.domain.strict_json import BadJson, decode
from supportaccess.errors import InvalidInput
from supportaccess.http.deadlines import seconds_left, within
from supportaccess.http.failures import Failure, Reason
from supportaccess.http.session import Session
from supportaccess.http.trust import tls_context
from supportaccess.server.identity.claims import for_tenant

FETCH_SECONDS = 10.0
"""How long both documents together may take."""
LARGEST_DOCUMENT = 256 * 1024

_SILENCE_SECONDS = 3.0
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
        try:
            self._tls = tls_context(ca_file)
        except (OSError, ValueError) as error:
            raise InvalidInput(f"identity.ca_file: {ca_file} cannot be used: {error}") from None

    def published(self, tenant: str, version: str) -> Published:
        """Fetch the tenant's discovery document of a token version, and the keys that it names. Raises Unpublished."""
        with within(FETCH_SECONDS), self._session() as session:
            url = f"{self.base}/{tenant}{_PATHS[version]}/.well-known/openid-configuration"
            document = _fetched(session, url)
            issuer, keys_url = document.get("issuer"), document.get("jwks_uri")
            if not isinstance(issuer, str) or not _is_of(for_tenant(issuer, tenant), tenant, version):
                raise Unpublished(f"{url} names an issuer that is not tenant {tenant}'s")
            if not isinstance(keys_url, str) or _place(keys_url) != self._place:
                raise Unpublished(f"{url} names a key set (jwks_uri) that is not on the authority's own host")
            entries = _fetched(session, keys_url).get("keys")
        if not isinstance(entries, list):
            raise Unpublished(f"{keys_url} is not a key set")
        return Published(issuer=for_tenant(issuer, tenant), entries=tuple(entries))

    def _session(self) -> Session:
        return Session(
            connect_seconds=_SILENCE_SECONDS,
            silence_seconds=_SILENCE_SECONDS,
            largest=LARGEST_DOCUMENT,
            tls=self._tls,
        )


def _fetched(session: Session, url: str) -> dict[str, object]:
    try:
        answer = session.get(url, headers={"Accept": "application/json"})
    except Failure as failure:
        raise Unpublished(f"{url} {_why(failure)}") from None
    except InvalidInput as error:
        raise Unpublished(f"{url} cannot be read: {error.message}") from None
    if answer.status_code != 200:
        raise Unpublished(f"{url} answered {answer.status_code}")
    try:
        document = decode(answer.content.decode("utf-8"))
    except (UnicodeDecodeError, BadJson):
        raise Unpublished(f"{url} is not JSON") from None
    if not isinstance(document, dict):
        raise Unpublished(f"{url} is not a JSON object")
    return document


def _why(failure: Failure) -> str:
    """Return what was wrong in the system's own words, which are at the bottom of the failure."""
    if failure.reason is Reason.TOO_LARGE:
        return f"is longer than {LARGEST_DOCUMENT:,} bytes"
    if seconds_left() == 0:
        return f"took longer than {FETCH_SECONDS:.0f} seconds"
    bottom: BaseException = failure
    while below := bottom.__cause__ or bottom.__context__:
        bottom = below
    return f"cannot be read: {bottom}"


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
