"""Access tokens that somebody else got: from a variable, or from a file that is renewed meanwhile."""

import os
import stat
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from supportaccess.errors import NotSignedIn

VARIABLE = "SUPPORTACCESS_ACCESS_TOKEN"
FILE_VARIABLE = "SUPPORTACCESS_ACCESS_TOKEN_FILE"
_LARGEST_FILE = 256 * 1024


class _Claims(msgspec.Struct, frozen=True):
    """What is read of a token here, without verifying anything: that is for the server to do."""

    tid: str = ""
    exp: float | None = None


class AccessTokens:
    """One or more access tokens, separated by white space. The one of a tenant is found by its `tid` claim."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def of(self, tenant_id: str) -> str:
        """Return the token of a tenant. The file is read each time, for who renews it. Raises NotSignedIn."""
        token = self.find(tenant_id)
        if token is None:
            raise self.missing(tenant_id)
        return token

    def find(self, tenant_id: str) -> str | None:
        """Return the token of a tenant, or None. Raises NotSignedIn for a file that cannot be used."""
        found, _ = self._found()
        return next((token for token in found.split() if _tenant_of(token) == tenant_id), None)

    @property
    def is_given(self) -> bool:
        """Whether somebody gave any."""
        return bool(self.origin)

    @property
    def origin(self) -> str:
        """The variable or the file that they are from; nothing without any."""
        if self._environment.get(VARIABLE, "").strip():
            return VARIABLE
        return self._environment.get(FILE_VARIABLE) or ""

    def missing(self, tenant_id: str) -> NotSignedIn:
        """Return the error for a tenant of which there is none."""
        found, where = self._found()
        if not found:
            return NotSignedIn(
                f"there is no sign-in to tenant {tenant_id}",
                hint=f"Put an access token into {VARIABLE}, or into a file that {FILE_VARIABLE} names.",
            )
        return NotSignedIn(
            f"{where} has no access token of tenant {tenant_id}",
            hint="Add one, after a blank; its tid claim must be the tenant's ID.",
        )

    def _found(self) -> tuple[str, str]:
        """Return the tokens and where they are from."""
        if tokens := self._environment.get(VARIABLE, "").strip():
            return tokens, VARIABLE
        if path := self._environment.get(FILE_VARIABLE):
            return _read(Path(path)), path
        return "", ""


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            _check_rights(path, os.fstat(file.fileno()))
            return file.read(_LARGEST_FILE).decode("ascii")
    except OSError as error:
        raise NotSignedIn(f"{path}, named by {FILE_VARIABLE}, cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError:
        raise NotSignedIn(f"{path}, named by {FILE_VARIABLE}, holds no access tokens") from None


def _check_rights(path: Path, status: os.stat_result) -> None:
    """Raise NotSignedIn for a file that others can read. On Windows the folder's rights are inherited."""
    if os.name != "nt" and status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise NotSignedIn(
            f"{path} can be read by others, so the access tokens in it are not used",
            hint=f"chmod 600 {path}; and get new tokens: these may have been read.",
        )


def ends_of(token: str) -> datetime | None:
    """Return when a token says that it ends, unverified: to be shown to its owner."""
    claims = _claims_of(token)
    try:
        return None if claims is None or claims.exp is None else datetime.fromtimestamp(claims.exp, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _tenant_of(token: str) -> str | None:
    """Return the `tid` claim of a JWT, unverified; None for what is none, and would not go into a header."""
    claims = _claims_of(token)
    return None if claims is None else claims.tid.lower()


def _claims_of(token: str) -> _Claims | None:
    parts = token.split(".")
    if len(parts) != 3 or not (token.isascii() and token.isprintable()):
        return None
    try:
        payload = urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        return msgspec.json.decode(payload, type=_Claims)
    except (ValueError, RecursionError):  # of base64 and of msgspec
        return None
