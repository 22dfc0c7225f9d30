"""Whether to colour, and with what. Rich is never asked: it ignores half of these variables."""

import os
from collections.abc import Mapping
from enum import StrEnum


class Colour(StrEnum):
    """A colour by its name in Rich."""

    RED = "red"
    GREEN = "green"
    YELLOW = "yellow"
    BOLD = "bold"
    DIM = "dim"


_CODES = {Colour.RED: "31", Colour.GREEN: "32", Colour.YELLOW: "33", Colour.BOLD: "1", Colour.DIM: "2"}


def paint(text: str, colour: Colour | None) -> str:
    """Return the text in that colour; without one, as it is."""
    return text if colour is None else f"\x1b[{_CODES[colour]}m{text}\x1b[0m"


def wants_colour(environ: Mapping[str, str], *, is_terminal: bool, no_color: bool) -> bool:
    """Decide for one stream: flag, own variable, NO_COLOR, forced, the terminal's own word, then whether it is one."""
    if no_color or environ.get("SUPPORTACCESS_NO_COLOR", "") not in {"", "0"} or environ.get("NO_COLOR"):
        return False
    if any(environ.get(name, "") not in {"", "0"} for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    if environ.get("TERM") == "dumb" or environ.get("CLICOLOR") == "0":
        return False
    # The old Windows console shows escape sequences as text; Windows Terminal names itself.
    return is_terminal and (os.name != "nt" or "WT_SESSION" in environ)
