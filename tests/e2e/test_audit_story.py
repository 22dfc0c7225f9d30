"""Twenty requests over two tenants, what an auditor finds of them, and what nobody can do to them unnoticed."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from time import monotonic, sleep
from typing import NamedTuple, Self

import pytest
from tests.cli.home import EXAMPLE, Home, ProcessHome, Result
from tests.e2e.history import copied, keys
from tests.e2e.shared_store import (
    ADMINISTRATOR,
    AUDITOR,
    IMPORTER,
    PROVIDER,
    OnSqlite,
    Person,
    SharedStore,
)
from tests.sources.test_role_assignments import assignment, written
from tests.support.axe import problems
from tests.support.certificates import certificate_for_loopback
from tests.support.identity_provider import IdentityProvider
from tests.support.people import HOME, RESOURCE, object_id
from tests.support.servers import until

from supportaccess.tlog.merkle import Frontier

CLOSED, DENIED = "2609110050001305", "2610010040000826"
"""Support requests whose access the provider's record in the example has as open."""
SECONDS_TO_DECIDE = 10
"""Of the requests that nobody decides: longer than a busy machine takes to raise one."""
TICKETS = {
    "contoso": [CLOSED, DENIED, *(f"26112500400000{number:02}" for number in range(10))],
    "fabrikam": [f"26112500500000{number:02}" for number in range(8)],
}


class Told(NamedTuple):
    """A store with a past, somebody who audits it, and yesterday's backup."""

    store: SharedStore
    otto: Person
    restore: Callable[[], None]


@pytest.fixture
def told(tmp_path: Path, identity_provider: IdentityProvider) -> Iterator[Told]:
    """Let people raise, decide, close and import; one of them in ways that should worry somebody."""
    certificate = certificate_for_loopback(tmp_path)
    store = SharedStore(tmp_path, OnSqlite(tmp_path), identity_provider, certificate=certificate)
    with store.running():
        provider = store.person("Provider", PROVIDER, app_only=True)
        ada = store.person("Ada Administrator", ADMINISTRATOR)
        mallory = store.person("Mallory", (*ADMINISTRATOR, *PROVIDER))
        otto = store.person("Otto Auditor", AUDITOR)
        done(store.person("Importer", IMPORTER, app_only=True), "import", str(EXAMPLE), "-t", "contoso")
        for alias, tickets in TICKETS.items():
            for ticket in tickets:
                asks = mallory if ticket.endswith("0003") else provider
                soon = ("--decide-by", f"{SECONDS_TO_DECIDE}s") if ticket.endswith("0004") else ()
                raised(asks, ticket, alias, *soon)
        passed = monotonic() + SECONDS_TO_DECIDE
        found = done(ada, "list", "--search", DENIED, "-o", "json", "-t", "contoso").json
        (here,) = [each["id"] for each in found if each["source"] == "store"]
        done(ada, "reject", here, "--yes", "-r", "not ours", "-t", "contoso")
        _, restore = copied(store)
        for alias, prefix in (("contoso", "261125004"), ("fabrikam", "261125005")):
            done(ada, "approve", f"{prefix}0000000", "--for", "8h", "--yes", "-r", "agreed", "-t", alias)
            done(ada, "approve", f"{prefix}0000001", "--yes", "-t", alias)
            done(ada, "reject", f"{prefix}0000002", "--yes", "-r", "no ticket of ours", "-t", alias)
            done(mallory, "approve", f"{prefix}0000003", "--for", "1h", "--yes", "-t", alias)
            done(ada, "approve", f"{prefix}0000005", "--for", "2h", "--yes", "-t", alias)
            done(ada, "revoke", f"{prefix}0000005", "--yes", "-r", "solved", "-t", alias)
            done(provider, "provider", "close", f"{prefix}0000000", "--yes", "-t", alias)
        done(provider, "provider", "close", CLOSED, "--yes", "-t", "contoso")
        sleep(max(0.0, passed - monotonic()))
        yield Told(store, otto, restore)


class Kept(NamedTuple):
    """What the auditor took along: a checkpoint, an export and the key; and which entry tells of the first approval."""

    checkpoint: Path
    export: Path
    key: str
    first_approval: int

    @classmethod
    def of(cls, told: Told) -> Self:
        """Take it along."""
        checkpoint, export = told.store.folder / "kept.checkpoint", told.store.folder / "kept.zip"
        checkpoint.write_text(done(told.otto, "audit", "log", "--checkpoint", "-t", "contoso").out)
        said = told.otto.run("audit", "export", str(export), "-t", "contoso")
        assert said.code == 0, said.err
        asking = ("audit", "log", "--activity", "Request approved", "--oldest-first", "-t", "contoso", "-o", "json")
        first = done(told.otto, *asking).json[0]["sequence"]
        return cls(checkpoint, export, said.err.split("Its verifier key: ")[1].strip(), first)


def done(who: Home, *arguments: str) -> Result:
    result = who.run(*arguments, "-q")
    assert result.code == 0, (arguments, result.err)
    return result


def raised(who: Home, ticket: str, alias: str, *more: str) -> None:
    asking = ("--support-request", ticket, "--engineer", "Erin Engineer", "-r", "sign-ins fail")
    done(who, "provider", "raise", *asking, *more, "-t", alias)


@pytest.mark.browser
def test_an_audit_from_the_findings_to_the_proofs(told: Told) -> None:
    """Lint finds what was done wrong, the report has all of it, and what is done to the log afterwards is named."""
    what_lint_finds(told)
    the_report_has_all_of_it(told)
    kept = Kept.of(told)
    for meddle, verdict in ((alter, "altered"), (delete, "missing"), (cut, "truncated")):
        what_was_done_is_named_offline(told, kept, meddle, verdict)
    yesterdays_backup_is_refused(told)
    for scheme in ("light", "dark"):  # last, for a machine may lack the browser
        assert problems(told.store.folder / "contoso.html", told.store.folder, scheme=scheme) == []


def what_lint_finds(told: Told) -> None:
    """See that every rule finds what was done wrong, and that a pipeline fails for it."""
    roles = written(told.otto.folder, [assignment(object_id("Ada Administrator"))])
    asking = ("audit", "lint", "--all-tenants", "--roles", str(roles), "--fail-if-any", "-o", "json")
    until(lambda: "SA007" in told.otto.run(*asking).out)  # deadlines of a second
    found = told.otto.run(*asking)

    assert found.code == 10, found.err
    codes = {alias: {each["code"] for each in found.json if each["tenantId"] == tenant}
             for alias, tenant in (("contoso", HOME), ("fabrikam", RESOURCE))}  # fmt: skip
    assert codes["contoso"] == {f"SA00{number}" for number in range(1, 9)}
    assert codes["fabrikam"] == {"SA002", "SA005", "SA006", "SA007"}
    mallory = [each for each in found.json if each["code"] == "SA006"]
    assert {each["supportRequestId"] for each in mallory} == {"2611250040000003", "2611250050000003"}


def the_report_has_all_of_it(told: Told) -> None:
    """See that each tenant's page has its requests and findings."""
    for alias, tickets in TICKETS.items():
        page = told.store.folder / f"{alias}.html"
        done(told.otto, "audit", "report", "--since", "1d", "--html", str(page), "-t", alias)
        text = page.read_text()
        assert [ticket for ticket in tickets if ticket not in text] == []
        assert "SA006" in text
        report = done(told.otto, "audit", "report", "--since", "1d", "-o", "json", "-t", alias).json
        assert report["log"]["holds"]
        assert {each["supportRequestId"] for each in report["requests"]} >= set(tickets)


def alter(log: sqlite3.Connection) -> None:
    """Change the reason of the first approval."""
    log.execute("DROP TRIGGER audit_events_are_not_changed")
    log.execute(
        "UPDATE audit_events SET entry = CAST(replace(CAST(entry AS TEXT), 'agreed', 'AGREED') AS BLOB)"
        " WHERE tenant_id = ? AND activity = 'Request approved'",
        [HOME],
    )


def delete(log: sqlite3.Connection) -> None:
    """Delete the first approval."""
    log.execute("DROP TRIGGER audit_events_are_not_deleted")
    log.execute(
        "DELETE FROM audit_events WHERE tenant_id = :tenant AND sequence ="
        " (SELECT min(sequence) FROM audit_events WHERE tenant_id = :tenant AND activity = 'Request approved')",
        {"tenant": HOME},
    )


def cut(log: sqlite3.Connection) -> None:
    """Cut off what Mallory did and all after it, and set the head back to what is left."""
    log.execute("DROP TRIGGER audit_events_are_not_deleted")
    (first,) = log.execute(
        "SELECT min(sequence) FROM audit_events"
        " WHERE tenant_id = ? AND activity = 'Request approved' AND actor_folded LIKE '%mallory%'",
        [HOME],
    ).fetchone()
    log.execute("DELETE FROM audit_events WHERE tenant_id = ? AND sequence >= ?", [HOME, first])
    frontier = Frontier()
    kept = "SELECT leaf_hash FROM audit_events WHERE tenant_id = ? ORDER BY sequence"
    for (leaf,) in log.execute(kept, [HOME]):
        frontier.append(leaf)
    log.execute(
        "UPDATE audit_log_heads SET size = ?, root = ?, frontier = ? WHERE tenant_id = ?",
        [first, frontier.root(), frontier.to_bytes(), HOME],
    )
    log.execute("DELETE FROM audit_checkpoints WHERE tenant_id = ?", [HOME])


def what_was_done_is_named_offline(
    told: Told, kept: Kept, meddle: Callable[[sqlite3.Connection], None], verdict: str
) -> None:
    """Meddle with a copy of the store, and verify it without a server, against the checkpoint that was kept."""
    folder = told.store.folder / verdict
    folder.mkdir()
    offline = ProcessHome(folder)
    offline.add_tenant(HOME, "contoso", default=True)
    copy = offline.database
    copy.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(told.store.folder / "store.db")) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    copy.chmod(0o600)
    shutil.copytree(keys(told.store), copy.parent / "keys")
    asking = ("audit", "verify", "--anchor", str(kept.checkpoint), "-o", "json")
    assert offline.run(*asking).code == 0

    with closing(sqlite3.connect(copy, isolation_level=None)) as log:
        meddle(log)
    if verdict == "truncated":
        shutil.rmtree(copy.parent / "keys" / "heads")
    result = offline.run(*asking)

    assert result.code == 9, result.err
    findings = result.json["findings"]
    if verdict == "truncated":  # beside records that no entry tells of any more
        assert findings[-1]["verdict"] == verdict, result.out
    else:
        assert (findings[0]["verdict"], findings[0]["sequence"]) == (verdict, kept.first_approval), result.out
    assert offline.run("audit", "verify", str(kept.export), "--key", kept.key).code == 0


def yesterdays_backup_is_refused(told: Told) -> None:
    """See that the server does not start on it, and says what to do."""
    told.store.server.stop()
    told.restore()

    refused = told.otto.run("serve", "--config", str(told.store.folder / "server.toml"))

    assert refused.code == 9, refused.err
    assert "went back" in refused.err
    assert "store rollback" in refused.err
