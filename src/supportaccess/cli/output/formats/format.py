"""The formats of `--output`."""

from enum import StrEnum

from supportaccess.errors import InvalidInput
from supportaccess.suggestions import meant


class Format(StrEnum):
    """How records are written."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    TSV = "tsv"
    YAML = "yaml"
    IDS = "ids"


def format_named(name: str, *, by: str = "--output") -> Format:
    """Return the format of that name, which a flag or a variable gave. Raises InvalidInput."""
    try:
        return Format(name)
    except ValueError:
        raise InvalidInput(
            f"{by} is {name!r}, which is no output format{meant(name, Format)}", hint=f"Use one of {', '.join(Format)}."
        ) from None
