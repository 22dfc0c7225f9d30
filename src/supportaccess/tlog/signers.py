"""Signs notes and verifies their signatures: Ed25519, by `cryptography`, which is loaded when it is first needed.

A key that is kept elsewhere (a KMS, an HSM, another process) takes part through `Signer`. A server's settings name a
program that signs (`signing_command`); in Python it is an object:

    class KmsSigner:
        def __init__(self, public_key):
            self.public_key = public_key                                  # the 32 bytes of RFC 8032

        def sign(self, message):
            return client.sign("alias/audit-log", message, "Ed25519")     # the 64 bytes of RFC 8032

    keys = Keys(folder, signer=KmsSigner)
    keys.make(public_key=client.get_public_key("alias/audit-log").raw)    # once

What it signs is a note's text, as it is: no hash of it is taken before. No signature is used before it was verified.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

from supportaccess.errors import InvalidInput, StoreUnavailable
from supportaccess.tlog.notes import Note, Signature, VerifierKey

# Neither a checkpoint nor the note of a rotation: nobody can take it for one.
_TRIAL = "a trial of who signs for supportaccess\n"


class Signer(Protocol):
    """Something that signs with one Ed25519 key."""

    @property
    def public_key(self) -> bytes:
        """The public half, 32 bytes (RFC 8032)."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message, 64 bytes (RFC 8032). Raises SignerFailed."""
        ...


class SeedSigner:
    """Signs with a key of 32 secret bytes."""

    def __init__(self, seed: bytes) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self._public_key = self._key.public_key().public_bytes_raw()

    @property
    def public_key(self) -> bytes:
        """The public half."""
        return self._public_key

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message."""
        return self._key.sign(message)


class SignerFailed(StoreUnavailable):
    """Who has the key did not sign: what was written stands, and is signed later.

    `summary` is the message without what others said, which could hold a secret: it may be logged.
    """

    def __init__(self, summary: str, *, said: str = "", hint: str | None = None) -> None:
        super().__init__(f"{summary}: {said}" if said else summary, hint=hint)
        self.summary = summary


class KeptElsewhere:
    """A key of which only the public half is here, where nothing is set that signs with it."""

    def __init__(self, public_key: bytes) -> None:
        self._public_key = public_key

    @property
    def public_key(self) -> bytes:
        """The public half."""
        return self._public_key

    def sign(self, message: bytes) -> bytes:  # noqa: ARG002 - nobody is there to sign it
        """Raise SignerFailed."""
        raise SignerFailed(
            "the signing key is kept elsewhere, and nothing is set that signs with it",
            hint="database.signing_command in a server's settings; the embedded store signs with a key file alone.",
        )


class BadSignature(ValueError):
    """A signature that says to be by a known key is not by it."""


def key_of(signer: Signer, origin: str) -> VerifierKey:
    """Return the key that a log's signatures are verified with: it has the log's name."""
    return VerifierKey(name=origin, public_key=signer.public_key)


def sign(text: str, origin: str, signers: Sequence[Signer]) -> Note:
    """Return a text as a note that these sign under the log's name. Raises SignerFailed."""
    return Note(text=text, signatures=tuple(_signed(text, origin, signer) for signer in signers))


def try_out(signer: Signer) -> None:
    """Have something signed that means nothing, and verify it. Raises SignerFailed."""
    _signed(_TRIAL, "supportaccess", signer)


def parse_public_key(data: bytes) -> bytes:
    """Return the 32 bytes of an Ed25519 public key from its PEM or DER (RFC 8410). Raises InvalidInput."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

    try:
        key = load_pem_public_key(data) if data.lstrip().startswith(b"-----") else load_der_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidInput("it is no public key in PEM or DER", hint="openssl pkey -in KEY -pubout") from None
    if not isinstance(key, Ed25519PublicKey):
        raise InvalidInput("it is a public key, but not one of Ed25519")
    return key.public_bytes_raw()


def signers_of(note: Note, keys: Iterable[VerifierKey]) -> list[VerifierKey]:
    """Return which of the keys signed a note. Raises BadSignature when one of them is said to, and did not."""
    found = []
    for key in keys:
        signatures = key.signed(note)
        if not all(_verifies(key, note.text, signature) for signature in signatures):
            raise BadSignature(f"the signature by {key.name}+{key.key_id.hex()} is not of this text")
        if signatures:
            found.append(key)
    return found


def _signed(text: str, origin: str, signer: Signer) -> Signature:
    key = key_of(signer, origin)
    signature = Signature(name=origin, key_id=key.key_id, signature=signer.sign(text.encode()))
    if not _verifies(key, text, signature):
        raise SignerFailed(
            "the signature that was made is not by the key whose public half is kept: it is not used",
            hint="Does what signs have the right key, and does it sign the text itself, not its hash?",
        )
    return signature


def _verifies(key: VerifierKey, text: str, signature: Signature) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(key.public_key).verify(signature.signature, text.encode())
    except InvalidSignature:
        return False
    return True
