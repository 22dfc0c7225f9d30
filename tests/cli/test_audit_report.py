"""`supportaccess audit report`."""

import csv
import io
import re
import shutil
import subprocess
import unicodedata
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.cli.home import EXAMPLE, Home, key
from tests.cli.output.samples import HARMFUL, HOSTILE
from tests.domain.test_lint import ADA, mirror, request
from tests.support.axe import problems
from tests.support.examples import costly
from tests.support.people import HOME, START, asking
from tests.support.requirements import require

from supportaccess.cli.audit.report.html import tag
from supportaccess.cli.audit.report.page import page
from supportaccess.cli.audit.report.timeline import tick_labels, timeline
from supportaccess.domain.lint.findings import Code, LintFinding, Severity
from supportaccess.domain.records import AccessRequest, Engineer, Status
from supportaccess.domain.report.figures import (
    LogState,
    Period,
    Report,
    access_in,
    belongs,
    decision_times_of,
    numbers_of,
    reported,
)
from supportaccess.domain.report.gaps import gaps_of
from supportaccess.errors import InvalidInput
from supportaccess.store.protocol import LogHead

DAY = timedelta(days=1)
PERIOD = Period(since=START, until=START + 30 * DAY)
HOLDS = LogState(size=3, root="ab", begins_at=START - DAY, holds=True, checkpoint="signed")


class Page(HTMLParser):
    """What a reader of a page finds: its elements with their attributes, and its text."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data if self.open[-1:] != ["style"] else ""

    def names(self) -> set[str]:
        return {name for name, _ in self.elements}


def shaped(*records: AccessRequest, **more: Any) -> Report:
    findings = more.pop("findings", ())
    told = reported(records, {}, findings)
    fields = {
        "tenant_id": HOME,
        "period": PERIOD,
        "made_at": PERIOD.until,
        "made_by": "supportaccess",
        "numbers": numbers_of(records, [], PERIOD),
        "decision_times": decision_times_of(records, PERIOD),
        "requests": told,
        "access": access_in(records, PERIOD),
        "findings": tuple(findings),
        "skipped": (),
        "log": HOLDS,
        "gaps": (),
    }
    return Report(**{**fields, **more})


def markup(report: Report) -> str:
    return b"".join(page(report)).decode()


@pytest.fixture
def busy(home: Home) -> Home:
    """Return a home with a request of every status, a mirror of each kind, and something to worry about."""
    home.one_of_each()
    home.approved("open", ago=timedelta(days=2), requested_seconds=None)
    assert home.run("store", "sweep").code == 0
    assert home.run("import", str(EXAMPLE)).code == 0
    return home


def written(home: Home, *arguments: str) -> Page:
    result = home.run("audit", "report", "--html", "report.html", *arguments)
    assert result.code == 0, result.err
    return Page((home.folder / "report.html").read_text())


def test_the_page_has_everything(busy: Home) -> None:
    """Every request with who decided and why, its entries, the findings, the head of the log and the gaps are there."""
    found = written(busy, "--since", "2026-01-01")
    whole = busy.run("audit", "report", "--since", "2026-01-01", "-o", "json").json

    anchors = {attributes["id"] for name, attributes in found.elements if name == "article"}
    assert anchors == {f"r-{record['id']}" for record in whole["requests"]}
    assert len(anchors) >= 9
    for each in (*whole["gaps"], *(finding["message"] for finding in whole["findings"]), whole["log"]["root"]):
        assert each in found.text
    assert "Ada Administrator" in found.text
    assert "The audit log holds" in found.text
    assert sum(len(record.get("history", ())) for record in whole["requests"]) >= 20
    targets = {f"#{attributes['id']}" for _, attributes in found.elements if "id" in attributes}
    assert {attributes["href"] for name, attributes in found.elements if name == "a"} <= targets


def test_the_page_needs_nothing_from_elsewhere(busy: Home) -> None:
    """No script, image, frame, form or address is in it; its policy allows its own style alone, by hash."""
    found = written(busy)

    assert found.names() <= {
        *("html", "head", "meta", "title", "style", "body", "a", "header", "h1", "h2", "h3", "p", "nav", "ul", "li"),
        *("main", "div", "span", "section", "dl", "dt", "dd", "table", "caption", "thead", "tbody", "tr", "th", "td"),
        *("code", "pre", "time", "article", "q", "footer", "svg", "desc", "rect", "line", "text"),
    }
    names = {name for _, attributes in found.elements for name in attributes}
    assert not {name for name in names if name.startswith("on") or name in {"src", "style", "action", "srcset"}}
    assert all(value.startswith("#") for _, attributes in found.elements if (value := attributes.get("href")))
    (policy,) = [a["content"] for name, a in found.elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[\w+/=]{44}'; base-uri 'none'; form-action 'none'", policy or ""
    )


def test_an_existing_file_is_left_alone(busy: Home) -> None:
    """A file that is there is not replaced, nor is what a link leads to; nothing else is left behind."""
    (busy.folder / "there.html").write_text("mine")
    (busy.folder / "link.html").symlink_to("elsewhere")
    for name in ("there.html", "link.html", "missing/report.html", "config"):
        refused = busy.run("audit", "report", "--html", name)
        assert refused.code == 1
        assert "Traceback" not in refused.err
    assert (busy.folder / "there.html").read_text() == "mine"
    assert not (busy.folder / "elsewhere").exists()
    written(busy)
    assert (busy.folder / "report.html").stat().st_mode & 0o777 == 0o600
    assert not list(busy.folder.glob(".*"))


@pytest.mark.process
def test_a_full_disk(busy: Home) -> None:
    """Where there is no room it says so and leaves no half file."""
    small = busy.folder / "small"
    small.mkdir()
    namespace = ["unshare", "-Urm", "mount", "-t", "tmpfs", "tmpfs", str(small)]
    may = shutil.which("unshare") and subprocess.run(namespace, capture_output=True, check=False).returncode == 0
    require(may, "unshare and leave to mount a tmpfs in a user namespace")
    (busy.folder / "script").write_text(
        "mount -t tmpfs -o size=16k tmpfs small\n"
        "supportaccess audit report --html small/half.html; echo $?; ls -A small"
    )
    result = busy.shell("unshare -Urm bash script")

    assert result.lines == ["1"]
    assert "small/half.html cannot be written: No space left on device" in result.err


def test_other_formats(busy: Home) -> None:
    """JSON is the whole report, CSV a row a request; a page on standard output is the same page."""
    whole = busy.run("audit", "report", "-o", "json").json
    header, *rows = csv.reader(io.StringIO(busy.run("audit", "report", "-o", "csv").out))

    assert {"numbers", "decisionTimes", "requests", "access", "findings", "log", "gaps", "period"} <= whole.keys()
    assert [row[0] for row in rows] == [record["id"] for record in whole["requests"]]
    assert header[-1] == "findings"
    assert busy.run("audit", "report", "--query", "numbers.rejected").out == "1\n"
    for form in ("table", "tsv", "yaml", "jsonl", "ids"):
        assert busy.run("audit", "report", "-o", form).code == 0
    assert busy.run("audit", "report", "--html", "-").out.startswith("<!doctype html>")


def test_the_period(busy: Home) -> None:
    """Only what touches the period is in it; a period that ends before it begins is wrong usage."""
    assert busy.run("audit", "report", "--since", "2026-01-02", "--until", "2026-01-03").out == ""
    assert busy.run("audit", "report", "--since", "1d", "--until", "2d").code == 2
    recent = busy.run("audit", "report", "--since", "1h", "-o", "ids").lines
    assert set(recent) < set(busy.run("audit", "report", "-o", "ids").lines)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_events SET entry = CAST('{' AS BLOB) WHERE sequence = 5",
        "UPDATE audit_events SET entry = CAST(replace(CAST(entry AS TEXT), 'Request', 'request') AS BLOB)",
        "DELETE FROM audit_events WHERE sequence = 3",
    ],
)
def test_a_log_that_does_not_hold(busy: Home, statement: str) -> None:
    """The report is made all the same, says that it is not to be trusted and why, and the exit code is 9."""
    busy.alter(statement)
    result = busy.run("audit", "report", "--html", "report.html")
    found = Page((busy.folder / "report.html").read_text())

    assert result.code == 9
    assert "The audit log does not hold." in found.text
    assert "The audit log did not verify" in found.text
    assert "Traceback" not in result.err


def test_a_shared_stores_head_is_the_same(busy: Home) -> None:
    """The head in the report is that of the log."""
    log = busy.run("audit", "report", "-o", "json").json["log"]
    with busy.store() as store:
        head: LogHead = store.log_head()

    assert (log["size"], log["root"]) == (head.size, head.root)
    checkpoint = busy.run("audit", "log", "--checkpoint").out
    assert log["checkpoint"] == checkpoint
    assert checkpoint.strip() in written(busy).text


def test_hostile_text_on_the_page(home: Home) -> None:
    """Text from records stays text, whatever is in it."""
    for number, text in enumerate(HOSTILE.values()):
        with home.store() as store:
            try:
                text = text[:200]
                record = store.raise_request(asking(f"t{number}", engineer=text, reason=text, title=text), key=key())
                store.approve(record.id, etag=record.etag, key=key(), reason=text)
            except InvalidInput:  # no store holds a NUL or half a character
                continue
    found = written(home)

    assert not {"script", "img", "b", "i"} & found.names()
    assert not {unicodedata.category(each) for each in found.text.replace("\n", "")} & HARMFUL


hostile = st.text(max_size=30) | st.sampled_from(
    ["<script>alert(1)</script>", "</style><script>", "]]>", "<!--", "-->", "\"' onload=x", "\u202egnol", "&lt;", "\0"]
)


@costly(100)
@given(hostile, hostile, hostile)
def test_any_text_stays_text(name: str, reason: str, ticket: str) -> None:
    """Over all of Unicode: the page has the same elements as with plain text, and nothing in it is unseen."""

    def made(name: str, reason: str, ticket: str) -> Page:
        record = request(
            status=Status.REVOKED,
            engineer=Engineer(display_name=f"e{name}"),
            reason=f"r{reason}",
            title=f"t{name}",
            support_request_id=f"s{ticket}",
            decided_by=replace(ADA, display_name=f"d{name}"),
            created_at=START,
            starts_at=START,
            decided_at=START,
            ended_at=START + DAY,
            ended_by=ADA,
            end_reason=f"x{reason}",
        )
        finding = LintFinding(
            code=Code.NO_TIME_LIMIT,
            severity=Severity.HIGH,
            tenant_id=HOME,
            access_request_id="one",
            message=f"m{name}",
            command=f"c{reason}",
            silenced=f"w{ticket}",
        )
        return Page(markup(shaped(record, findings=[finding], gaps=(name, reason), tenant_name=f"n{name}")))

    hostile, plain = made(name, reason, ticket), made("a", "b", "c")
    assert [element for element, _ in hostile.elements] == [element for element, _ in plain.elements]
    assert hostile.open == []
    assert not {unicodedata.category(each) for each in hostile.text.replace("\n", "")} & HARMFUL


def test_attributes_are_text_too() -> None:
    """A quote in an attribute does not end it."""
    assert tag("p", "<", title='"><script>') == '<p title="&quot;&gt;&lt;script&gt;">&lt;</p>'


moments = st.integers(-60, 90).map(lambda hours: START + timedelta(hours=hours * 12))
histories = st.builds(
    lambda status, created, decided, ended: request(
        status=status,
        created_at=created,
        decided_at=created + decided if status is not Status.PENDING else None,
        starts_at=created + decided if status in {Status.APPROVED, Status.REVOKED} else None,
        ended_at=created + decided + ended if status in {Status.REVOKED, Status.REJECTED} else None,
        expires_at=None,
    ),
    st.sampled_from([Status.PENDING, Status.APPROVED, Status.REJECTED, Status.REVOKED]),
    moments,
    st.integers(0, 50).map(lambda hours: timedelta(hours=hours)),
    st.integers(0, 500).map(lambda hours: timedelta(hours=hours)),
)


@given(st.lists(histories, max_size=6))
def test_numbers_add_up(records: list[AccessRequest]) -> None:
    """Access is within the period and of requests that belong to it; what is open at the end has no end."""
    within = [record for record in records if belongs(record, PERIOD)]
    access, numbers = access_in(within, PERIOD), numbers_of(within, [], PERIOD)

    assert all(PERIOD.since <= each.since < PERIOD.until for each in access)
    assert all(each.until is None or each.since <= each.until <= PERIOD.until for each in access)
    assert numbers.open_at_end == sum(each.until is None or each.until == PERIOD.until for each in access)
    assert numbers.requests == len(within) >= numbers.raised
    assert access_in(records, PERIOD) == access
    times = decision_times_of(within, PERIOD)
    if times.median is not None:
        assert (times.shortest or 0) <= times.median <= (times.longest or 0)


@given(st.integers(1, 10**9), st.integers(0, 10**8))
def test_ticks(seconds: int, offset: int) -> None:
    """Of any period at most nine moments are marked, all inside it and in order; the picture can be drawn."""
    since = START + timedelta(seconds=offset)
    period = Period(since=since, until=since + timedelta(seconds=seconds))
    ticks = [moment for moment, _ in tick_labels(period)]

    assert len(ticks) <= 9
    assert ticks == sorted(set(ticks))
    assert all(period.since <= each < period.until for each in ticks)
    assert timeline(access_in([request(starts_at=since, created_at=since, expires_at=None)], period), period)


def test_gaps_are_named() -> None:
    """Each thing that cannot be known is a sentence; of a period that is all known there is none."""
    known = reported([request(created_at=START, decided_at=START)], {}, ())
    common: dict[str, Any] = {"skipped": [], "imported_at": PERIOD.until, "made_at": PERIOD.until}
    assert list(gaps_of(known, PERIOD, log=HOLDS, **common)) == []

    late = replace(HOLDS, begins_at=START + DAY, holds=False)
    unknown = reported([replace(mirror(), engineer=None, support_request_id=None, resource_tenant_id=None)], {}, ())
    told = list(gaps_of(unknown, PERIOD, log=late, **{**common, "imported_at": START}))
    parts = ("begins on", "did not verify", "last imported", "inferred: 1", "engineer", "support request", "resource")
    for part in parts:
        assert any(part in sentence for sentence in told), part
    empty = replace(HOLDS, begins_at=None)
    assert "no entries" in next(gaps_of((), PERIOD, log=empty, **common))


def test_many_requests_are_drawn_in_part() -> None:
    """The picture has the first hundred; the table has all, and that is said."""
    several = [request(f"r{n}", created_at=START, starts_at=START, expires_at=None) for n in range(130)]
    found = Page(markup(shaped(*several)))

    assert sum(name == "rect" for name, _ in found.elements) == 100
    assert "30 more are in the table alone." in found.text


def test_all_of_time_is_a_period(home: Home) -> None:
    """A period may begin in the first year."""
    assert home.run("audit", "report", "--since", "0001-01-02T00:00:00Z", "--html", "-").code == 0


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility(busy: Home, scheme: str, tmp_path: Path) -> None:
    """In a real browser the page breaks none of axe's rules, light and dark, and its own policy nothing of it."""
    written(busy, "--since", "2026-01-01")
    assert problems(busy.folder / "report.html", tmp_path, scheme=scheme) == []


@pytest.mark.browser
def test_what_looks_for_problems_finds_some(tmp_path: Path) -> None:
    """A page that is not accessible, and one whose policy forbids what it has, are found out."""
    page = tmp_path / "bad.html"
    policy = "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'\">"
    page.write_text(f"<!doctype html><html>{policy}<style>p {{ color: red }}</style><img src='data:,'></html>")
    found = problems(page, tmp_path, scheme="light")

    assert {each.partition(":")[0] for each in found} >= {"browser", "html-has-lang", "image-alt"}
