"""The report as one page: no script, nothing from elsewhere, readable without its style."""

import base64
import hashlib
import pkgutil
from collections.abc import Iterable, Iterator

from supportaccess.cli.audit.report.html import Child, Html, joined, moment, table, tag
from supportaccess.cli.audit.report.request import article
from supportaccess.cli.audit.report.timeline import MOST_DRAWN, timeline
from supportaccess.cli.output.times import duration
from supportaccess.domain.lint.findings import LintFinding
from supportaccess.domain.lint.rules import counting
from supportaccess.domain.records import Status
from supportaccess.domain.report.figures import OpenAccess, Report

_SECTIONS = (
    ("numbers", "The period in numbers"),
    ("findings", "What should worry somebody"),
    ("access", "Whose access was open when"),
    ("requests", "Every request"),
    ("log", "The audit log, and how to verify it"),
    ("gaps", "What this report does not know"),
)
_NUMBERS = (
    ("Requests", "requests"),
    ("Raised", "raised"),
    *((status.capitalize(), status.value) for status in Status if status is not Status.PENDING),
    ("Pending at the end", "pending_at_end"),
    ("Open at the end", "open_at_end"),
    ("Open without limit", "open_without_limit"),
    ("Attempts denied", "denied_attempts"),
    ("Attempts failed", "failed_attempts"),
)


def page(report: Report) -> Iterator[bytes]:
    """Yield the page, part by part."""
    style = _style()
    hashed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{hashed}'; base-uri 'none'; form-action 'none'"
    title = f"Support access of {report.tenant_name or report.tenant_id}"
    yield b'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    head = joined(
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="referrer", content="no-referrer"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="generator", content=report.made_by),
        tag("title", title),
        # Ours, and as it stands: what is in it is hashed.
        Html(f"<style>{style}</style>"),
    )
    yield f"{head}\n</head>\n<body>\n".encode()
    yield _bytes(tag("a", "To the report", href="#main", class_="skip"))
    yield _bytes(_header(report, title))
    yield b'<main id="main">\n'
    yield _bytes(_verdict(report))
    yield _bytes(_section("numbers", _numbers(report)))
    yield _bytes(_section("findings", _findings(report)))
    yield _bytes(_section("access", _access(report)))
    yield f'<section aria-labelledby="requests">{_heading("requests")}\n'.encode()
    if not report.requests:
        yield _bytes(tag("p", "There were none in the period."))
    for request in report.requests:
        yield _bytes(article(request))
    yield b"</section>\n"
    yield _bytes(_section("log", _log(report)))
    yield _bytes(_section("gaps", _gaps(report)))
    yield b"</main>\n"
    yield _bytes(tag("footer", f"Made by {report.made_by} on ", moment(report.made_at), "."))
    yield b"</body>\n</html>\n"


def _bytes(markup: Html) -> bytes:
    return f"{markup}\n".encode()


def _style() -> str:
    data = pkgutil.get_data(__package__, "data/report.css")
    if data is None:
        raise RuntimeError("the program's own style sheet is missing")
    return data.decode()


def _heading(name: str) -> Html:
    return tag("h2", dict(_SECTIONS)[name], id=name)


def _section(name: str, *children: Child) -> Html:
    return tag("section", _heading(name), *children, aria_labelledby=name)


def _header(report: Report, title: str) -> Html:
    named = f" ({report.tenant_id})" if report.tenant_name else ""
    contents = (tag("li", tag("a", heading, href=f"#{name}")) for name, heading in _SECTIONS)
    return tag(
        "header",
        tag("h1", title),
        tag("p", "From ", moment(report.period.since), " to before ", moment(report.period.until), named),
        tag("nav", tag("ul", *contents), aria_label="Contents"),
    )


def _verdict(report: Report) -> Html:
    """Return what a reader in a hurry has to know."""
    loud = counting(report.findings)
    silenced = len(report.findings) - len(loud)
    also = f" {silenced:,} more {'is' if silenced == 1 else 'are'} known and silenced." if silenced else ""
    found = f"{len(loud):,} finding{'' if len(loud) == 1 else 's'}.{also}"
    open_now = report.numbers.open_at_end
    return tag(
        "div",
        tag("p", tag("span", *_holds(report))),
        tag("p", tag("span", found, class_="bad" if loud else "good")),
        tag("p", f"At the end of the period access was open for {open_now:,} request{'' if open_now == 1 else 's'}."),
        tag("p", f"{len(report.gaps):,} thing{'' if len(report.gaps) == 1 else 's'} that this report does not know: ",
            tag("a", "named below", href="#gaps"), "."),
        class_="verdict",
    )  # fmt: skip


def _holds(report: Report) -> Iterator[Html]:
    if not report.log.holds:
        yield tag("span", "The audit log does not hold.", class_="bad")
    elif report.log.size:
        yield tag("span", f"The audit log holds: {report.log.size:,} entries verified.", class_="good")
    else:
        yield tag("span", "The audit log has no entries: nothing was verified.", class_="warn")


def _numbers(report: Report) -> Html:
    told = report.numbers
    boxes = (tag("div", tag("dt", name), tag("dd", f"{getattr(told, field):,}")) for name, field in _NUMBERS)
    times = report.decision_times
    lengths = [
        (name, duration(seconds)) for name, seconds in
        (("Shortest", times.shortest), ("Median", times.median), ("Longest", times.longest)) if seconds is not None
    ]  # fmt: skip
    unknown = f", of {times.unknown:,} of them it is not known how long they took" if times.unknown else ""
    return joined(
        tag("dl", *boxes, class_="numbers"),
        tag("h3", "Times to decision"),
        tag("p", f"{times.decisions:,} decision{'' if times.decisions == 1 else 's'} in the period{unknown}."),
        tag("dl", *(tag("div", tag("dt", name), tag("dd", length)) for name, length in lengths), class_="numbers")
        if lengths
        else None,
    )


def _findings(report: Report) -> Html:
    rows = (_finding(finding) for finding in report.findings)
    head = ("Code", "Severity", "Request", "What is wrong", "What mends it")
    return joined(
        table("findings-table", "By the rules of supportaccess audit lint, the most severe first", head, rows)
        if report.findings
        else tag("p", tag("span", "Nothing was found.", class_="good")),
        *(tag("p", f"{each.code} was not looked for: {each.reason}.", class_="quiet") for each in report.skipped),
    )


def _finding(finding: LintFinding) -> tuple[Child, ...]:
    name = finding.support_request_id or finding.access_request_id
    mending = tag("code", finding.command)
    if finding.silenced is not None:
        mending = joined(tag("span", "Silenced: ", class_="quiet"), tag("span", finding.silenced, class_="said"))
    return (
        tag("span", finding.code, class_="word"),
        finding.severity.value,
        tag("a", name, href=f"#r-{finding.access_request_id}", class_="word"),
        tag("span", finding.message, class_="said"),
        mending,
    )


def _access(report: Report) -> Html:
    if not report.access:
        return tag("p", "Nobody's access was open in the period.")
    more = len(report.access) - MOST_DRAWN
    head = ("Support request", "Engineer", "Approved by", "From", "Until", "Ended as", "Time limit")
    return joined(
        tag("div", timeline(report.access, report.period), class_="wide", tabindex=0, role="region",
            aria_label="Timeline of open access"),
        tag("p", f"{more:,} more are in the table alone.", class_="quiet") if more > 0 else None,
        table("access-table", "The same as a table", head, map(_open_access, report.access)),
    )  # fmt: skip


def _open_access(access: OpenAccess) -> Iterable[Child]:
    before = tag("span", " and before", class_="quiet") if access.began_before else None
    return (
        tag(
            "a",
            access.support_request_id or access.access_request_id,
            href=f"#r-{access.access_request_id}",
            class_="word",
        ),
        tag("span", access.engineer or "unknown", class_="said"),
        tag("span", access.decided_by or "unknown", class_="said"),
        joined(moment(access.since), before),
        moment(access.until) if access.until else "still open",
        access.status.value if access.until or not access.status.is_known else "",
        moment(access.expires_at) if access.expires_at else "none",
    )


def _log(report: Report) -> Html:
    """Return how the log stands and what a reader can do to check it: the place for checkpoints too."""
    log = report.log
    facts = tag(
        "dl",
        tag("dt", "Entries"), tag("dd", f"{log.size:,}"),
        tag("dt", "Root hash"), tag("dd", tag("code", log.root)),
        tag("dt", "Begins"), tag("dd", moment(log.begins_at) if log.begins_at else "unknown"),
        tag("dt", "Verified"), tag("dd", *_holds(report)),
        class_="facts",
    )  # fmt: skip
    tenant = report.tenant_id
    signed = joined(
        tag("p", "The signed checkpoint (C2SP). Save it as a file to hold an export of the log against it:"),
        tag("pre", tag("code", log.checkpoint)),
        tag("pre", tag("code", "supportaccess audit verify EXPORT --key KEY --anchor CHECKPOINT")),
    ) if log.checkpoint else None  # fmt: skip
    return joined(
        facts,
        tag("ul", *(tag("li", trouble) for trouble in log.troubles)) if log.troubles else None,
        tag("p", "The head above is of the moment at which this report was made. Whoever has access to the store can "
            "recompute it, and see that the log still begins with it:"),
        tag("pre", tag("code", f"supportaccess audit verify --tenant {tenant}\n"
                       f"supportaccess audit log --tenant {tenant} --all --oldest-first -o jsonl")),
        signed,
        tag("p", "An entry is a leaf of a Merkle tree as RFC 6962 has it (SHA-256). Keep this page, or the root hash, "
            "where those who may write to the store cannot."),
    )  # fmt: skip


def _gaps(report: Report) -> Html:
    if not report.gaps:
        return tag("p", "Nothing that it could tell.")
    return tag("ul", *(tag("li", gap) for gap in report.gaps))
