"""The proofs of a tenant's log, over HTTP."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from supportaccess.errors import NotFound, StoreRefused
from supportaccess.store.http.client import ANSWER_SECONDS, Client
from supportaccess.store.http.store import Notice, unnoticed
from supportaccess.store.wire import CHECKPOINT_HEADER

# Every command over HTTP has these proofs at hand, and few ask for one.
if TYPE_CHECKING:
    from supportaccess.tlog.files import SignedHead
    from supportaccess.tlog.tiles import Tile

_ALL = "/v1/audit-events"
_HASTY_SECONDS = 5.0


class HttpProofs:
    """The proofs of a log at an endpoint. `token` signs in to its tenant.

    `hasty` is for whoever has something better to do than to wait for a store that is busy or away.
    """

    def __init__(
        self, client: Client, token: Callable[[], str], *, hasty: bool = False, notice: Notice = unnoticed
    ) -> None:
        self._client = client
        self._token = token
        self._hasty = hasty
        self._notice = notice

    def head(self, earlier: int = 0) -> "SignedHead":
        """Return the signed head, and what shows that it goes on from an earlier size."""
        from supportaccess.tlog.files import SignedHead

        data = self._get(f"{_ALL}/checkpoint" + (f"?earlierSize={earlier}" if earlier else ""))
        try:
            return msgspec.json.decode(data, type=SignedHead)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise StoreRefused(f"the server's answer is no head of a log: {error}") from error

    def receipt(self, sequence: int) -> bytes:
        """Return the receipt of an entry."""
        return self._get(f"{_ALL}/{sequence}/receipt")

    def tile(self, tile: "Tile") -> bytes | None:
        """Return the hashes of a tile."""
        return self._get_if_there(f"{_ALL}/tiles/{tile.level}/{tile.index}{_width(tile)}")

    def bundle(self, tile: "Tile") -> bytes | None:
        """Return the entries under a tile of level 0."""
        return self._get_if_there(f"{_ALL}/bundles/{tile.index}{_width(tile)}")

    def _get_if_there(self, path: str) -> bytes | None:
        try:
            return self._get(path)
        except NotFound:
            return None

    def _get(self, path: str) -> bytes:
        headers = {"Authorization": f"Bearer {self._token()}"}
        patience = _HASTY_SECONDS if self._hasty else ANSWER_SECONDS
        answer = self._client.get(path, headers, patience=patience, hasty=self._hasty)
        self._notice(answer.headers.get(CHECKPOINT_HEADER), changed=False)
        return answer.body


def _width(tile: "Tile") -> str:
    from supportaccess.tlog.tiles import TILE_WIDTH

    return "" if tile.width == TILE_WIDTH else f"?width={tile.width}"
