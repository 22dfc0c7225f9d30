"""Why a token is refused."""

from enum import StrEnum

from supportaccess.errors import NotSignedIn


class Reason(StrEnum):
    """The closed list of reasons, for metrics and logs."""

    TOO_LONG = "too_long"
    MALFORMED = "malformed"
    ALGORITHM = "algorithm"
    TENANT = "tenant"
    VERSION = "version"
    UNKNOWN_KEY = "unknown_key"
    SIGNATURE = "signature"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    LIFETIME = "lifetime"
    ISSUER = "issuer"
    KEY_ISSUER = "key_issuer"
    AUDIENCE = "audience"
    KIND = "kind"
    SUBJECT = "subject"
    AUTH_CONTEXT = "auth_context"
    """Of a good token, where a decision takes more: TokenRefused never has this one."""


class TokenRefused(NotSignedIn):
    """The bearer token proves nobody. The message holds nothing of the token."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(f"the token is refused: {message}", hint="Get a new access token for this server.")
        self.reason = reason
