"""The inner nodes of a stored log's tree, for proofs: what is stored of them, and between that what follows from it."""

from supportaccess.errors import VerificationFailed
from supportaccess.store.sql.engine import Session
from supportaccess.tlog.merkle import HASH_SIZE, TILE_HEIGHT, Frontier, node_hash, subtrees
from supportaccess.tlog.tiles import TILE_WIDTH

_LEAVES = """
    SELECT sequence, leaf_hash FROM audit_events
    WHERE tenant_id = :tenant_id AND sequence >= :begin AND sequence < :end ORDER BY sequence
"""
_NODES = """
    SELECT position, hash FROM audit_log_nodes
    WHERE tenant_id = :tenant_id AND level = :level AND position >= :begin AND position < :end ORDER BY position
"""


class LogNodes:
    """Gives the root of any perfect subtree of a tenant's log. Not proven by itself: what is made of it is checked."""

    def __init__(self, session: Session, tenant_id: str) -> None:
        self._session = session
        self._tenant_id = tenant_id
        self._known: dict[tuple[int, int], bytes] = {}

    def __call__(self, height: int, index: int) -> bytes:
        """Return the root of the index-th subtree of a height. Raises VerificationFailed for a log that has holes."""
        if (height, index) not in self._known:
            above = height % TILE_HEIGHT
            row = self.hashes(height // TILE_HEIGHT, index << above, (index + 1) << above)
            while len(row) > 1:
                row = [node_hash(*row[at : at + 2]) for at in range(0, len(row), 2)]
            self._known[height, index] = row[0]
        return self._known[height, index]

    def leaves(self, begin: int, end: int) -> list[bytes]:
        """Return the hashes of entries as they are stored; where there is none, zeroes: the hash of nothing."""
        where = {"tenant_id": self._tenant_id, "begin": begin, "end": end}
        found: dict[int, object] = dict(self._session.all(_LEAVES, where))
        row = [found.get(place) for place in range(begin, end)]
        return [each if isinstance(each, bytes) and len(each) == HASH_SIZE else bytes(HASH_SIZE) for each in row]

    def hashes(self, level: int, begin: int, end: int) -> list[bytes]:
        """Return the hashes of a level, 0 for the leaves, from one place up to another. Raises VerificationFailed."""
        where = {"tenant_id": self._tenant_id, "level": level, "begin": begin, "end": end}
        found = dict(self._session.all(_NODES if level else _LEAVES, where))
        if level:  # entries that were written before these hashes were kept
            for place in range(begin, end):
                if place not in found:
                    found[place] = self._below(level, place)
        row = [found.get(place) for place in range(begin, end)]
        if not all(isinstance(each, bytes) and len(each) == HASH_SIZE for each in row):
            raise VerificationFailed(
                f"the audit log of tenant {self._tenant_id} has a hole or something that is no hash",
                verdict="missing",
                hint="supportaccess audit verify",
            )
        return [each for each in row if each is not None]

    def frontier(self, size: int) -> Frontier:
        """Return the right edge of the tree of the first `size` entries."""
        return Frontier(size, [self(height, index) for height, index in subtrees(size)])

    def _below(self, level: int, place: int) -> bytes:
        row = self.hashes(level - 1, place * TILE_WIDTH, (place + 1) * TILE_WIDTH)
        while len(row) > 1:
            row = [node_hash(*row[at : at + 2]) for at in range(0, len(row), 2)]
        return row[0]
