"""Imports of large events."""

import tracemalloc
from pathlib import Path

from msgspec.structs import replace
from tests.support.events import CREATED, event
from tests.support.people import HOME, caller

from supportaccess.store.sql.sqlite.open import open_embedded
from supportaccess.store.sql.store import SqlStore

MIB = 1024**2
EVENTS = 40


def test_an_import_holds_a_few_of_its_events_at_a_time(tmp_path: Path) -> None:
    """Whoever imports large events does not fill the server's memory with them."""
    events = (replace(event(CREATED, minute, ticket=str(minute)), raw="x" * MIB) for minute in range(EVENTS))
    engine = open_embedded(tmp_path / "store.db")
    tracemalloc.start()
    try:
        imported = SqlStore(engine, caller(HOME)).import_events(events, key="key", details={})
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        engine.close()

    assert imported.new == EVENTS
    assert most < EVENTS * MIB / 2
