"""The whole of it, as a user lives it: one request from the provider's question to the proof."""

import re
from pathlib import Path

import pytest
from tests.cli.home import TICKET, Home, ProcessHome
from tests.support.people import HOME

RAISE = ["provider", "raise", "--support-request", TICKET, "--engineer", "Erin Engineer", "--reason", "sign-ins fail"]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Return a home with the profile of one tenant, contoso, and an empty store."""
    home = ProcessHome(tmp_path)
    home.add_tenant(HOME, "contoso", default=True)
    return home


def test_the_story_of_a_request_on_a_terminal(home: Home) -> None:
    """Raised, approved for 8 hours, listed, revoked, listed again, history read, log verified, alteration found."""
    raised = home.on_terminal(*RAISE, "--for", "1d")
    assert raised.code == 0
    found = re.search("[0-9a-f]{8}-[0-9a-f-]{27}", raised.words)
    assert found is not None
    full = found.group()
    short = full[:8]

    pending = home.on_terminal("list")
    assert [line.split()[0:3] for line in pending.lines[1:]] == [[short, TICKET, "pending"]]

    approved = home.on_terminal("approve", short, "--for", "8h", "--reason", "outage", answer="y\n")
    assert approved.code == 0
    assert "Erin Engineer may read the identity diagnostic data" in approved.words
    assert "for 8h." in approved.words

    (row,) = home.on_terminal("list", "--approved").lines[1:]
    assert row.split()[0:3] == [short, TICKET, "approved"]
    assert row.split()[-1] in {"8h", "7h59m"}

    revoked = home.on_terminal("revoke", short, "--reason", "solved", answer="y\n")
    assert revoked.code == 0
    (row,) = home.on_terminal("list", "--approved").lines[1:]
    assert row.split()[0:3] == [short, TICKET, "revoked"]
    assert home.on_terminal("list").text.startswith("No access request matches")

    history = home.on_terminal("show", short).words.partition("History")[2]
    steps = [history.index(step) for step in ("Request created", "Request approved", "Approval removed")]
    assert steps == sorted(steps)
    assert "solved" in history

    verified = home.on_terminal("audit", "verify")
    assert (verified.code, "holds." in verified.text) == (0, True)

    home.alter("UPDATE access_requests SET record = json_set(record, '$.endReason', 'never happened')")
    altered = home.on_terminal("audit", "verify")
    assert altered.code == 9
    assert full in altered.words


def test_the_story_of_a_request_in_a_script(home: Home) -> None:
    """The same without anybody there: machine output in, exit codes out."""
    script = f"""
        set -euo pipefail
        id=$(supportaccess {" ".join(f"'{word}'" for word in RAISE)} --for 1d -o ids -q)
        supportaccess list --pending --fail-if-any -q > /dev/null && exit 90 || [ $? = 10 ]
        supportaccess approve "$id" --for 8h --reason outage --yes -q -o json --query '[0].status'
        supportaccess list --approved -o jsonl | head -1
        supportaccess list --active -o ids | supportaccess revoke - -r solved --yes -q -o json --query '[0].status'
        supportaccess list --active --fail-if-any -q
        supportaccess show "$id" -o json --query endReason
        supportaccess audit log --oldest-first --columns activity
        supportaccess audit verify -q -o json --query entries
    """
    result = home.shell(script)
    assert (result.code, result.err) == (0, "")
    approved, listed, revoked, reason, *rest = result.lines
    assert (approved, revoked, reason) == ('"approved"', '"revoked"', '"solved"')
    assert '"status":"approved"' in listed
    assert rest == ["Request created", "Request approved", "Approval removed", "4"]


@pytest.mark.parametrize("statement", ["UPDATE audit_events SET entry = x'7b7d' WHERE sequence = 1"])
def test_an_altered_entry_is_named(home: Home, statement: str) -> None:
    """Verification names the entry that was altered, and exits with 9 in a script."""
    (record,) = home.approved()
    home.alter(statement)
    result = home.run("audit", "verify")
    assert result.code == 9
    assert "entry 1" in result.err
    assert home.run("list", "-o", "ids").out == f"{record.id}\n"
