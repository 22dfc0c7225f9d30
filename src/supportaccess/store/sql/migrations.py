"""Brings a store's schema to the version that this program knows: numbered SQL files, each in one transaction."""

import re
from importlib import resources

_NUMBERED = re.compile(r"(\d{4})_\w+\.sql")


def migrations(database: str) -> dict[int, str]:
    """Return the SQL of every migration of a database (`sqlite`, `postgresql`), by version."""
    folder = resources.files(__package__) / "migrations" / database
    numbered = ((_NUMBERED.fullmatch(file.name), file) for file in folder.iterdir())
    return {int(match[1]): file.read_text("utf-8") for match, file in numbered if match}
