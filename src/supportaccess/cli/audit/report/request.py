"""One request on the page: what was asked, what was decided and why, and its entries in the log."""

from collections.abc import Iterator
from datetime import datetime

from supportaccess.cli.audit.report.html import Child, Html, joined, moment, table, tag
from supportaccess.cli.output.attempts import tried
from supportaccess.cli.output.times import duration
from supportaccess.domain.audit import AuditEntry
from supportaccess.domain.records import Actor, ActorKind, Source, Status
from supportaccess.domain.report.figures import ReportedRequest, name_of


def article(request: ReportedRequest) -> Html:
    """Return the request. Its anchor is named for its ID."""
    title = f"Support request {request.support_request_id or 'unknown'}"
    return tag(
        "article",
        tag(
            "header",
            tag("h3", title),
            tag("span", request.status.value, class_=f"status {request.status.tone.value}"),
            *(tag("span", code, class_="bad") for code in request.findings),
            tag("code", request.id, class_="quiet"),
        ),
        tag("p", request.title, class_="said") if request.title else None,
        tag("dl", *_facts(request), class_="facts"),
        _history(request),
        id=f"r-{request.id}",
    )


def _facts(request: ReportedRequest) -> Iterator[Html]:
    for name, value in _named(request):
        yield tag("dt", name)
        yield tag("dd", value)


def _named(request: ReportedRequest) -> Iterator[tuple[str, Child]]:
    engineer = None if request.engineer is None else request.engineer.display_name or request.engineer.id
    yield "Asked", _when(request.created_at, engineer or "an engineer who is unknown", request.reason)
    if request.support_request_tenant_id != request.resource_tenant_id:
        yield "Data of tenant", request.resource_tenant_id or "unknown"
        yield "Ticket of tenant", request.support_request_tenant_id or "unknown"
    yield "Decided", _decided(request)
    if request.status not in {Status.PENDING, Status.REJECTED}:
        yield "Access", _access(request)
    if request.mirror is not None:
        inferred = f"; inferred: {', '.join(request.mirror.inferred)}" if request.mirror.inferred else ""
        yield "Known from", f"the provider's record ({request.source}), {request.mirror.confidence}{inferred}"


def _decided(request: ReportedRequest) -> Child:
    if request.decided_at is None and request.decided_by is None:
        deadline = request.decide_by
        return joined("not decided; deadline ", moment(deadline)) if deadline else "not decided"
    taken = request.seconds_to_decision
    after = "" if taken is None else f"after {duration(taken)}"
    decided = _when(request.decided_at, _who(request.decided_by), request.decision_reason)
    return joined(decided, tag("span", after, class_="quiet"))


def _access(request: ReportedRequest) -> Child:
    if request.starts_at is None and request.ended_at is None:
        if not request.status.is_known:
            return f"counts as open: this version does not know the status {request.status}"
        return "not opened" if request.status is not Status.APPROVED else "open; since when is unknown"
    began = joined("opened ", moment(request.starts_at)) if request.starts_at else None
    limit = joined(", limit ", moment(request.expires_at)) if request.expires_at else None
    if request.ended_at is None:
        open_ = "open" if request.status.is_known else request.status.value
        return joined(began, limit, f", {open_}" if limit else f", {open_} without a time limit")
    ended = _when(request.ended_at, _who(request.ended_by), request.end_reason)
    return joined(began, limit, "; " if began else None, f"{request.status} ", ended)


def _when(value: datetime | None, who: str, why: str | None) -> Html:
    return joined(
        moment(value) if value else "at an unknown time",
        f" by {who}. ",
        tag("q", why, class_="said") if why else None,
        " " if why else None,
    )


def _who(actor: Actor | None) -> str:
    if actor is None:
        return "somebody unknown"
    return "the system" if actor.kind is ActorKind.SYSTEM else f"{name_of(actor)} ({actor.kind})"


def _history(request: ReportedRequest) -> Html:
    if not request.history:
        return tag("p", "The audit log has no entry of it.", class_="quiet")
    caption = "In the audit log" if request.source is Source.STORE else "In the audit log: imports that changed it"
    head = ("Entry", "Time", "Activity", "By", "Status", "Reason")
    return table(f"h-{request.id}", f"{caption} ({request.id})", head, map(_entry, request.history))


def _entry(entry: AuditEntry) -> tuple[Child, ...]:
    before, after = entry.status_before, entry.status_after
    status = f"{before} \u2192 {after}" if before and after and before != after else str(after or before or "")
    return (
        f"{entry.sequence:,}",
        moment(entry.time),
        entry.activity.value,
        tag("span", _who(entry.actor), class_="said"),
        status,
        joined(tried(entry), " ", tag("span", entry.reason, class_="said") if entry.reason else None),
    )
