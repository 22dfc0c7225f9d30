"""`approve`, `reject`, `revoke` and `provider withdraw`, of a single request."""

import time
from datetime import timedelta
from typing import NamedTuple

import pytest
from tests.cli.home import EXAMPLE, TICKET, Home, key, now
from tests.cli.terminal import CTRL_C, CTRL_D
from tests.support.people import HOME

from supportaccess.domain.records import AccessRequest


class Decision(NamedTuple):
    """A decision: its command, how it asks, the word for what it does, and what comes of it."""

    words: tuple[str, ...]
    question: str
    done: str
    before: str
    after: str


CONTOSO = f"contoso ({HOME})"
"""How the tenant is named wherever something is asked or done."""

APPROVE = Decision(("approve",), f"Approve this request in tenant {CONTOSO}?", "approved", "pending", "approved")
REJECT = Decision(
    ("reject", "--reason", "no"), f"Reject this request in tenant {CONTOSO}?", "rejected", "pending", "rejected"
)
REVOKE = Decision(("revoke",), f"Revoke this request in tenant {CONTOSO}?", "revoked", "approved", "revoked")
WITHDRAW = Decision(
    ("provider", "withdraw"), f"Withdraw this request in tenant {CONTOSO}?", "withdrawn", "pending", "canceled"
)
DECISIONS = [APPROVE, REJECT, REVOKE, WITHDRAW]
each_decision = pytest.mark.parametrize("decision", DECISIONS, ids=[each.done for each in DECISIONS])


def waiting(home: Home, decision: Decision) -> AccessRequest:
    """Return a request that the decision is possible for."""
    return (home.raised() if decision.before == "pending" else home.approved())[0]


@each_decision
@pytest.mark.parametrize("answer", ["y\n", "YES\n"], ids=["y", "YES"])
def test_a_yes_decides(home: Home, decision: Decision, answer: str) -> None:
    """On a terminal the request is shown and asked about, and a yes decides it."""
    record = waiting(home, decision)
    screen = home.on_terminal(*decision.words, record.id[:8], answer=answer)
    before, _, after = screen.words.partition(decision.question)
    assert screen.code == 0
    assert "contoso" in before
    assert record.id in before
    assert TICKET in before
    assert "They say: Sign-in fails for guests" in before
    assert decision.done in after
    assert f"in tenant {CONTOSO}." in after
    assert home.get(record.id).status == decision.after


@each_decision
@pytest.mark.parametrize("answer", ["n\n", "\n", "maybe\n", CTRL_D], ids=["n", "empty", "maybe", "EOF"])
def test_anything_else_changes_nothing(home: Home, decision: Decision, answer: str) -> None:
    """Every other answer, also none, changes nothing and exits with 1."""
    record = waiting(home, decision)
    entries = home.log_size()
    screen = home.on_terminal(*decision.words, record.id, answer=answer)
    assert screen.code == 1
    assert screen.lines[-1] == "Nothing was changed."
    assert home.get(record.id) == record
    assert home.log_size() == entries


@pytest.mark.process
@each_decision
def test_ctrl_c_at_the_question(home: Home, decision: Decision) -> None:
    """Ctrl-C at the question changes nothing and exits with 130."""
    record = waiting(home, decision)
    screen = home.on_terminal(*decision.words, record.id, answer=CTRL_C)
    assert screen.code == 130
    assert "Interrupted." in screen.text
    assert home.get(record.id) == record


def test_a_question_beside_a_file(home: Home) -> None:
    """With the output in a file the question is still asked on the terminal, and the record goes to the file."""
    record = waiting(home, APPROVE)
    target = home.folder / "out.tsv"
    screen = home.on_terminal("approve", record.id, answer="y\n", output=target)
    assert (screen.code, APPROVE.question in screen.words) == (0, True)
    assert target.read_text().split("\t")[0] == record.id
    assert home.get(record.id).status == APPROVE.after


@each_decision
def test_off_a_terminal_nobody_can_be_asked(home: Home, decision: Decision) -> None:
    """In a pipe a decision needs --yes: without it, exit 2 and nothing changed, before anything is read."""
    record = waiting(home, decision)
    result = home.run(*decision.words, record.id, stdin="y\n")
    assert (result.code, result.out) == (2, "")
    assert "--yes" in result.err
    assert home.get(record.id) == record


@each_decision
def test_yes_decides_in_a_pipe(home: Home, decision: Decision) -> None:
    """With --yes the decision is made, and the record printed as it now stands."""
    record = waiting(home, decision)
    result = home.run(*decision.words, record.id, "--yes", "-o", "json")
    assert result.code == 0
    (printed,) = result.json
    assert printed == home.run("show", record.id, "-o", "json").json
    assert printed["status"] == decision.after
    assert record.id in result.err
    assert f"in tenant {CONTOSO}." in result.err


@each_decision
def test_yes_decides_on_a_terminal(home: Home, decision: Decision) -> None:
    """With --yes a terminal is not asked either, and sees what was done."""
    record = waiting(home, decision)
    screen = home.on_terminal(*decision.words, record.id, "-y")
    assert screen.code == 0
    assert "[y/N]" not in screen.text
    assert decision.done in screen.text
    assert home.get(record.id).status == decision.after


@each_decision
def test_a_dry_run_changes_nothing(home: Home, decision: Decision) -> None:
    """--dry-run says what would happen, asks nobody, and changes nothing, not even what fell due elsewhere."""
    record = waiting(home, decision)
    home.raised("late", ago=timedelta(hours=2), decide_by=now() - timedelta(hours=1))
    entries = home.log_size()
    result = home.run(*decision.words, record.id, "--dry-run")
    assert (result.code, result.out.split("\t")[0]) == (0, record.id)
    assert record.id in result.err
    assert "Nothing was changed: this is a dry run." in result.err
    screen = home.on_terminal(*decision.words, record.id, "--dry-run")
    assert (screen.code, screen.lines[-1]) == (0, "Nothing was changed: this is a dry run.")
    assert home.get(record.id) == record
    assert home.log_size() == entries


@each_decision
def test_a_decision_that_stands_can_be_repeated(home: Home, decision: Decision) -> None:
    """The same decision again is a success that says so, and leaves no entry in the audit log."""
    record = waiting(home, decision)
    first = home.run(*decision.words, record.id, "--yes", "-o", "json")
    entries = home.log_size()
    for again in (
        home.run(*decision.words, record.id, "--yes", "-o", "json"),
        home.run(*decision.words, record.id, "--yes", "-o", "json"),
    ):
        assert (again.code, again.json) == (0, first.json)
        assert f"is {decision.after} already" in again.err
    assert home.log_size() == entries


@pytest.mark.process
@each_decision
def test_what_was_shown_is_what_is_decided(home: Home, decision: Decision) -> None:
    """When the record changes between the question and the answer, the answer is a conflict: exit 6."""
    record = waiting(home, decision)
    with home.terminal(*decision.words, record.id) as terminal:
        terminal.wait_for("[y/N] ")
        with home.store() as store:
            if decision.before == "pending":
                changed = store.approve(record.id, etag=record.etag, key=key())
            else:
                changed = store.revoke(record.id, etag=record.etag, key=key())
        terminal.type("y\n")
        screen = terminal.finish()
    assert screen.code == 6
    assert f"is {changed.status} and cannot be {decision.done}" in screen.words
    assert home.get(record.id) == changed


@pytest.mark.process
def test_a_record_that_changed_back_is_not_the_one_that_was_shown(home: Home) -> None:
    """The same status is not enough: a record with other content is a conflict too."""
    (record,) = home.raised()
    with home.terminal("approve", record.id) as terminal:
        terminal.wait_for("[y/N] ")
        home.alter("UPDATE access_requests SET record = json_set(record, '$.etag', 'other')")
        terminal.type("y\n")
        screen = terminal.finish()
    assert screen.code == 6
    assert "changed after it was shown" in screen.words
    assert home.get(record.id).status == "pending"


CONFLICTS = [
    (decision, status)
    for decision in DECISIONS
    for status in ("completed", "expired", "lapsed", "canceled", "rejected", "revoked", "approved", "pending")
    if status not in {decision.before, decision.after}
]


def test_conflicts_name_the_status(home: Home) -> None:
    """A decision that the status forbids exits with 6 and names the status, for every pair of the two."""
    records = home.one_of_each()
    for decision, status in CONFLICTS:
        result = home.run(*decision.words, records[status].id, "--yes")
        assert (result.code, result.out) == (6, "")
        assert f"{records[status].id} is {status}" in result.err
        assert f"cannot be {decision.done}" in result.err
        assert f"supportaccess show {records[status].id}" in result.err


def test_a_conflict_names_who_did_it(home: Home) -> None:
    """The one who is named is the one who brought the request to where it is, not who approved it before."""
    (record,) = home.approved()
    assert home.run("revoke", record.id, "-y").code == 0
    (ended_by,) = [home.get(record.id).ended_by]
    assert ended_by is not None
    result = home.run("approve", record.id, "-y")
    assert f"is revoked by {ended_by.display_name} on " in result.err
    assert "Ada" not in result.err


def test_a_rejection_needs_a_reason(home: Home) -> None:
    """Without --reason, or with an empty one, nothing is rejected: exit 2."""
    (record,) = home.raised()
    for arguments in ([], ["--reason", ""], ["--reason", "  "]):
        result = home.run("reject", record.id, "-y", *arguments)
        assert (result.code, "reason" in result.err) == (2, True)
    assert home.get(record.id) == record


def test_the_reason_is_kept(home: Home) -> None:
    """A reason is in the record and in the audit log."""
    (record,) = home.raised()
    assert home.run("approve", record.id, "-y", "-r", "outage of sign-in").code == 0
    assert home.get(record.id).decision_reason == "outage of sign-in"
    assert "outage of sign-in" in home.run("audit", "log", "-L", "1").out


@pytest.mark.parametrize(
    ("arguments", "seconds"),
    [([], 8 * 3600), (["--for", "2h"], 7200), (["--for", "90m"], 5400), (["--for", "8h"], 8 * 3600)],
    ids=["as asked", "2h", "90m", "all of it"],
)
def test_how_long(home: Home, arguments: list[str], seconds: int) -> None:
    """Access lasts as long as was asked for, or shorter with --for."""
    (record,) = home.raised()
    (printed,) = home.run("approve", record.id, "-y", "-o", "json", *arguments).json
    decided = home.get(record.id)
    assert decided.starts_at is not None
    assert decided.expires_at == decided.starts_at + timedelta(seconds=seconds)
    assert printed["expiresAt"] > printed["startsAt"]


def test_until_when(home: Home) -> None:
    """--until takes a moment or how far ahead it is, and can be repeated."""
    first, second = home.raised("1", "2")
    moment = (now() + timedelta(hours=3)).replace(microsecond=0)
    text = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert home.run("approve", first.id, "-y", "--until", text).code == 0
    assert home.get(first.id).expires_at == moment
    assert home.run("approve", first.id, "-y", "--until", text).code == 0
    assert home.run("approve", second.id, "-y", "--until", "3h").code == 0
    left = (home.get(second.id).expires_at or now()) - now()
    assert timedelta(hours=2) < left <= timedelta(hours=3)


@pytest.mark.parametrize(
    "arguments",
    [["--for", "9h"], ["--until", "9h"], ["--for", "0h"], ["--until", "2020-01-01"], ["--for", "99999w"]],
    ids=" ".join,
)
def test_a_limit_that_cannot_be(home: Home, arguments: list[str]) -> None:
    """A limit longer than asked for, of no length or in the past is refused before anybody is asked: exit 2."""
    (record,) = home.raised()
    for more in (["--yes"], ["--dry-run"]):
        result = home.run("approve", record.id, *arguments, *more)
        assert (result.code, result.out) == (2, "")
        assert result.err.startswith("Error: ")
    screen = home.on_terminal("approve", record.id, *arguments)
    assert screen.code == 2
    assert "[y/N]" not in screen.text
    assert home.get(record.id) == record


def test_another_limit_than_the_one_that_stands_is_a_conflict(home: Home) -> None:
    """Approving again with another limit is not the decision that stands: exit 6."""
    (record,) = home.raised()
    assert home.run("approve", record.id, "-y", "--for", "2h").code == 0
    assert home.run("approve", record.id, "-y", "--for", "2h").code == 0
    assert home.run("approve", record.id, "-y").code == 0
    again = home.run("approve", record.id, "-y", "--for", "3h")
    assert again.code == 6
    assert "is approved" in again.err


@pytest.mark.parametrize(
    ("decision", "page", "button"),
    [
        (APPROVE, "Manage pending requests", "Approve"),
        (REJECT, "Manage pending requests", "Reject"),
        (REVOKE, "Approved access", "Remove access"),
    ],
    ids=["approve", "reject", "revoke"],
)
def test_a_mirror_is_decided_in_the_portal(new_home: Home, decision: Decision, page: str, button: str) -> None:
    """A decision on a mirror exits with 11 and says where to decide it, and how to confirm that here."""
    assert new_home.run("import", str(EXAMPLE), "-t", "8d3fc0a1-5a52-4c6e-9c0e-3f5b0a6d2e71").code == 0
    mirror = new_home.run("list", "-s", decision.before, "-L", "1", "-o", "json").json[0]
    result = new_home.run(*decision.words, mirror["id"], "--yes")
    screen = new_home.on_terminal(*decision.words, mirror["id"])
    assert (result.code, result.out, screen.code) == (11, "", 11)
    told = result.err
    assert "https://entra.microsoft.com > Learn & support > Diagnose and solve problems" in told
    assert f"> {page} > support request {mirror['supportRequestId']} > {button}" in told
    assert "supportaccess import FILE" in told
    assert f"supportaccess show {mirror['id']}" in told
    assert page in screen.words
    assert "[y/N]" not in screen.text


def test_a_mirror_is_not_withdrawn_here(new_home: Home) -> None:
    """To withdraw a mirror exits with 11, and does not send the user to a button that approves."""
    assert new_home.run("import", str(EXAMPLE), "-t", "8d3fc0a1-5a52-4c6e-9c0e-3f5b0a6d2e71").code == 0
    (mirror,) = new_home.run("list", "--pending", "-o", "ids").lines
    result = new_home.run("provider", "withdraw", mirror, "-y")
    assert (result.code, result.out) == (11, "")
    assert "Only Microsoft can take its request back" in result.err
    assert "Approve" not in result.err


def test_a_decision_says_what_it_does_not_do(home: Home) -> None:
    """Every decision says that it is this store's, and where Microsoft's own is made; -q leaves that out."""
    first, second = home.raised("1", "2")
    assert "Entra admin center" in home.run("approve", first.id, "-y").err
    quiet = home.run("approve", second.id, "-y", "-q", "-o", "ids")
    assert quiet == (0, f"{second.id}\n", "")


def test_the_account_is_the_one_of_the_system(home: Home) -> None:
    """Who decided is the operating-system account, whatever the environment claims."""
    (record,) = home.raised()
    forged = {"USER": "mallory", "LOGNAME": "mallory", "USERNAME": "mallory", "LNAME": "mallory"}
    assert home.run("approve", record.id, "-y", env=forged).code == 0
    who = home.get(record.id).decided_by
    assert who is not None
    assert who.kind == "local"
    assert "mallory" not in f"{who.object_id}{who.display_name}"


def test_a_mirror_that_is_decided_already(new_home: Home) -> None:
    """A mirror that cannot be decided any more exits with 11, says what it is, and sends nobody to the portal."""
    new_home.run("import", str(EXAMPLE), "--tenant", "8d3fc0a1-5a52-4c6e-9c0e-3f5b0a6d2e71")
    (rejected,) = new_home.run("list", "-s", "rejected", "-o", "ids").lines
    result = new_home.run("approve", rejected, "-y")
    assert (result.code, result.out) == (11, "")
    assert "rejected there, so that it cannot be approved" in result.err
    assert "entra.microsoft.com" not in result.err


def test_a_mirror_needs_no_yes_to_be_refused(new_home: Home) -> None:
    """Off a terminal, where nothing would be asked, a mirror is told as such."""
    new_home.run("import", str(EXAMPLE), "--tenant", "8d3fc0a1-5a52-4c6e-9c0e-3f5b0a6d2e71")
    (pending,) = new_home.run("list", "--pending", "-o", "ids").lines
    assert new_home.run("approve", pending).code == 11


@pytest.mark.process
def test_the_result_is_told_from_now(home: Home) -> None:
    """However long the question stood, what ended just now did not end in the future."""
    (record,) = home.approved()
    with home.terminal("revoke", record.id) as terminal:
        terminal.wait_for("[y/N] ")
        time.sleep(1.5)
        terminal.type("y\n")
        screen = terminal.finish()
    assert screen.code == 0
    (row,) = (line for line in screen.lines if line.startswith(record.id[:8] + " "))
    row = row.removesuffix("contoso").rstrip()
    assert row.split()[-1] == "now" or row.endswith("ago")


def test_the_same_decision_with_another_limit(home: Home) -> None:
    """What is approved with one limit is not approved anew with another; the message says that it is the limit."""
    (record,) = home.raised()
    assert home.run("approve", record.id, "--for", "1h", "-y").code == 0
    result = home.run("approve", record.id, "--for", "2h", "-y")
    assert result.code == 6
    assert "approved already, with another time limit" in result.err


@each_decision
def test_its_row_has_the_tenant(home: Home, decision: Decision) -> None:
    """In columns the decided record comes with the tenant whose view it is; in JSON it is the API's record."""
    record = waiting(home, decision)
    result = home.run(*decision.words, record.id, "--yes")
    assert result.out.rstrip("\n").split("\t")[-1] == HOME
    again = home.on_terminal(*decision.words, record.id, "--yes")
    (row,) = (line for line in again.lines if line.startswith(f"{record.id[:8]} "))
    assert row.split()[-1] == "contoso"
    chosen = home.run(*decision.words, record.id, "--yes", "--columns", "id,tenantId", "-o", "json")
    assert chosen.json == [{"id": record.id, "tenantId": HOME}]


@each_decision
def test_a_failure_names_the_tenant(home: Home, decision: Decision) -> None:
    """What could not be decided is told with the tenant in which it could not."""
    result = home.run(*decision.words, "99999999", "--yes")
    assert result.code == 5
    assert result.err.startswith(f"Error: tenant {CONTOSO}: ")
