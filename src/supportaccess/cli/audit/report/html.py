"""HTML, element by element. Whatever is not markup already is text, and stays it."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape

from supportaccess.cli.output.text import safe
from supportaccess.domain.times import format_rfc3339

_EMPTY = frozenset({"meta", "rect", "line"})


class Html(str):
    """Markup, made here."""

    __slots__ = ()


Child = Html | str | None


def text(value: str) -> Html:
    """Return foreign text as markup: nothing in it is a tag, and what cannot be seen or would reorder it is shown."""
    return Html(escape(safe(value, multiline=True)))


def tag(name: str, /, *children: Child, **attributes: str | int | None) -> Html:
    """Return an element. An attribute's `_` stands for `-`, at its end for nothing; None leaves it out."""
    told = "".join(f' {_name(key)}="{text(str(value))}"' for key, value in attributes.items() if value is not None)
    return Html(f"<{name}{told} />" if name in _EMPTY else f"<{name}{told}>{joined(*children)}</{name}>")


def joined(*children: Child) -> Html:
    """Return the children one after another."""
    return Html("".join(child if isinstance(child, Html) else text(child) for child in children if child is not None))


def _name(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


def moment(value: datetime) -> Html:
    """Return a time, in UTC to the minute; a program finds it whole."""
    return tag("time", value.astimezone(UTC).isoformat(sep=" ")[:16] + " UTC", datetime=format_rfc3339(value))


def table(name: str, caption: str, head: Sequence[str], rows: Iterable[Iterable[Child]]) -> Html:
    """Return a table that can be scrolled sideways where there is no room."""
    return tag(
        "div",
        tag(
            "table",
            tag("caption", caption, id=name),
            tag("thead", tag("tr", *(tag("th", title, scope="col") for title in head))),
            tag("tbody", *(tag("tr", *(tag("td", cell) for cell in row)) for row in rows)),
        ),
        class_="wide",
        tabindex=0,
        role="region",
        aria_labelledby=name,
    )
