"""The example that a new user imports."""

from collections import Counter
from pathlib import Path

from tests.sources.builders import TENANT

from supportaccess.domain.records import Status
from supportaccess.sources.entra.export import Export
from supportaccess.sources.entra.rebuild import rebuild

EXAMPLE = Path(__file__).parents[2] / "examples" / "entra-audit-log.json"


def test_the_example() -> None:
    """The example tells of eight requests in every status that Entra knows, three of them open."""
    with EXAMPLE.open("rb") as stream:
        source = Export(stream, name=EXAMPLE.name, tenant_id=TENANT)
        events = list(source)
    assert (source.events, source.unrelated, len(events)) == (30, 7, 23)
    assert [found.activity for found in events if not found.recognised] == ["Request reassigned"]
    rebuilt = rebuild(found for found in events if found.recognised)
    assert Counter(mirror.record.status for mirror in rebuilt) == {
        Status.APPROVED: 3,
        Status.PENDING: 1,
        Status.REJECTED: 1,
        Status.CANCELED: 1,
        Status.REVOKED: 1,
        Status.COMPLETED: 1,
    }
    assert all(mirror.record.support_request_id for mirror in rebuilt)
