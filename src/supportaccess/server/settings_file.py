"""Reads the operator's settings, and says of each mistake where it is, what is allowed, and what was probably meant."""

import os
import re
import shlex
import stat
import tomllib
from collections.abc import Callable, Mapping
from enum import StrEnum
from ipaddress import ip_network
from pathlib import Path
from typing import Any, NamedTuple, NoReturn
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import replace

from supportaccess.domain.tenants import parse_tenant_id
from supportaccess.errors import InvalidInput, StoreRefused
from supportaccess.http.endpoints import is_loopback
from supportaccess.server.settings import (
    DatabaseSettings,
    IdentitySettings,
    ListenSettings,
    LogLevel,
    PermissionsFrom,
    ServerSettings,
    Table,
    WebhookSettings,
)
from supportaccess.suggestions import nearest

CONFIG_VARIABLE = "SUPPORTACCESS_SERVER_CONFIG"
DATABASE_VARIABLE = "SUPPORTACCESS_DATABASE"
PAGE = "docs/operate/settings.md"
EXAMPLE = """\
[identity]
tenants = ["00000000-0000-0000-0000-000000000000"]    # tenant IDs that use this server
client_id = "00000000-0000-0000-0000-000000000000"    # of the server's app registration

[database]
sqlite = "/var/lib/supportaccess/store.db"            # or: postgresql = "host=db dbname=supportaccess"

[listen]
address = "0.0.0.0"
port = 8443
certificate = "/etc/supportaccess/certificate.pem"
key = "/etc/supportaccess/key.pem"
"""
LARGEST_FILE = 256 * 1024
_LIKENESS = 0.5
"""Lower than usual: half a key, as `sweep` for `sweep_seconds`, means that key."""

_AUTH_CONTEXT = re.compile(r"c[1-9][0-9]?", re.ASCII)


class _Variable(NamedTuple):
    table: str
    key: str
    read: Callable[[str], Any]


def _list(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _bool(text: str) -> bool:
    if text.lower() not in {"true", "false", "1", "0"}:
        raise ValueError("use true or false")
    return text.lower() in {"true", "1"}


def _int(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise ValueError("use a whole number")
    return int(text)


VARIABLES: Mapping[str, _Variable] = {
    "SUPPORTACCESS_SERVER_TENANTS": _Variable("identity", "tenants", _list),
    "SUPPORTACCESS_SERVER_CLIENT_ID": _Variable("identity", "client_id", str),
    "SUPPORTACCESS_SERVER_PUBLIC_CLIENT_ID": _Variable("identity", "public_client_id", str),
    "SUPPORTACCESS_SERVER_PERMISSIONS_FROM": _Variable("identity", "permissions_from", str),
    "SUPPORTACCESS_SERVER_ADDRESS": _Variable("listen", "address", str),
    "SUPPORTACCESS_SERVER_PORT": _Variable("listen", "port", _int),
    "SUPPORTACCESS_SERVER_PUBLIC_URL": _Variable("listen", "public_url", str),
    "SUPPORTACCESS_SERVER_CERTIFICATE": _Variable("listen", "certificate", str),
    "SUPPORTACCESS_SERVER_KEY": _Variable("listen", "key", str),
    "SUPPORTACCESS_SERVER_BEHIND_PROXY": _Variable("listen", "behind_proxy", _bool),
    "SUPPORTACCESS_SERVER_TRUSTED_PROXIES": _Variable("listen", "trusted_proxies", _list),
    "SUPPORTACCESS_SERVER_SIGNING_KEYS": _Variable("database", "signing_keys", str),
    "SUPPORTACCESS_SERVER_SIGNING_COMMAND": _Variable("database", "signing_command", shlex.split),
    "SUPPORTACCESS_SERVER_WORKERS": _Variable("listen", "workers", _int),
    "SUPPORTACCESS_SERVER_LOG_LEVEL": _Variable("", "log_level", str),
}
"""The variables that go before keys of the file: what differs from container to container.

Lists have commas; a command is written as in a shell."""


def read_settings(path: Path | None, environment: Mapping[str, str] = os.environ) -> ServerSettings:
    """Return the settings of a file (or the one that SUPPORTACCESS_SERVER_CONFIG names) and of the environment.

    Raises InvalidInput for what is not right in them, StoreRefused for a file that cannot be read.
    """
    named = environment.get(CONFIG_VARIABLE)
    path = path or (Path(named) if named else None)
    given = _Given(path, environment)
    settings = given.settings()
    identity = _identity(given, settings.identity)
    return replace(
        settings,
        identity=identity,
        listen=_listen(given, settings.listen),
        database=_database(given, settings),
        webhooks=_webhooks(given, settings, identity.tenants),
    )


class _Given:
    """What was given, and where each of it stands."""

    def __init__(self, path: Path | None, environment: Mapping[str, str]) -> None:
        self.path = path
        self.folder = path.absolute().parent if path else Path.cwd()
        self.tables = _parsed(path) if path else {}
        self.from_variable: dict[str, str] = {}
        if not path and not any(environment.get(name) for name in (*VARIABLES, DATABASE_VARIABLE)):
            raise InvalidInput(
                f"no settings: name a file with --config or {CONFIG_VARIABLE}. A minimal one:\n\n{EXAMPLE}",
                hint=f"{PAGE} has every key and variable.",
            )
        for name, variable in VARIABLES.items():
            if environment.get(name):
                self._take(name, variable, environment[name])
        if environment.get(DATABASE_VARIABLE):
            self._take_database(environment[DATABASE_VARIABLE])

    def settings(self) -> ServerSettings:
        """Return them as structs, each key of the right kind."""
        self._refuse_unknown(self.tables, ServerSettings, "")
        tables = {"identity": {}, "database": {}, **self.tables}
        try:
            return msgspec.convert(tables, ServerSettings, dec_hook=self._path)
        except msgspec.ValidationError as error:
            message, _, place = str(error).partition(" - at `$")
            key = re.sub(r"\[.*", "", place.strip(".`"))
            if missing := re.search(r"missing required field `(\w+)`", message):
                self.refuse(f"{key}.{missing[1]}".lstrip("."), "it is missing")
            self.refuse(key, _plain(message, key))

    def where(self, key: str) -> str:
        """Return where a key stands."""
        if key in self.from_variable:
            return self.from_variable[key]
        return f"{self.path}: {key}" if self.path else key

    def refuse(self, key: str, message: str, *, hint: str | None = None) -> NoReturn:
        """Raise InvalidInput for a key."""
        raise InvalidInput(f"{self.where(key)}: {message}", hint=hint or f"{PAGE} has every key.")

    def _take(self, name: str, variable: _Variable, text: str) -> None:
        key = f"{variable.table}.{variable.key}".lstrip(".")
        self.from_variable[key] = name
        try:
            value = variable.read(text)
        except ValueError as error:
            self.refuse(key, f"{text!r} cannot be taken: {error}")
        table = self.tables.setdefault(variable.table, {}) if variable.table else self.tables
        if not isinstance(table, dict):
            self.refuse(variable.table, "it must be a table")
        table[variable.key] = value

    def _take_database(self, text: str) -> None:
        # A connection string with a password may come from the environment, but not from the file.
        key = "postgresql" if is_conninfo(text) else "sqlite"
        self.tables["database"] = {**self._table("database"), "sqlite": None, "postgresql": None, key: text}
        self.from_variable[f"database.{key}"] = DATABASE_VARIABLE

    def _table(self, name: str) -> dict[str, Any]:
        table = self.tables.get(name, {})
        return table if isinstance(table, dict) else {}

    def _path(self, kind: type, value: object) -> object:
        if kind is Path and isinstance(value, str) and value:
            return self.folder / value
        raise ValueError("Expected the path of a file")

    def _refuse_unknown(self, given: Mapping[str, Any], kind: type[Table], above: str) -> None:
        fields = {field.name: field.type for field in msgspec.structs.fields(kind)}
        for name, value in given.items():
            if name not in fields:
                self._unknown(name, list(fields), above)
            if isinstance(value, dict) and isinstance(fields[name], type) and issubclass(fields[name], Table):
                self._refuse_unknown(value, fields[name], f"{name}.")
            for each in value if name == "webhooks" and isinstance(value, list) else ():
                if isinstance(each, dict):
                    self._refuse_unknown(each, WebhookSettings, f"{name}.")

    def _unknown(self, name: str, known: list[str], above: str) -> NoReturn:
        near = nearest(name, known, likeness=_LIKENESS)
        meant = f"; did you mean {near}?" if near else f"; there are: {', '.join(known)}"
        raise InvalidInput(f"{self.path}: there is no key {above}{name}{meant}", hint=f"{PAGE} has every key.")


def is_conninfo(text: str) -> bool:
    """Tell a PostgreSQL connection string from the path of a file."""
    return text.startswith(("postgresql://", "postgres://")) or bool(re.match(r"\s*\w+\s*=", text))


def _parsed(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise StoreRefused(
            f"{path} cannot be read: {error.strerror}", hint="The account that the server runs as must be able to."
        ) from None
    if os.name != "nt" and path.stat().st_mode & stat.S_IWOTH:
        raise StoreRefused(f"{path} can be written by everybody", hint=f"chmod o-w {path}")
    if len(data) > LARGEST_FILE:
        raise InvalidInput(f"{path} is larger than {LARGEST_FILE // 1024} KiB: it is no settings file")
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        # What is told of a mistake is its kind and place; it could stand in the middle of a secret.
        raise InvalidInput(f"{path} is not TOML: {str(error)[:200]}", hint=f"{PAGE} has an example.") from None


def _plain(message: str, key: str) -> str:
    """Return msgspec's message in plain words, with the values that are allowed."""
    enums: Mapping[str, type[StrEnum]] = {"identity.permissions_from": PermissionsFrom, "log_level": LogLevel}
    if key in enums:
        return f"it must be one of {', '.join(enums[key])}"
    words = {"`array`": "a list", "`str`": "a text", "`int`": "a whole number", "`float`": "a number"}
    words |= {"`bool`": "true or false", "`object`": "a table", "Expected": "expected", "`null`": "nothing"}
    for word, plain in words.items():
        message = message.replace(word, plain)
    return message.replace("`", "")


def _identity(given: _Given, identity: IdentitySettings) -> IdentitySettings:
    def guid(key: str, text: str) -> str:
        try:
            return parse_tenant_id(text)
        except InvalidInput:
            given.refuse(f"identity.{key}", f"{text!r} is not a GUID", hint="Copy the ID, not the name, from Entra.")

    def guids(key: str, texts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(guid(key, text) for text in texts))

    context = identity.decision_auth_context
    if context is not None and not _AUTH_CONTEXT.fullmatch(context):
        given.refuse(
            "identity.decision_auth_context",
            f"{context!r} is not the ID of an authentication context",
            hint="Copy the ID, c1 to c99, from Entra: Conditional Access > Authentication contexts.",
        )
    public = identity.public_client_id
    if (
        public
        and identity.allowed_clients
        and public.lower() not in {each.lower() for each in identity.allowed_clients}
    ):
        given.refuse(
            "identity.public_client_id", "it is not one of identity.allowed_clients, so no sign-in would be taken"
        )
    return replace(
        identity,
        tenants=guids("tenants", identity.tenants),
        client_id=guid("client_id", identity.client_id),
        public_client_id=identity.public_client_id and guid("public_client_id", identity.public_client_id),
        default_tenant=identity.default_tenant and _one_of_them(given, identity),
        authority=_url(given, "identity.authority", identity.authority),
        allowed_clients=guids("allowed_clients", identity.allowed_clients),
        app_only_may_decide=guids("app_only_may_decide", identity.app_only_may_decide),
    )


def _one_of_them(given: _Given, identity: IdentitySettings) -> str:
    chosen = str(identity.default_tenant).lower()
    if chosen not in {tenant.lower() for tenant in identity.tenants}:
        given.refuse("identity.default_tenant", f"{identity.default_tenant!r} is not one of identity.tenants")
    return chosen


def _url(given: _Given, key: str, text: str) -> str:
    """Return a base URL without its last slash: https, or http to this machine."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        given.refuse(key, f"{text!r} is not a URL")
    if parts.scheme not in {"https", "http"} or not host:
        given.refuse(key, f"{text!r} is not a URL that begins with https://")
    if parts.scheme == "http" and not is_loopback(host):
        given.refuse(key, "it must begin with https://: tokens travel there")
    if parts.query or parts.fragment or parts.username is not None or not text.isascii() or not text.isprintable():
        given.refuse(key, "it may have a scheme, a host, a port and a path, and nothing else")
    return text.rstrip("/")


def _listen(given: _Given, listen: ListenSettings) -> ListenSettings:
    if (listen.certificate is None) != (listen.key is None):
        given.refuse("listen.certificate", "certificate and key go together; one of them is missing")
    if listen.certificate is None and not listen.behind_proxy and not is_loopback(listen.address):
        given.refuse(
            "listen.address",
            f"{listen.address} can be reached from other machines, and tokens must not travel in the clear",
            hint="Set listen.certificate and listen.key, or behind_proxy = true when a proxy in front does TLS.",
        )
    if listen.trusted_proxies and not listen.behind_proxy:
        given.refuse("listen.trusted_proxies", "it needs behind_proxy = true")
    for proxy in listen.trusted_proxies:
        try:
            ip_network(proxy)
        except ValueError:
            given.refuse("listen.trusted_proxies", f"{proxy!r} is neither an IP address nor a network (10.0.0.0/8)")
    if listen.workers > 1 and os.name == "nt":
        given.refuse("listen.workers", "on Windows there can be one worker process only")
    return replace(listen, public_url=listen.public_url and _url(given, "listen.public_url", listen.public_url))


def _database(given: _Given, settings: ServerSettings) -> DatabaseSettings:
    database = settings.database
    if (database.sqlite is None) == (database.postgresql is None):
        given.refuse("database", "it needs one of sqlite (a path) and postgresql (a connection string)")
    if database.sqlite is not None and settings.listen.workers > 1:
        given.refuse(
            "listen.workers",
            f"{settings.listen.workers} worker processes need PostgreSQL: on SQLite the server is one process",
            hint="Set workers = 1, or move to PostgreSQL.",
        )
    if database.postgresql is not None:
        _refuse_password(given, database.postgresql)
    if database.signing_command:
        _refuse_command(given, database.signing_command)
    keys = database.signing_keys
    if keys is None:
        keys = database.sqlite.parent / "keys" if database.sqlite is not None else given.folder / "keys"
    return replace(database, signing_keys=keys)


def _refuse_command(given: _Given, command: tuple[str, ...]) -> None:
    if os.name == "nt":
        given.refuse("database.signing_command", "on Windows the key can be a file only")
    if not Path(command[0]).is_absolute():
        given.refuse("database.signing_command", f"{command[0]!r} must be the whole path of a program, from / on")
    if any("\0" in word for word in command):
        given.refuse("database.signing_command", "a program cannot be given a zero byte")


def _webhooks(given: _Given, settings: ServerSettings, tenants: tuple[str, ...]) -> tuple[WebhookSettings, ...]:
    if not settings.webhooks:
        return ()
    from supportaccess.server.webhooks.checking import checked

    return checked(settings.webhooks, tenants, given.refuse)


def _refuse_password(given: _Given, conninfo: str) -> None:
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = conninfo_to_dict(conninfo)
    except ProgrammingError:
        given.refuse("database.postgresql", "it is not a connection string: host=db dbname=supportaccess user=server")
    secrets = {"password", "sslpassword", "oauth_client_secret"} & set(parts)
    if secrets and "database.postgresql" not in given.from_variable:
        given.refuse(
            "database.postgresql",
            "it has a password, which must not stand in this file",
            hint=f"Use a password file (passfile=/etc/supportaccess/pgpass), or PGPASSWORD, or {DATABASE_VARIABLE}.",
        )
