"""What somebody meant who mistyped a name."""

from collections.abc import Iterable


def meant(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean NAME?` with the nearest of the known names, or nothing when none is near."""
    from difflib import get_close_matches

    by_lower = {each.lower(): str(each) for each in known}
    close = get_close_matches(name.strip().lower(), by_lower, n=1)
    if not close:
        return ""
    nearest = by_lower[close[0]]
    return f"; did you mean {nearest!r}?" if " " in nearest else f"; did you mean {nearest}?"
