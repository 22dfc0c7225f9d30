"""The whole of a shared store, as a team lives it: the command line, a server with TLS, a database, and tokens."""

import re

import pytest
from tests.cli.home import EXAMPLE, TICKET, ProcessHome
from tests.e2e.shared_store import ADMINISTRATOR, AUDITOR, IMPORTER, PROVIDER, SharedStore
from tests.support.identity_provider import object_id
from tests.support.people import HOME, RESOURCE

from supportaccess.cli.app.local_account import local_account

EVERYTHING = (*ADMINISTRATOR, *AUDITOR, *PROVIDER, *IMPORTER)
RAISE = ["provider", "raise", "--support-request", TICKET, "--engineer", "Erin Engineer", "--reason", "sign-ins fail"]


def test_the_story_of_a_request(shared_store: SharedStore) -> None:
    """Raised by the provider, decided by an administrator, ended, proved by an auditor: each with their own token."""
    provider = shared_store.person("Provider", PROVIDER, app_only=True)
    ada = shared_store.person("Ada Administrator", ADMINISTRATOR)
    otto = shared_store.person("Otto Auditor", AUDITOR)

    raised = provider.run(*RAISE, "--for", "1d", "-o", "ids")
    assert (raised.code, len(raised.lines)) == (0, 1), raised.err
    (full,) = raised.lines

    assert ada.run("list", "--pending", "-o", "ids").out == raised.out
    approved = ada.run("approve", full[:8], "--for", "2h", "--reason", "outage", "--yes", "-o", "json")
    assert approved.code == 0, approved.err
    assert (approved.json[0]["status"], approved.json[0]["decidedBy"]["displayName"]) == (
        "approved",
        "Ada Administrator",
    )
    assert otto.run("revoke", full, "--yes").code == 4
    assert otto.run("show", full, "-o", "json").json["status"] == "approved"

    revoked = ada.run("revoke", TICKET, "--reason", "solved", "--yes", "-o", "json", "--query", "[0].status")
    assert (revoked.code, revoked.json) == (0, "revoked"), revoked.err
    log = otto.run("audit", "log", "--oldest-first", "--columns", "activity")
    assert log.lines == ["Request created", "Request approved", "Access denied", "Approval removed"]
    verified = otto.run("audit", "verify", "-o", "json")
    assert (verified.code, verified.json["entries"]) == (0, 5)
    assert ada.run("audit", "verify").code == 4


def test_two_tenants(shared_store: SharedStore) -> None:
    """An approval across tenants needs a token of both; what the resource tenant then does stays there."""
    provider = shared_store.person("Provider", PROVIDER, app_only=True)
    half = shared_store.person("Hal Halfway", ADMINISTRATOR, tenants=[HOME])
    ada = shared_store.person("Ada Administrator", ADMINISTRATOR)
    (full,) = provider.run(*RAISE, "--resource-tenant", RESOURCE, "-o", "ids").lines

    refused = half.run("approve", full, "--yes")
    assert refused.code in {3, 4}
    assert RESOURCE in refused.err
    assert ada.run("list", "-t", "fabrikam", "-q").out == ""

    approved = ada.run("approve", full, "--yes")
    assert approved.code == 0, approved.err
    assert ada.run("list", "--active", "-t", "fabrikam", "-o", "ids").lines == [full]
    before = ada.run("show", full, "-o", "json").json
    assert ada.run("revoke", full, "--tenant", "fabrikam", "--yes").code == 0
    assert ada.run("show", full, "-o", "json").json == before
    assert ada.run("show", full, "-t", "fabrikam", "-o", "json").json["status"] == "revoked"


def test_an_import(shared_store: SharedStore) -> None:
    """A provider's exported record becomes mirrors, once, and who may not import is told so."""
    ada = shared_store.person("Ada Administrator", ADMINISTRATOR)
    iris = shared_store.person("Iris Importer", IMPORTER)

    assert ada.run("import", str(EXAMPLE)).code == 4
    first = iris.run("import", str(EXAMPLE))
    assert first.code == 0, first.err
    listed = ada.run("list", "--all", "-o", "json")
    assert listed.json
    assert {record["source"] for record in listed.json} == {"entra"}
    assert iris.run("import", str(EXAMPLE)).code == 0
    assert ada.run("list", "--all", "-o", "json").out == listed.out


SESSION = f"""
    set -u
    run() {{ echo "+ $*"; supportaccess "$@" 2>&1; echo "= $?"; }}
    run {" ".join(f"'{word}'" for word in RAISE)} --for 1d
    run provider raise --support-request 2603010050004242 --engineer 'Eve Engineer' --reason guests --title 'Guests'
    run list
    run list --pending --fail-if-any -o ids
    run approve {TICKET} --for 8h --reason outage --dry-run
    run approve {TICKET} --for 8h --reason outage --yes
    run approve {TICKET} --for 8h --reason outage --yes
    run reject 2603010050004242 --yes
    run reject 2603010050004242 --reason 'not ours' --yes -o json
    run revoke 2603010050004242 --yes
    run list --approved -o csv
    run list --active -o yaml
    run show {TICKET} -o json
    run show 2603010050004242
    run show nowhere
    run revoke {TICKET} --reason solved --yes
    run provider close 2603010050004242
    run import {EXAMPLE}
    run import {EXAMPLE}
    run list --all -o json
    run list --status revoked -o tsv
    run list --limit 1
    run audit log --all -o json
    run audit verify
    run audit verify -o json
    run list --since 2020-01-01 --search erin -o ids
    run list --status sleeping
"""


def without_what_differs(text: str, object_id: str) -> str:
    """Return a session's output with IDs numbered, and times, hashes and how people are known left out."""
    text = re.sub(r"\b(user|local)\b", "KIND", text.replace(object_id, "OBJECT"))
    text = re.sub(r'"[A-Za-z0-9_-]{43}"|[0-9a-f]{64}', "HASH", text.replace("\\", ""))
    text = re.sub(r"supportaccess/[0-9a-f]{32}/([0-9a-f-]{36})(\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+)?", r"ORIGIN/\1", text)
    text = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d[0-9:.]*( ?[+-]\d\d:\d\d|Z)?", "TIME", text)
    numbers: dict[str, str] = {}
    pattern = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    return re.sub(pattern, lambda found: numbers.setdefault(found.group(), f"ID-{len(numbers)}"), text)


def test_the_same_session_prints_the_same_on_either_store(
    shared_store: SharedStore, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whichever store stands behind it, the command line prints the same and ends the same."""
    embedded = ProcessHome(tmp_path_factory.mktemp("embedded"))
    embedded.add_tenant(HOME, "contoso", default=True)
    account = local_account(HOME)
    shared = shared_store.person(str(account.display_name), EVERYTHING)
    shared.run("tenant", "remove", "fabrikam")

    expected = without_what_differs(embedded.shell(SESSION).out, str(account.object_id))
    found = without_what_differs(shared.shell(SESSION).out, object_id(str(account.display_name)))

    assert found.splitlines() == expected.splitlines()
