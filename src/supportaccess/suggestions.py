"""What somebody meant who mistyped a name."""

from collections.abc import Callable, Iterable


def nearest(
    name: str, known: Iterable[str], *, likeness: float = 0.6, key: Callable[[str], str] = str.lower
) -> str | None:
    """Return the known name that is most like one, or None when none is: `likeness` is from 0 to 1, which is the same.

    Names with the same `key` are the same; of several known ones that is the first.
    """
    from difflib import get_close_matches

    by_key: dict[str, str] = {}
    for each in known:
        by_key.setdefault(key(each), str(each))
    close = get_close_matches(key(name.strip()), by_key, n=1, cutoff=likeness)
    return by_key[close[0]] if close else None


def meant(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean NAME?` with the nearest of the known names, or nothing when none is near."""
    near = nearest(name, known)
    if near is None:
        return ""
    return f"; did you mean {near!r}?" if " " in near else f"; did you mean {near}?"
