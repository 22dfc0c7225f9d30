"""What several parts of the page are made of."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from supportaccess.cli.output.html import Child, Html, tag
from supportaccess.domain.times import format_rfc3339


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
