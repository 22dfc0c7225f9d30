"""What a profile says about signing in: how, as whom, and what the endpoint told about it. Never a secret.

`Method` and `SignIn` are the one table of the methods and of what each takes: the options of `login`, the variables of
pipelines, the keys of a profile and what `tenant show` prints follow from it.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from inspect import get_annotations
from typing import Annotated, NamedTuple

import msgspec

from supportaccess.domain.tenants import is_guid
from supportaccess.errors import InvalidInput

AZURE_CLIENT_ID = "AZURE_CLIENT_ID"
AZURE_TOKEN_FILE = "AZURE_FEDERATED_TOKEN_FILE"  # noqa: S105 - the name of a variable
"""What Kubernetes sets for a workload identity of Azure: its application's ID, and the file with its assertion."""


class Method(StrEnum):
    """A way to sign in. Its module is the one of its name in `signin/methods`."""

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

    @property
    def takes_client_id(self) -> bool:
        """Whether it has to be said which application signs in: a person's is the endpoint's, an identity its own."""
        return not self.is_a_persons and self is not Method.MANAGED_IDENTITY


class SignInOption(NamedTuple):
    """A part of a SignIn, under each of its names.

    `flag`, `metavar` and `help` are those of `login`; without a metavar it is a switch. `variable` is where a pipeline
    sets it, or its secret itself (`is_secret`); `fallback` is looked at without it. `shown` names it in `tenant show`.
    Of the variables that a pipeline sets, one of an option that `implies` its method is enough to choose that.

    A login that is given it forgets what it `replaces`; it does not count where `unless` is set too.
    """

    methods: tuple[Method, ...]
    flag: str
    help: str
    variable: str
    shown: str
    metavar: str | None = None
    fallback: str | None = None
    is_path: bool = False
    is_secret: bool = False
    implies: bool = False
    replaces: tuple[str, ...] = ()
    unless: str | None = None


class SignIn(msgspec.Struct, frozen=True, kw_only=True):
    """How to sign in, and where to find what that takes: names of variables and paths of files."""

    method: Method
    secret_variable: Annotated[
        str | None,
        SignInOption(
            methods=(Method.CLIENT_SECRET,),
            flag="--secret-env",
            metavar="NAME",
            help="Variable that has the client secret.",
            variable="SUPPORTACCESS_CLIENT_SECRET",
            shown="clientSecret",
            is_secret=True,
            implies=True,
            replaces=("secret_file",),
        ),
    ] = None
    secret_file: Annotated[
        str | None,
        SignInOption(
            methods=(Method.CLIENT_SECRET,),
            flag="--secret-file",
            metavar="FILE",
            help="File that has the client secret; - reads stdin.",
            variable="SUPPORTACCESS_CLIENT_SECRET_FILE",
            shown="clientSecretFile",
            implies=True,
            replaces=("secret_variable",),
            unless="secret_variable",
        ),
    ] = None
    certificate: Annotated[
        str | None,
        SignInOption(
            methods=(Method.CERTIFICATE,),
            flag="--certificate",
            metavar="FILE",
            help="PFX, or PEM with certificate and private key.",
            variable="SUPPORTACCESS_CLIENT_CERTIFICATE",
            shown="certificate",
            is_path=True,
            implies=True,
            replaces=("passphrase_variable", "passphrase_file"),
        ),
    ] = None
    passphrase_variable: Annotated[
        str | None,
        SignInOption(
            methods=(Method.CERTIFICATE,),
            flag="--passphrase-env",
            metavar="NAME",
            help="Variable that has the certificate's passphrase.",
            variable="SUPPORTACCESS_CLIENT_CERTIFICATE_PASSPHRASE",
            shown="passphrase",
            is_secret=True,
            replaces=("passphrase_file",),
        ),
    ] = None
    passphrase_file: Annotated[
        str | None,
        SignInOption(
            methods=(Method.CERTIFICATE,),
            flag="--passphrase-file",
            metavar="FILE",
            help="File that has it.",
            variable="SUPPORTACCESS_CLIENT_CERTIFICATE_PASSPHRASE_FILE",
            shown="passphraseFile",
            is_path=True,
            replaces=("passphrase_variable",),
            unless="passphrase_variable",
        ),
    ] = None
    send_chain: Annotated[
        bool,
        SignInOption(
            methods=(Method.CERTIFICATE,),
            flag="--send-chain",
            help="Send the certificate's chain: for subject name and issuer trust.",
            variable="SUPPORTACCESS_CLIENT_CERTIFICATE_SEND_CHAIN",
            shown="sendChain",
        ),
    ] = False
    managed_identity: Annotated[
        str | None,
        SignInOption(
            methods=(Method.MANAGED_IDENTITY,),
            flag="--identity",
            metavar="KIND=ID",
            help="Managed identity: client_id=, object_id= or resource_id=.",
            variable="SUPPORTACCESS_MANAGED_IDENTITY",
            shown="managedIdentity",
        ),
    ] = None
    service_connection: Annotated[
        str | None,
        SignInOption(
            methods=(Method.AZURE_PIPELINES,),
            flag="--service-connection",
            metavar="ID",
            help="Of Azure Pipelines.",
            variable="SUPPORTACCESS_SERVICE_CONNECTION",
            shown="serviceConnection",
        ),
    ] = None
    token_file: Annotated[
        str | None,
        SignInOption(
            methods=(Method.TOKEN_FILE,),
            flag="--token-file",
            metavar="FILE",
            help="File that has a federated assertion.",
            variable="SUPPORTACCESS_FEDERATED_TOKEN_FILE",
            shown="tokenFile",
            fallback=AZURE_TOKEN_FILE,
            is_path=True,
        ),
    ] = None


OPTIONS: Mapping[str, SignInOption] = {
    name: hint.__metadata__[0] for name, hint in get_annotations(SignIn).items() if hasattr(hint, "__metadata__")
}
"""The parts of a SignIn but the method, by their names."""


def taken_by(method: Method) -> Mapping[str, SignInOption]:
    """Return what goes with a method."""
    return {name: option for name, option in OPTIONS.items() if method in option.methods}


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
