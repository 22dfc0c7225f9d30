"""The picture of whose access was open when: an SVG inside the page, of which the table below it says the same."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from supportaccess.cli.audit.report.html import Html, joined, tag
from supportaccess.domain.records import FINAL, WAS_APPROVED, Status
from supportaccess.domain.report.figures import OpenAccess, Period

MOST_DRAWN = 100
_WIDTH, _LEFT, _RIGHT = 960, 190, 90
_ROW, _BAR, _TOP = 24, 12, 8
_LONGEST_NAME = 26
_STEPS = (
    *(timedelta(minutes=minutes) for minutes in (1, 5, 15, 30)),
    *(timedelta(hours=hours) for hours in (1, 3, 6, 12)),
    *(timedelta(days=days) for days in (1, 2, 7, 14, 30, 91, 182, 365, 1826, 3652, 36525)),
)
_MOST_TICKS = 8


def timeline(access: Sequence[OpenAccess], period: Period) -> Html:
    """Return the picture: a bar for each access, the earliest on top."""
    drawn = access[:MOST_DRAWN]
    bottom = _TOP + len(drawn) * _ROW
    return tag(
        "svg",
        tag("title", "Whose access was open when", id="timeline-title"),
        tag(
            "desc",
            "A bar for each access, from its opening to its end. The table below says the same.",
            id="timeline-desc",
        ),
        *_ticks(period, bottom),
        *(_row(each, period, _TOP + place * _ROW) for place, each in enumerate(drawn)),
        viewBox=f"0 0 {_WIDTH} {bottom + 26}",
        role="img",
        aria_labelledby="timeline-title timeline-desc",
    )


def _row(access: OpenAccess, period: Period, top: int) -> Html:
    begin = _x(access.since, period)
    end = _x(access.until or period.until, period)
    is_open = access.until is None
    name = access.support_request_id or access.access_request_id
    shown = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}\u2026"
    middle = top + _BAR + 1
    return joined(
        tag("text", shown, x=0, y=middle),
        tag(
            "rect",
            x=f"{begin:.1f}",
            y=top + 3,
            width=f"{max(end - begin, 2):.1f}",
            height=_BAR,
            rx=2,
            class_="open" if is_open else _class(access.status),
        ),
        tag(
            "text",
            "still open" if is_open and access.status.is_known else access.status.value,
            x=_WIDTH - _RIGHT + 12,
            y=middle,
        ),
    )


def _class(status: Status) -> str:
    return status.value if status in FINAL & WAS_APPROVED else "open"


def _ticks(period: Period, bottom: int) -> Iterator[Html]:
    for moment, label in tick_labels(period):
        x = f"{_x(moment, period):.1f}"
        yield tag("line", x1=x, y1=_TOP, x2=x, y2=bottom, class_="axis")
        yield tag("text", label, x=x, y=bottom + 18, text_anchor="middle", class_="tick")


def tick_labels(period: Period) -> list[tuple[datetime, str]]:
    """Return the moments that are marked, at most eight, at full steps of time."""
    length = period.until - period.since
    step = next((each for each in _STEPS if length / each <= _MOST_TICKS), _STEPS[-1])
    midnight = period.since.replace(hour=0, minute=0, second=0, microsecond=0)
    form = "%Y-%m-%d" if step >= timedelta(days=1) else "%m-%d %H:%M"
    labels: list[tuple[datetime, str]] = []
    moment = midnight
    while moment < period.until and len(labels) <= _MOST_TICKS:
        if moment >= period.since:
            labels.append((moment, moment.strftime(form)))
        if moment > datetime.max.replace(tzinfo=moment.tzinfo) - step:
            break
        moment += step
    return labels


def _x(moment: datetime, period: Period) -> float:
    share = (moment - period.since) / (period.until - period.since)
    return _LEFT + min(max(share, 0.0), 1.0) * (_WIDTH - _LEFT - _RIGHT)
