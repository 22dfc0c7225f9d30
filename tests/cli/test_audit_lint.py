"""`supportaccess audit lint` and `audit who`."""

import json
import re
import shlex
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.cli.home import EXAMPLE, Home, now
from tests.cli.output.samples import HOSTILE
from tests.cli.test_hostile_text import harmless
from tests.sources.test_role_assignments import REPORTS_READER, assignment, written
from tests.support.people import HOME, RESOURCE, object_id
from tests.support.worlds import ADA

from supportaccess.cli.audit.inputs import evidence_of
from supportaccess.domain.lint.findings import MEANINGS

PAGE = (Path(__file__).parents[2] / "docs" / "audits.md").read_text()
EXAMPLE_TENANT = "8d3fc0a1-5a52-4c6e-9c0e-3f5b0a6d2e71"


def codes(home: Home, *arguments: str) -> list[str]:
    return [each["code"] for each in home.run("audit", "lint", "-o", "json", *arguments).json]


@pytest.fixture
def worrying(home: Home) -> Home:
    """Return a home with access that was opened 40 days ago by the one who asked, without a limit."""
    home.approved("1", ago=timedelta(days=40), requested_seconds=None)
    return home


def test_what_is_found(worrying: Home) -> None:
    """A finding has its code, severity, record, what is wrong and the command that mends it, which does."""
    found = worrying.run("audit", "lint", "-o", "json")
    (record,) = worrying.run("list", "-o", "json").json

    assert found.code == 0
    assert [(each["code"], each["severity"]) for each in found.json] == [
        ("SA006", "high"),
        ("SA002", "medium"),
        ("SA003", "medium"),
    ]
    assert {each["accessRequestId"] for each in found.json} == {record["id"]}
    assert found.json[2]["message"].startswith("Access has been open for 40 days")
    assert "SA005 was not looked for: no role assignments were given" in found.err
    assert "1 request looked at: 3 findings." in found.err

    assert worrying.run(*shlex.split(found.json[0]["command"])[1:], "--yes").code == 0
    assert codes(worrying) == ["SA006"]  # that they had done it themselves is not undone


def test_exit_code(worrying: Home) -> None:
    """--fail-if-any exits with 10 for what is found and not silenced, at least as severe as was asked for."""
    assert worrying.run("audit", "lint", "--fail-if-any").code == 10
    assert worrying.run("audit", "lint", "--severity", "high", "--fail-if-any").code == 10
    worrying.run("tenant", "set", "contoso", "--silence", "SA006=one person only")
    assert worrying.run("audit", "lint", "--severity", "high", "--fail-if-any").code == 0
    assert worrying.run("audit", "lint", "--fail-if-any").code == 10
    assert worrying.run("audit", "lint", "--older-than", "50d", "-o", "json").json[-1]["code"] == "SA002"


def test_silencing(worrying: Home) -> None:
    """A silenced finding is still shown, with the reason; taken back, it counts again."""
    silence = ["tenant", "set", "contoso", "--silence"]
    assert worrying.run(*silence, "sa002=Entra has no limits", "--silence", "SA003=known = fine").code == 0
    found = worrying.run("audit", "lint", "-o", "json").json
    assert {each["code"]: each.get("silenced") for each in found} == {
        "SA006": None,
        "SA002": "Entra has no limits",
        "SA003": "known = fine",
    }
    screen = worrying.on_terminal("audit", "lint")
    assert "Silenced: Entra has no limits" in screen.text
    assert "1 finding, 2 silenced." in screen.text
    shown = worrying.run("tenant", "show", "-o", "json").json
    assert shown["silenced"] == {"SA002": "Entra has no limits", "SA003": "known = fine"}

    assert worrying.run(*silence, "SA002=").code == 0
    assert worrying.run("tenant", "set", "contoso", "--alias", "c").code == 0
    assert worrying.run("tenant", "show", "-o", "json").json["silenced"] == {"SA003": "known = fine"}
    worrying.run("tenant", "set", "c", "--silence", "SA003= ")
    assert "silenced" not in worrying.run("tenant", "show", "-o", "json").json


@pytest.mark.parametrize("given", ["SA099=why", "SA002", "", "=why", f"SA002={'x' * 2000}"])
def test_what_cannot_be_silenced(home: Home, given: str) -> None:
    """What is no code, or no reason, is wrong usage and changes nothing."""
    refused = home.run("tenant", "set", "contoso", "--silence", given)

    assert refused.code == 2
    assert "silenced" not in home.run("tenant", "show", "-o", "json").json


def test_on_a_terminal(worrying: Home) -> None:
    """A terminal gets each finding with its record, what is wrong and what mends it."""
    screen = worrying.on_terminal("audit", "lint", columns=200)

    assert screen.code == 0
    assert screen.lines[0].split()[:2] == ["SA006", "high"]
    assert screen.lines[2].startswith("  Mend:     supportaccess revoke ")
    assert "\x1b[31mSA006" in screen.coloured
    assert "\x1b[" not in worrying.on_terminal("audit", "lint", "--no-color").coloured


def test_nothing_to_find(home: Home) -> None:
    """Where nothing is wrong nothing is printed, and that is said."""
    home.raised("1")
    result = home.run("audit", "lint", "--fail-if-any")

    assert (result.code, result.out) == (0, "")
    assert "1 request looked at: 0 findings." in result.err


def test_several_tenants(worrying: Home) -> None:
    """Over several tenants each finding says whose it is, and codes are silenced for one tenant alone."""
    worrying.add_tenant(RESOURCE, "fabrikam")
    assert worrying.run("import", str(EXAMPLE), "-t", EXAMPLE_TENANT).code == 0
    worrying.run("tenant", "set", EXAMPLE_TENANT, "--silence", "SA002=Entra has none")
    found = worrying.run("audit", "lint", "--all-tenants", "-o", "json").json

    assert {each["tenantId"] for each in found} == {HOME, EXAMPLE_TENANT}
    assert {each["tenantId"]: "silenced" in each for each in found if each["code"] == "SA002"} == {
        HOME: False,
        EXAMPLE_TENANT: True,
    }


def test_role_assignments(home: Home) -> None:
    """With role assignments, access that somebody approved who may no longer is found; a broken file is told."""
    home.approved("1")
    ada = object_id(ADA)
    may = written(home.folder, [assignment(ada)], "may.json")
    may_not = written(home.folder, [assignment(ada, REPORTS_READER)], "may-not.json")
    own = {
        "permissions": {"AccessRequests.Decide": "ours"},
        "roles": {"Reader": REPORTS_READER},
    }
    table = written(home.folder, {"asOf": "2026-11-01", "grants": [own]}, "table.json")

    assert "SA005" not in codes(home, "--roles", str(may))
    assert "SA005" in codes(home, "--roles", str(may_not))
    assert "SA005" not in codes(home, "--roles", str(may_not), "--role-table", str(table))
    assert home.run("audit", "lint", "--roles", str(EXAMPLE)).code == 1
    assert home.run("audit", "lint", "--roles", "missing.json").code == 1
    assert home.run("audit", "lint", "--role-table", str(may)).code == 2


def test_who(home: Home) -> None:
    """Who decided, how often and when; which roles could, or with role assignments who."""
    records = home.one_of_each()
    ada = object_id(ADA)
    result = home.run("audit", "who", "-o", "json")
    (did,) = [row for row in result.json if "lastAt" in row]
    assert (did["id"], did["approved"], did["rejected"], did["revoked"]) == (ada, 4, 1, 1)
    assert len([row for row in result.json if row["kind"] == "role"]) == 45
    assert "45 directory roles may decide, by the table of 2026-08-21" in result.err

    roles = written(home.folder, [assignment("new", principal={"displayName": "New"}), assignment(ada)])
    did, could = home.run("audit", "who", "--roles", str(roles), "-o", "json").json
    assert (did["mayDecide"], did["roles"]) == (True, ["Service Support Administrator"])
    assert (could["displayName"], could["approved"]) == ("New", 0)
    since = records["approved"].decided_at
    assert since is not None
    later = home.run("audit", "who", "--since", since.isoformat().replace("+00:00", "Z"), "-o", "json").json[0]
    assert (later["approved"], later["rejected"]) == (1, 0)
    assert home.run("audit", "who", "--until", "40h", "-o", "csv").lines[1].startswith("role,")


def test_who_decided_at_the_provider(new_home: Home) -> None:
    """People who decided in the Entra admin center are counted by the mirrors."""
    new_home.run("import", str(EXAMPLE), "-t", EXAMPLE_TENANT)
    people = [row for row in new_home.run("audit", "who", "-o", "json").json if "lastAt" in row]

    assert {row["displayName"] for row in people} >= {"Ada Admin", "Olga Owner"}
    assert all(row["kind"] == "user" for row in people)


def test_many_tickets(home: Home) -> None:
    """The other halves of many support requests are found too."""
    tickets = [f"t{number}" for number in range(60)]
    home.approved(*tickets, requested_seconds=None)
    home.run("import", str(EXAMPLE))
    with home.store() as store:
        evidence = evidence_of(store, now(), None)

    assert {record.support_request_id for record in evidence.related} >= set(tickets)
    assert set(evidence.raised_by) >= {record.id for record in evidence.records if record.support_request_id in tickets}


@pytest.mark.parametrize("form", ["table", "json", "csv", "tsv", "yaml", "ids"])
def test_hostile_text(home: Home, form: str) -> None:
    """No format of findings or deciders sends a terminal anything but text and colours."""
    name = HOSTILE[next(iter(HOSTILE))][:100]
    home.approved("1", engineer=name, requested_seconds=None)
    owned = json.dumps(
        {"kind": "user", "objectId": "x", "tenantId": HOME, "displayName": "\x1b]0;owned\x07\x9b2J\u202e"}
    )
    ticket = "json_set(record, '$.supportRequestId', '\x1b[2J')"
    home.alter(f"UPDATE access_requests SET record = json_set({ticket}, '$.decidedBy', json('{owned}'))")
    roles = written(home.folder, [assignment("y", principal={"displayName": "\x1b[2J\u202e"})])
    for command in ("lint", "who"):
        screen = home.on_terminal("audit", command, "--roles", str(roles), "-o", form)
        assert screen.code == 0
        harmless(screen)


def test_the_page_has_every_code() -> None:
    """docs/audits.md has every code with its severity and meaning, and no other."""
    rows: dict[str, Any] = dict(re.findall(r"^\| `(SA\d+)` \| (.*) \|$", PAGE, re.MULTILINE))

    assert rows.keys() == set(MEANINGS)
    for code, (severity, meaning) in MEANINGS.items():
        assert rows[code].startswith(f"{severity} | {meaning}"), code
