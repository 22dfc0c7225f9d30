"""HTML, element by element. Whatever is not markup already is text, and stays it."""

from html import escape

from supportaccess.cli.output.text import safe

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
