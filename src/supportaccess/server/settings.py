"""What an operator sets: one TOML file, and environment variables before it. docs/operate/settings.md has every key."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec

from supportaccess.domain.events import What

Positive = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=3600)]


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of a table of the file: a key that it does not know is refused."""


class PermissionsFrom(StrEnum):
    """Where permissions come from: `wids` by the role table, or the server's own app roles."""

    DIRECTORY_ROLES = "directoryRoles"
    APP_ROLES = "appRoles"


class LogLevel(StrEnum):
    """From which severity on something is logged. Every request is `info`."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class IdentitySettings(Table, frozen=True, kw_only=True):
    """Whose tokens are taken, and what they allow.

    `client_id` is the server's own; `public_client_id` is that of the application in which people sign in to it, and
    `discovery_seconds` how long clients may keep what they are told of both. `default_tenant` is told to whoever
    signs in without naming a tenant. `authority` is the base URL, without a tenant. `audiences` are taken beside the
    client ID and `api://` with it. `allowed_clients` are the applications (azp, appid) that tokens may have been
    issued to; empty: any. `app_only_may_decide` are those that may decide without a person. `decision_auth_context`
    is the authentication context that a person's token must have to decide. `ca_file` is for an authority of one's
    own.
    """

    tenants: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    client_id: str
    public_client_id: str | None = None
    default_tenant: str | None = None
    discovery_seconds: Annotated[int, msgspec.Meta(ge=60, le=86400)] = 86400
    authority: str = "https://login.microsoftonline.com"
    audiences: tuple[str, ...] = ()
    scope: str = "AccessRequests.Use"
    permissions_from: PermissionsFrom = PermissionsFrom.APP_ROLES
    role_table: Path | None = None
    allowed_clients: tuple[str, ...] = ()
    app_only_may_decide: tuple[str, ...] = ()
    decision_auth_context: str | None = None
    longest_token_seconds: Positive = 28 * 3600
    ca_file: Path | None = None


class ListenSettings(Table, frozen=True, kw_only=True):
    """Where the server listens. `public_url` is what clients call it; it stands in links and in discovery.

    `group_may_read_key` is for containers, whose secrets belong to root and a group.
    """

    address: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 8443
    public_url: str | None = None
    certificate: Path | None = None
    key: Path | None = None
    group_may_read_key: bool = False
    behind_proxy: bool = False
    trusted_proxies: tuple[str, ...] = ()
    workers: Annotated[int, msgspec.Meta(ge=1, le=256)] = 1


class DatabaseSettings(Table, frozen=True, kw_only=True):
    """The database: the path of a SQLite file, or a PostgreSQL connection string without a password.

    `pool` is how many connections to PostgreSQL each worker process has. `signing_keys` is a folder for the key that
    signs the audit logs and for the last signed checkpoints: beside a SQLite file, in `keys`, unless it is set.
    `signing_command` is a program, and its arguments, that signs with a key that is kept elsewhere.
    """

    sqlite: Path | None = None
    postgresql: str | None = None
    pool: Annotated[int, msgspec.Meta(ge=2, le=1000)] = 8
    signing_keys: Path | None = None
    signing_command: tuple[str, ...] = ()


class LimitSettings(Table, frozen=True, kw_only=True):
    """How much is taken: requests a minute, bytes, seconds. `connections` is for each worker process."""

    requests_per_address: Positive = 1200
    requests_per_caller: Positive = 600
    refused_tokens_per_address: Positive = 60
    body_bytes: Positive = 64 * 1024
    import_bytes: Positive = 256 * 1024 * 1024
    header_seconds: Seconds = 10
    body_seconds: Seconds = 30
    idle_seconds: Seconds = 30
    stop_seconds: Seconds = 30
    connections: Positive = 1000


class WebhookSettings(Table, frozen=True, kw_only=True):
    """Where events are posted. `name` stands in logs and metrics, and its place in the log is kept under it.

    Its secret stands in a file or in a variable that is named. Without `tenants` or `events` it is for all of them.
    `allowed_networks` are those that are not public and that it may be in.
    """

    name: str
    url: str
    secret_file: Path | None = None
    secret_variable: str | None = None
    group_may_read_secret: bool = False
    tenants: tuple[str, ...] = ()
    events: tuple[What, ...] = ()
    ahead_seconds: Annotated[int, msgspec.Meta(ge=0, le=365 * 86400)] = 3600
    allowed_networks: tuple[str, ...] = ()
    ca_file: Path | None = None
    timeout_seconds: Annotated[float, msgspec.Meta(gt=0, le=60)] = 15


class ServerSettings(Table, frozen=True, kw_only=True):
    """The whole file."""

    identity: IdentitySettings
    database: DatabaseSettings
    listen: ListenSettings = ListenSettings()
    limits: LimitSettings = LimitSettings()
    webhooks: Annotated[tuple[WebhookSettings, ...], msgspec.Meta(max_length=20)] = ()
    sweep_seconds: Seconds = 60
    log_level: LogLevel = LogLevel.INFO
