"""The one-liners of docs/audits.md."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from tests.cli.home import EXAMPLE, Home
from tests.sources.test_role_assignments import assignment, written
from tests.support.people import RESOURCE
from tests.support.requirements import require

PAGE = (Path(__file__).parents[2] / "docs" / "audits.md").read_text()
AUDITS = re.findall(r"^\*\*(\d+)\. .*?\n```bash\n(.*?)\n```\n```powershell\n(.*?)\n```", PAGE, re.MULTILINE | re.DOTALL)
MATCHES = {"1", "2"}
"""The audits that find something in this home, and say so by their exit code."""
FILES = {"2": "findings.jsonl", "3": "roots.txt", "4": "approvals.csv"}


@pytest.fixture
def audited(home: Home) -> Home:
    """Return a home in which each audit finds something."""
    home.one_of_each()
    home.add_tenant(RESOURCE, "fabrikam")
    home.crossing(RESOURCE, approve=True, requested_seconds=None)
    assert home.run("import", str(EXAMPLE)).code == 0
    raised = home.run("provider", "raise", "--support-request", "9", "--engineer", "E", "--reason", "R", "-o", "ids")
    assert home.run("approve", raised.lines[0], "-y").code == 0  # by the account that had asked
    written(home.folder, [assignment("somebody-else")])
    return home


def test_there_are_ten() -> None:
    """The page has ten audits, each a line of bash and a line of PowerShell."""
    assert [number for number, _, _ in AUDITS] == [str(number) for number in range(1, 11)]
    assert all(line.startswith("supportaccess ") and "\n" not in line for _, *lines in AUDITS for line in lines)


@pytest.mark.parametrize(("number", "bash"), [(number, bash) for number, bash, _ in AUDITS])
def test_in_bash(audited: Home, number: str, bash: str) -> None:
    """Each line runs in bash as it stands on the page, and finds what is there to be found."""
    require("jq" not in bash or shutil.which("jq"), "jq: apt-get install jq")
    result = audited.shell(f"set -o pipefail; {bash}")

    assert result.code == (10 if number in MATCHES else 0), result
    if number == "10":
        (report,) = audited.folder.glob("report-*.html")
        assert report.read_text().rstrip().endswith("</html>")
    else:
        out = (audited.folder / FILES[number]).read_text() if number in FILES else result.out
        assert out.strip()


@pytest.mark.parametrize(("bash", "powershell"), [(bash, powershell) for _, bash, powershell in AUDITS])
def test_powershell_asks_the_same(bash: str, powershell: str) -> None:
    """The program's arguments are the same in PowerShell, and nothing in them is read otherwise there."""
    ours, theirs = (re.split(r" \| | > | >> |; ", line)[0] for line in (bash, powershell))

    plain = re.compile(r'"report-\$\(.*?\)\.html"')
    assert shlex.split(plain.sub("FILE", ours)) == shlex.split(plain.sub("FILE", theirs))
    assert not set("`&^%") & set(theirs)
