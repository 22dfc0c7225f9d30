"""The formats of `--output`: a module each, which is imported once its format is used."""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from supportaccess.errors import InvalidInput
from supportaccess.suggestions import meant

if TYPE_CHECKING:
    from supportaccess.cli.output.formats.format import OutputFormat

FORMATS: Mapping[str, str] = {
    "table": "Table",
    "json": "Json",
    "jsonl": "JsonLines",
    "csv": "Csv",
    "tsv": "Tsv",
    "yaml": "Yaml",
    "ids": "Ids",
}
"""The class of each format, in the module of the format's name; in the order in which help names them."""


def format_named(name: str, *, by: str = "--output") -> str:
    """Return the name of a format, which a flag or a variable gave. Raises InvalidInput for an unknown one."""
    if name not in FORMATS:
        hint = f"Use one of {', '.join(FORMATS)}."
        raise InvalidInput(f"{by} is {name!r}, which is no output format{meant(name, FORMATS)}", hint=hint)
    return name


def load(name: str) -> "type[OutputFormat]":
    """Return the class of a known format."""
    found: type[OutputFormat] = getattr(import_module(f"{__name__}.{name}"), FORMATS[name])
    return found
