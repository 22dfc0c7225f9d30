"""Which certificates are trusted: those of the operating system, or of a file that the environment names."""

import os
import ssl
from collections.abc import Mapping
from pathlib import Path

from supportaccess.errors import InvalidInput

VARIABLES = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
"""Name a PEM file (the first one also a folder as `openssl rehash` makes it) that takes the system's place."""


def tls_context(environment: Mapping[str, str] = os.environ) -> ssl.SSLContext:
    """Return the settings of TLS. Raises InvalidInput for a file of certificates that cannot be used."""
    for variable in VARIABLES:
        if path := environment.get(variable):
            context = _context_of(Path(path), variable)
            break
    else:
        import truststore

        context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _context_of(path: Path, variable: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if path.is_dir():
            context.load_verify_locations(capath=path)
        else:
            context.load_verify_locations(cafile=path)
    except OSError as error:  # of which ssl.SSLError is one
        why = error.strerror or "it holds no certificate"
        raise InvalidInput(
            f"{variable} names {path}, which cannot be used: {why}",
            hint=f"Name a PEM file of certificates, or unset {variable}.",
        ) from error
    return context
