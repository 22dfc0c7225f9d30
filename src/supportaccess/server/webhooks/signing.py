"""Secrets and signatures of Standard Webhooks 1.0.0 (https://www.standardwebhooks.com), version v1: HMAC-SHA256."""

import base64
import binascii
import hashlib
import hmac
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from supportaccess.errors import StoreRefused
from supportaccess.server.settings import WebhookSettings

_PREFIX = "whsec_"
_SHORTEST, _LONGEST = 24, 64
_LARGEST_FILE = 4096
_MOST_SECRETS = 2
_MAKE_ONE = "Make one: printf 'whsec_%s\\n' \"$(openssl rand -base64 32)\""


def keys_of(webhook: WebhookSettings, environment: Mapping[str, str] = os.environ) -> list[bytes]:
    """Return the keys that a webhook's messages are signed with: one, or while it is changed the new and the old.

    Read each time, so that a secret can be changed while the server runs. Raises StoreRefused, which never shows one.
    """
    if webhook.secret_file is not None:
        where, text = str(webhook.secret_file), _read(webhook.secret_file, webhook)
    else:
        where, text = f"the variable {webhook.secret_variable}", environment.get(webhook.secret_variable or "", "")
    secrets = text.split()
    if not secrets:
        raise StoreRefused(f"webhook {webhook.name}: {where} holds no secret", hint=_MAKE_ONE)
    if len(secrets) > _MOST_SECRETS:
        raise StoreRefused(
            f"webhook {webhook.name}: {where} holds {len(secrets)} secrets", hint="One, or the new and the old one."
        )
    return [_key(secret, f"webhook {webhook.name}: {where}") for secret in secrets]


def signatures(keys: Iterable[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of `webhook-signature`: a signature by each key."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return " ".join(f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}" for key in keys)


def headers_of(keys: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers that name, date and sign a message."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signatures(keys, message_id, timestamp, body),
    }


def _key(secret: str, where: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(_PREFIX) or not _SHORTEST <= len(key) <= _LONGEST:
        raise StoreRefused(
            f"{where} holds something that is no secret: whsec_ and the base64 of {_SHORTEST} to {_LONGEST} bytes",
            hint=_MAKE_ONE,
        )
    return key


def _read(path: Path, webhook: WebhookSettings) -> str:
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            text = file.read(_LARGEST_FILE).decode("ascii", "replace")
    except OSError as error:
        raise StoreRefused(
            f"webhook {webhook.name}: {path} cannot be read: {error.strerror}",
            hint="The account that the server runs as must be able to.",
        ) from None
    allowed = stat.S_IRGRP if webhook.group_may_read_secret else 0
    if os.name != "nt" and status.st_mode & (stat.S_IRWXG | stat.S_IRWXO) & ~allowed:
        raise StoreRefused(
            f"webhook {webhook.name}: {path} is open to others (mode {stat.S_IMODE(status.st_mode):04o})",
            hint=f"chmod 600 {path}\nIn a container, whose secrets belong to a group: group_may_read_secret = true.",
        )
    return text
