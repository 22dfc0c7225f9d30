"""The floor of an import: `json.load`, and the events as they are into a bare table. Arguments: EXPORT DATABASE."""

import gzip
import json
import sqlite3
import sys
from pathlib import Path


def main(export: Path, database: Path) -> None:
    """Do it, in one transaction that is synced as the store's are."""
    opened = gzip.open if export.suffix == ".gz" else open
    with opened(export, "rt", encoding="utf-8") as file:
        events = json.load(file)["value"]
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE events (id TEXT PRIMARY KEY, raw TEXT NOT NULL)")
    rows = ((event["id"], json.dumps(event)) for event in events)
    with connection:
        connection.executemany("INSERT INTO events VALUES (?, ?)", rows)
    connection.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
