"""The server's certificate and key: their rights, whether they fit, and how long they last."""

import os
import ssl
import stat
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from supportaccess.errors import StoreRefused
from supportaccess.server.settings import ListenSettings

_OTHERS = stat.S_IRWXO | stat.S_IRWXG


def context(listen: ListenSettings) -> ssl.SSLContext:
    """Return what TLS 1.2 and newer is spoken with.

    Raises StoreRefused for files that cannot be read, do not fit each other, or let others read the key.
    """
    if listen.certificate is None or listen.key is None:
        raise ValueError("there is no certificate")
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.set_alpn_protocols(["http/1.1"])
    load(made, listen)
    return made


def load(made: ssl.SSLContext, listen: ListenSettings) -> None:
    """Read certificate and key, also again later: new connections get the new ones. Raises StoreRefused."""
    if listen.certificate is None or listen.key is None:
        return
    refuse_unreadable(listen.certificate)
    refuse_unreadable(listen.key)
    _refuse_open(listen.key, group_may_read=listen.group_may_read_key)
    try:
        # An empty password: a key that has one is refused, not asked for on the terminal.
        made.load_cert_chain(listen.certificate, listen.key, password="")
    except ssl.SSLError as error:
        raise StoreRefused(
            _told(error, listen), hint=f"openssl x509 -noout -subject -in {listen.certificate}"
        ) from None


class Term(NamedTuple):
    """From when until when a certificate holds."""

    begins: datetime
    ends: datetime


def term_of(certificate: Path) -> Term | None:
    """Return the term of a certificate; None for a file that is none, which `context` tells."""
    from cryptography import x509

    try:
        read = x509.load_pem_x509_certificate(certificate.read_bytes())
    except (OSError, ValueError):
        return None
    return Term(read.not_valid_before_utc, read.not_valid_after_utc)


def refuse_unreadable(path: Path) -> None:
    """Raise StoreRefused for a file that this account cannot read."""
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise StoreRefused(
            f"{path} cannot be read: {error.strerror}", hint="The account that the server runs as must be able to."
        ) from None


def _refuse_open(key: Path, *, group_may_read: bool) -> None:
    if os.name == "nt":  # rights are those of its folder
        return
    status = key.stat()
    allowed = stat.S_IRGRP if group_may_read else 0
    if status.st_mode & _OTHERS & ~allowed:
        raise StoreRefused(
            f"{key} is open to others (mode {stat.S_IMODE(status.st_mode):04o}): it may be at most "
            + ("0640" if group_may_read else "0600"),
            hint=f"chmod 600 {key}\nIn a container, whose secrets belong to a group: group_may_read_key = true.",
        )
    if status.st_uid not in {0, os.geteuid()}:
        raise StoreRefused(
            f"{key} belongs to another account (user ID {status.st_uid})", hint=f"sudo chown {os.geteuid()} {key}"
        )


def _told(error: ssl.SSLError, listen: ListenSettings) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"{listen.key} is not the key of {listen.certificate}"
    return f"{listen.certificate} and {listen.key} are not a certificate and its key in PEM, without a password"
