"""What a profile says about signing in: how, as whom, and what the endpoint told about it. Never a secret."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec

from supportaccess.domain.tenants import is_guid
from supportaccess.errors import InvalidInput
from supportaccess.settings.authorities import check_authority, check_scope


class Method(StrEnum):
    """A way to sign in."""

    BROWSER = "browser"
    DEVICE_CODE = "device-code"
    BROKER = "broker"
    CLIENT_SECRET = "client-secret"  # noqa: S105 - the name of a method
    CERTIFICATE = "certificate"
    MANAGED_IDENTITY = "managed-identity"
    GITHUB = "github"
    AZURE_PIPELINES = "azure-pipelines"
    TOKEN_FILE = "token-file"  # noqa: S105 - the name of a method

    @property
    def is_a_persons(self) -> bool:
        """Whether it takes a person; by the others an application signs in."""
        return self in {Method.BROWSER, Method.DEVICE_CODE, Method.BROKER}


class SignIn(msgspec.Struct, frozen=True, kw_only=True):
    """How to sign in, and where to find what that takes: names of variables and paths of files.

    `managed_identity` is `client_id=`, `object_id=` or `resource_id=` and the ID; without it the system's own is meant.
    `send_chain` sends the certificate along, for an authority that goes by subject name and issuer.
    """

    method: Method
    secret_variable: str | None = None
    secret_file: str | None = None
    certificate: str | None = None
    passphrase_variable: str | None = None
    passphrase_file: str | None = None
    send_chain: bool = False
    managed_identity: str | None = None
    service_connection: str | None = None
    token_file: str | None = None


TAKES: Mapping[Method, tuple[str, ...]] = {
    Method.CLIENT_SECRET: ("secret_variable", "secret_file"),
    Method.CERTIFICATE: ("certificate", "passphrase_variable", "passphrase_file", "send_chain"),
    Method.MANAGED_IDENTITY: ("managed_identity",),
    Method.AZURE_PIPELINES: ("service_connection",),
    Method.TOKEN_FILE: ("token_file",),
}
"""What of a SignIn goes with which way. Of a variable and a file for the same, the variable counts."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Whose sign-in it is: the name to show, and the authority's own ID of a person's account."""

    name: str
    id: str | None = None


Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class Discovered(msgspec.Struct, frozen=True, kw_only=True):
    """What an endpoint said that it takes to sign in there; to be asked again from `stale_at` on."""

    fetched_at: Moment
    stale_at: Moment
    api_version: str
    authority: str
    client_id: str
    scopes: tuple[str, ...]

    def differs(self, other: "Discovered") -> bool:
        """Tell whether the other one leads somewhere else."""
        mine, others = ((each.authority, each.client_id, each.scopes) for each in (self, other))
        return mine != others


def check_client_id(text: str) -> str:
    """Return the ID of an application in lower case. Raises InvalidInput for what is not a GUID."""
    if not is_guid(text):
        raise InvalidInput(f"{text!r} is not a client ID", hint="A client ID is a GUID; Entra calls it appId.")
    return text.lower()


def check_sign_in(client_id: str | None, authority: str | None, scopes: tuple[str, ...]) -> None:
    """Raise InvalidInput for values that a profile cannot have."""
    if client_id is not None:
        check_client_id(client_id)
    if authority is not None:
        check_authority(authority)
    for scope in scopes:
        check_scope(scope)
