"""Certificates for servers on this machine's loopback, made when a test needs them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

_DAY = timedelta(days=1)
_SIGNS_CERTIFICATES = {"key_cert_sign": True, "crl_sign": True, "digital_signature": False}
_SIGNS_HANDSHAKES = {"key_cert_sign": False, "crl_sign": False, "digital_signature": True}


@dataclass(frozen=True)
class ServerCertificate:
    """Files for a server, and the authority's that a client has to trust."""

    certificate: Path
    key: Path
    authority: Path


def loopback_files(folder: Path) -> ServerCertificate:
    """Name the files that `certificate_for_loopback` writes."""
    return ServerCertificate(folder / "server.pem", folder / "server.key", folder / "authority.pem")


def certificate_for_loopback(
    folder: Path, *, begins: timedelta = -_DAY, ends: timedelta = _DAY, also: Sequence[str] = ()
) -> ServerCertificate:
    """Make a certificate for localhost, 127.0.0.1 and ::1, and the authority that signed it; its term is from now.

    It is for the names in `also`, too.
    """
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = _named("Authority of the tests")
    authority = _signed(issuer, issuer, authority_key.public_key(), authority_key, _SIGNS_CERTIFICATES)
    addresses = (x509.IPAddress(ip_address(each)) for each in ("127.0.0.1", "::1"))
    names = [*(x509.DNSName(each) for each in ("localhost", *also)), *addresses]
    certificate = _signed(
        _named("localhost"), issuer, key.public_key(), authority_key, _SIGNS_HANDSHAKES, names, (begins, ends)
    )
    made = loopback_files(folder)
    made.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    made.authority.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    made.key.touch(mode=0o600)
    made.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return made


@dataclass(frozen=True)
class ClientCertificate:
    """Files with which an application proves itself: the certificate, both in one file, and both with a passphrase."""

    certificate: Path
    pem: Path
    pfx: Path
    passphrase: str


def client_files(folder: Path) -> ClientCertificate:
    """Name the files that `client_certificate` writes."""
    return ClientCertificate(folder / "pipeline.pem", folder / "both.pem", folder / "both.pfx", "only for tests")


def client_certificate(folder: Path) -> ClientCertificate:
    """Make a certificate with an RSA key, signed by itself, as an application registration takes it."""
    key, name, now = (
        rsa.generate_private_key(public_exponent=65537, key_size=2048),
        _named("pipeline"),
        datetime.now(UTC),
    )
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - _DAY, now + _DAY)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    made = client_files(folder)
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    pkcs8 = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    protection = serialization.BestAvailableEncryption(made.passphrase.encode())
    made.certificate.write_bytes(pem)
    for path, content in (
        (made.pem, key.private_bytes(*pkcs8) + pem),
        (made.pfx, pkcs12.serialize_key_and_certificates(b"pipeline", key, certificate, None, protection)),
    ):
        path.touch(mode=0o600)
        path.write_bytes(content)
    return made


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _signed(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    authority_key: ec.EllipticCurvePrivateKey,
    usage: dict[str, bool],
    names: Sequence[x509.GeneralName] = (),
    term: tuple[timedelta, timedelta] = (-_DAY, _DAY),
) -> x509.Certificate:
    """Make one certificate with what a strict verifier asks for (RFC 5280, sections 4.2.1.1 to 4.2.1.9)."""
    unused = ("content_commitment", "data_encipherment", "key_agreement", "key_encipherment")
    uses = x509.KeyUsage(**usage, **dict.fromkeys(unused, False), encipher_only=False, decipher_only=False)
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number(), now + term[0], now + term[1])
        .add_extension(x509.BasicConstraints(ca=usage["key_cert_sign"], path_length=None), critical=True)
        .add_extension(uses, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(authority_key, hashes.SHA256())
