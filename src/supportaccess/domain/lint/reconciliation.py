"""Which mirror and which request of this store tell of the same access request, and whether they agree."""

from collections.abc import Iterable
from enum import Enum

from supportaccess.domain.attention import listed_at
from supportaccess.domain.records import FACTS, AccessRequest, Source


class Standing(Enum):
    """What a status means for the engineer, whoever's word for it that is."""

    WAITING = "waiting"
    REFUSED = "refused"
    LET_IN = "let in"
    ENDED = "ended"

    @property
    def waits(self) -> bool:
        """Whether nothing was decided yet."""
        return self is Standing.WAITING

    @property
    def lets_in(self) -> bool:
        """Whether access is open."""
        return self is Standing.LET_IN


def standing(record: AccessRequest) -> Standing:
    """Return what the record's status means."""
    facts = FACTS[record.status.counts_as]
    if facts.is_open:
        return Standing.LET_IN if facts.was_approved else Standing.WAITING
    return Standing.ENDED if facts.was_approved else Standing.REFUSED


def partners(records: Iterable[AccessRequest]) -> dict[str, AccessRequest]:
    """Return, for requests of one support request in one tenant, each one's other half by ID.

    Nothing names the other half: the first request of this store goes with the first mirror, the second with the
    second. What is left over has none.
    """
    ordered = sorted(records, key=lambda record: (listed_at(record), record.id))
    local = [record for record in ordered if record.source is Source.STORE]
    mirrors = [record for record in ordered if record.source is not Source.STORE]
    found: dict[str, AccessRequest] = {}
    for one, other in zip(local, mirrors, strict=False):
        found[one.id], found[other.id] = other, one
    return found
