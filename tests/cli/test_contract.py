"""docs/contract.md and the program say the same."""

import re
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import pytest

from supportaccess import errors
from supportaccess.cli.app.exit_codes import MEANINGS, ExitCode, exit_code_of
from supportaccess.cli.audit.lint import FINDINGS
from supportaccess.cli.audit.report.report import REPORTED
from supportaccess.cli.audit.who import DECIDERS
from supportaccess.cli.output.fields import ACCESS_REQUESTS, AUDIT_ENTRIES, Layout, names_of
from supportaccess.cli.output.formats import FORMATS
from supportaccess.domain.audit import AuditEntry
from supportaccess.domain.events import Event, What
from supportaccess.domain.lint.findings import LintFinding
from supportaccess.domain.records import AccessRequest
from supportaccess.domain.report.figures import Report
from supportaccess.domain.roles.approvers import Decider
from supportaccess.errors import SupportAccessError
from supportaccess.http.trust import VARIABLES
from supportaccess.structs import Struct

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
PAGE = (ROOT / "docs" / "contract.md").read_text()
NOT_OURS = {"NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TERM", "COLUMNS"} | set(VARIABLES)


def table(heading: str) -> dict[str, list[str]]:
    """Return the rows of the table under a heading, by their first cell; no row may be there twice."""
    after = PAGE.split(f"\n## {heading}\n")
    assert len(after) == 2, f"the page has {len(after) - 1} headings {heading!r}"
    lines = iter(after[1].split("\n## ")[0].splitlines())
    rows = [row for row in takewhile(bool, _table_lines(lines)) if row.startswith("| `")]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    names = [first.strip("`") for first, *_ in cells]
    assert len(names) == len(set(names))
    return {name: rest for name, (_, *rest) in zip(names, cells, strict=True)}


def _table_lines(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if line.startswith("|"):
            yield line
            yield from lines
            return


def every_error() -> list[type[SupportAccessError]]:
    """Return every kind of error that the rules have; the server's own are of HTTP."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    return [kind for kind in kinds if issubclass(kind, SupportAccessError)]


def test_exit_codes() -> None:
    """The page has every exit code with its meaning, and no other."""
    assert {code: cells[0] for code, cells in table("Exit codes").items()} == {
        str(int(code)): meaning for code, meaning in MEANINGS.items()
    }
    assert set(MEANINGS) == set(ExitCode)


@pytest.mark.parametrize(
    ("heading", "kind"),
    [
        ("Fields of an access request", AccessRequest),
        ("Fields of an audit entry", AuditEntry),
        ("Fields of a finding", LintFinding),
        ("Fields of a decider", Decider),
    ],
    ids=["access request", "audit entry", "finding", "decider"],
)
def test_fields(heading: str, kind: type[Struct]) -> None:
    """The page has every field, in the order of the record, and no other."""
    assert list(table(heading)) == names_of(kind)


def test_fields_of_an_event() -> None:
    """The page has every field of an event, in its order, and every value of `what`."""
    assert list(table("Fields of an event")) == [name for name in names_of(Event) if "." not in name]
    section = PAGE.partition("## Fields of an event")[2].partition("\n## ")[0]
    assert set(What) <= set(re.findall(r"`(\w+)`", section.rpartition("|")[2]))


def test_fields_of_a_report() -> None:
    """The page has every field of a report, in its order, and names the members of its numbers."""
    told = table("Fields of a report")
    assert list(told) == [name for name in names_of(Report) if "." not in name]
    for name in names_of(Report):
        field, _, member = name.partition(".")
        assert f"`{member or field}`" in (told[field][0] if member else f"`{field}`"), name


def test_error_codes() -> None:
    """The page has the code of every error with its exit code, and no other."""
    told = {code: int(cells[-1]) for code, cells in table("Error codes").items()}
    assert told == {kind.code: int(exit_code_of(kind("told"))) for kind in every_error()}


def test_formats() -> None:
    """The page has every output format, and no other."""
    assert list(table("Output formats")) == list(FORMATS)


def test_environment_variables() -> None:
    """The page has every variable that the program reads, and no other."""
    text = "\n".join(path.read_text() for path in SOURCES)
    ours = set(re.findall(r"\"(SUPPORTACCESS_[A-Z_]+)\"", text))
    assert all(f'"{name}"' in text for name in NOT_OURS)
    assert set(table("Environment variables")) == ours | NOT_OURS


@pytest.mark.parametrize(
    ("before", "layout"),
    [
        ("The columns of `list` as", ACCESS_REQUESTS),
        ("Those of `audit log`:", AUDIT_ENTRIES),
        ("Those of `audit lint`:", FINDINGS),
        ("Those of `audit who`:", DECIDERS),
        ("Those of `audit report`:", REPORTED),
    ],
    ids=["list", "audit log", "audit lint", "audit who", "audit report"],
)
def test_columns(before: str, layout: Layout) -> None:
    """The page has the columns of TSV and CSV in their order."""
    after = PAGE.partition(before)[2].partition(":" if "as" in before else " ")[2]
    named = re.findall(r"`([A-Za-z.]+)`", after)
    assert tuple(named[: len(layout.columns)]) == layout.columns


def test_every_page_that_a_message_names_exists() -> None:
    """No message or comment sends a reader to a page that is not there."""
    named = {name for path in SOURCES for name in re.findall(r"docs/[\w./-]+\.md", path.read_text())}
    assert named
    assert not {name for name in named if not (ROOT / name).is_file()}
