"""Which certificates are trusted: those of the operating system, or of a file that a setting or the environment names.

All TLS that this program speaks as a client is set up here.
"""

import os
import ssl
from collections.abc import Mapping
from pathlib import Path

from supportaccess.errors import InvalidInput

VARIABLES = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
"""Name a PEM file (the first one also a folder as `openssl rehash` makes it) that takes the system's place."""


def tls_context(ca_file: Path | None = None, environment: Mapping[str, str] = os.environ) -> ssl.SSLContext:
    """Return the settings of TLS: with a `ca_file`, its certificates alone are trusted.

    Raises OSError for a `ca_file` that cannot be used, InvalidInput for one that the environment names.
    """
    context = _of_the_environment(environment) if ca_file is None else _trusting(ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _of_the_environment(environment: Mapping[str, str]) -> ssl.SSLContext:
    variable = next((name for name in VARIABLES if environment.get(name)), None)
    if variable is None:
        import truststore

        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    path = Path(environment[variable])
    try:
        return _trusting(path)
    except OSError as error:
        raise InvalidInput(
            f"{variable} names {path}, which cannot be used: {error.strerror or 'it holds no certificate'}",
            hint=f"Name a PEM file of certificates, or unset {variable}.",
        ) from error


def _trusting(path: Path) -> ssl.SSLContext:
    """Trust the certificates of a file or folder alone. Raises OSError, of which ssl.SSLError is one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if path.is_dir():
        context.load_verify_locations(capath=path)
    else:
        context.load_verify_locations(cafile=path)
    return context
