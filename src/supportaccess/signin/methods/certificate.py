"""A certificate with its private key, from a PFX or a PEM file, as what an application proves itself with."""

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12

from supportaccess.errors import NotSignedIn
from supportaccess.signin.method import Request, Result
from supportaccess.signin.msal_clients import token_of_application
from supportaccess.signin.secrets import check_rights, secret

_LARGEST = 1024 * 1024
_FORMS = "It is a PFX file, or PEM with both; its passphrase: --passphrase-env NAME or --passphrase-file FILE."


class Identity(NamedTuple):
    """A private key, its certificate, and what stands above that."""

    key: RSAPrivateKey
    chain: tuple[x509.Certificate, ...]


def sign_in(request: Request) -> Result:
    """Sign in by a certificate. Raises NotSignedIn for one that cannot be used."""
    how = request.how
    if how.certificate is None:
        raise NotSignedIn(
            "it is not said where the certificate is", hint="supportaccess login --with certificate --certificate FILE"
        )
    passphrase = secret("passphrase", request.environment, variable=how.passphrase_variable, file=how.passphrase_file)
    identity = read_certificate(Path(how.certificate), passphrase)
    return token_of_application(request, {"client_assertion": assertions(identity, send_chain=how.send_chain)})


def read_certificate(path: Path, passphrase: str | None) -> Identity:
    """Return what a file holds. Raises NotSignedIn for what cannot be used."""
    try:
        with path.open("rb") as file:
            check_rights("private key", path, os.fstat(file.fileno()))
            data = file.read(_LARGEST)
    except OSError as error:
        raise NotSignedIn(f"{path}, the certificate, cannot be read: {error.strerror or error}") from error
    secret = passphrase.encode() if passphrase else None
    try:
        key, found = _pem(data, secret) if b"-----BEGIN" in data else _pfx(data, secret)
    except (ValueError, TypeError) as error:
        # Its text is not told: it may hold what it could not read.
        raise NotSignedIn(f"{path} cannot be used: wrong passphrase, or not what it should be", hint=_FORMS) from error
    return _checked(path, key, found)


def assertions(identity: Identity, *, send_chain: bool) -> Callable[[Mapping[str, str]], str]:
    """Return what signs an assertion for a token endpoint: by SHA-256, as Entra asks for.

    Not by MSAL's own form of a certificate: that sends the leaf alone, whatever stands above it.
    """
    own, *_ = identity.chain
    headers: dict[str, Any] = {"x5c": [_base64(each) for each in identity.chain]} if send_chain else {}

    def sign(context: Mapping[str, str]) -> str:
        from msal.oauth2cli import JwtAssertionCreator

        creator = JwtAssertionCreator(
            identity.key, "PS256", headers=headers, sha256_thumbprint=own.fingerprint(hashes.SHA256()).hex()
        )
        made = creator.create_normal_assertion(context["token_endpoint"], issuer=context["client_id"])
        return made.decode() if isinstance(made, bytes) else str(made)

    return sign


def _pem(data: bytes, passphrase: bytes | None) -> tuple[object, list[x509.Certificate]]:
    try:
        key = load_pem_private_key(data, passphrase)
    except TypeError:  # there is a passphrase, and the key has none
        key = load_pem_private_key(data, None)
    return key, x509.load_pem_x509_certificates(data)


def _pfx(data: bytes, passphrase: bytes | None) -> tuple[object, list[x509.Certificate]]:
    found = load_pkcs12(data, passphrase)
    certificates = [found.cert, *found.additional_certs]
    return found.key, [each.certificate for each in certificates if each is not None]


def _checked(path: Path, key: object, found: list[x509.Certificate]) -> Identity:
    if not isinstance(key, RSAPrivateKey):
        raise NotSignedIn(f"{path} has no RSA key, and Entra takes no other", hint=_FORMS)
    own = [each for each in found if each.public_key() == key.public_key()]
    if not own:
        raise NotSignedIn(f"{path} has no certificate of its private key in it", hint=_FORMS)
    if own[0].not_valid_after_utc <= datetime.now(UTC):
        raise NotSignedIn(
            f"the certificate in {path} ended on {own[0].not_valid_after_utc:%Y-%m-%d}",
            hint="Renew it, and add the new one to the application in Entra.",
        )
    return Identity(key, (own[0], *(each for each in found if each != own[0])))


def _base64(certificate: x509.Certificate) -> str:
    from base64 import b64encode

    return b64encode(certificate.public_bytes(Encoding.DER)).decode()
