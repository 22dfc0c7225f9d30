"""The one-liners of docs/audits.md."""

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import tree_sitter_powershell
from tests.cli.home import EXAMPLE, Home
from tests.sources.test_role_assignments import assignment, written
from tests.support.people import RESOURCE
from tests.support.requirements import require
from tree_sitter import Language, Node, Parser

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


@pytest.mark.process
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
    """A line of PowerShell is one by its grammar, and gives the program the same arguments as they stand there."""
    ours = shlex.split(re.split(r" \| | > | >> |; ", bash)[0].replace("$(date +%F)", "$(...)"))

    assert [ours[0], *arguments(powershell)] == ours


@pytest.mark.parametrize(
    "line",
    [
        "supportaccess list 'unterminated",
        "supportaccess list | | Set-Content x",
        "supportaccess list --limit 10kb",
        "supportaccess list --columns 'id','status'",
        "supportaccess list --columns id,status",
        "supportaccess list --since $since",
        "supportaccess list @arguments",
        "supportaccess list --since (Get-Date)",
        "if (1) { supportaccess list",
    ],
)
def test_what_is_not_as_it_stands(line: str) -> None:
    """What is no PowerShell, or becomes a value of PowerShell's own, is not taken for the program's arguments."""
    with pytest.raises(AssertionError):
        arguments(line)


def arguments(line: str) -> list[str]:
    """Return what a line of PowerShell gives to the program that it begins with."""
    root = Parser(Language(tree_sitter_powershell.language())).parse(line.encode()).root_node
    assert not root.has_error, line
    command = next(each for each in _nodes(root) if each.type == "command")
    (elements,) = (child for child in command.children if child.type == "command_elements")
    return [_literal(child) for child in elements.named_children if child.type != "command_argument_sep"]


def _literal(node: Node) -> str:
    text = (node.text or b"").decode()
    if node.type in {"command_parameter", "generic_token"}:
        assert re.fullmatch(r"[A-Za-z0-9._-]+", text), text
        return text
    # A quoted string stands alone in what could also be a list or a sum.
    while node.named_child_count == 1 and node.named_children[0].text == node.text:
        node = node.named_children[0]
    match node.type:
        case "verbatim_string_characters":
            assert not set("'\"") & set(text[1:-1]), text
            return text[1:-1]
        case "expandable_string_literal":
            return re.sub(r"\$\(Get-Date -Format yyyy-MM-dd\)", "$(...)", text[1:-1])
    raise AssertionError(f"{text} is a {node.type}")


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _nodes(child)
