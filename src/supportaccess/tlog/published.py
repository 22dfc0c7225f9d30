"""What a store gives out so that others can check its log: in the formats of c2sp.org, whoever stands behind it."""

from typing import Protocol

from supportaccess.structs import Struct
from supportaccess.tlog.tiles import Tile


class SignedHead(Struct, frozen=True, kw_only=True):
    """The head of a tenant's audit log, signed.

    `size` and `root` (lower-case hex) repeat what is in `checkpoint`, a signed note. `consistency` has the hashes
    (base64) that show that it goes on from the earlier size that was asked about, `rotations` the notes of all changes
    of key. `key` is the verifier key that signs now. Without a signing key all but the first two are absent.
    """

    size: int
    root: str
    checkpoint: str | None = None
    consistency: tuple[str, ...] = ()
    rotations: tuple[str, ...] = ()
    key: str | None = None


class LogProofs(Protocol):
    """The proofs of one tenant's log, for one caller. Every method may raise StoreUnavailable and StoreRefused."""

    def head(self, earlier: int = 0) -> SignedHead:
        """Return the signed head, and what shows that it goes on from an earlier size. Raises Forbidden.

        When the log is shorter than that, there is nothing to show.
        """
        ...

    def receipt(self, sequence: int) -> bytes:
        """Return the receipt of an entry: a file of its own. Raises Forbidden, NotFound."""
        ...

    def tile(self, tile: Tile) -> bytes | None:
        """Return the hashes of a tile, or None where the log has not so many. Raises Forbidden."""
        ...

    def bundle(self, tile: Tile) -> bytes | None:
        """Return the entries under a tile of level 0, or None where the log has not so many. Raises Forbidden."""
        ...
