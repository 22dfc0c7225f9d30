"""Signs notes and verifies their signatures: Ed25519, by `cryptography`, which is loaded when it is first needed.

A key that is kept elsewhere (a KMS, an HSM, another process) takes part through `Signer`:

    class KmsSigner:
        def __init__(self, client, key_id):
            self.client, self.key_id = client, key_id
            self.public_key = client.get_public_key(key_id).raw       # the 32 bytes of RFC 8032

        def sign(self, message):
            return self.client.sign(self.key_id, message, "Ed25519")  # the 64 bytes of RFC 8032

    keys = Keys(folder, signer=lambda name: KmsSigner(client, "alias/audit-log"))

What it signs is a note's text, as it is: no hash of it is taken before.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

from supportaccess.domain.notes import Note, Signature, VerifierKey


class Signer(Protocol):
    """Something that signs with one Ed25519 key."""

    @property
    def public_key(self) -> bytes:
        """The public half, 32 bytes (RFC 8032)."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message, 64 bytes (RFC 8032). Raises StoreUnavailable, StoreRefused."""
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


class BadSignature(ValueError):
    """A signature that says to be by a known key is not by it."""


def key_of(signer: Signer, origin: str) -> VerifierKey:
    """Return the key that a log's signatures are verified with: it has the log's name."""
    return VerifierKey(name=origin, public_key=signer.public_key)


def sign(text: str, origin: str, signers: Sequence[Signer]) -> Note:
    """Return a text as a note that these sign under the log's name."""
    return Note(text=text, signatures=tuple(_signed(text, origin, signer) for signer in signers))


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
    return Signature(name=origin, key_id=key_of(signer, origin).key_id, signature=signer.sign(text.encode()))


def _verifies(key: VerifierKey, text: str, signature: Signature) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(key.public_key).verify(signature.signature, text.encode())
    except InvalidSignature:
        return False
    return True
