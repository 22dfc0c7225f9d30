"""What the audit log of a shared store proves to people who trust neither its server nor its database."""

import json
import shutil

import pytest
from tests import independent_verifier
from tests.cli.home import TICKET
from tests.e2e.history import copied, keys, rewrite
from tests.e2e.shared_store import ADMINISTRATOR, AUDITOR, OnPostgresql, OnSqlite, Person, SharedStore
from tests.support.servers import until

EVERYBODY = (*ADMINISTRATOR, *AUDITOR)


@pytest.fixture
def ada(shared_store: SharedStore) -> Person:
    """Return somebody who decides and audits, in a store with a decided request."""
    shared_store.raised(TICKET, "2603010050005678")
    ada = shared_store.person("Ada Administrator", EVERYBODY)
    assert ada.run("approve", TICKET, "--yes", "-q").code == 0
    return ada


def test_receipts_exports_and_heads_verify_offline(shared_store: SharedStore, ada: Person) -> None:
    """What was fetched verifies with the log's key alone, when the store is gone, by two verifiers."""
    kept = ada.run("audit", "log", "--checkpoint")
    assert kept.code == 0, kept.err
    (ada.folder / "kept").write_text(kept.out)
    receipt = ada.run("audit", "receipt", TICKET)
    assert receipt.out.startswith("c2sp.org/tlog-proof@v1\n"), receipt.err
    (ada.folder / "r.tlog-proof").write_text(receipt.out)
    for name in ("out", "out.zip"):
        exported = ada.run("audit", "export", name)
        assert exported.code == 0, exported.err
    key = exported.err.split("Its verifier key: ")[1].strip()
    whole = ada.run("audit", "verify", "-o", "json")
    assert (whole.code, whole.json["entries"], whole.json["signedBy"]) == (0, 4, key), whole.err  # the export is one
    shared_store.server.stop()

    for what in ("r.tlog-proof", "out", "out.zip"):
        verified = ada.run("audit", "verify", what, "--key", key, "--anchor", "kept", "-o", "json")
        assert (verified.code, verified.json["findings"], verified.json["signedBy"]) == (0, [], key), verified.err
        stranger = ada.run("audit", "verify", what, "-q", env={"SUPPORTACCESS_DATA_DIR": str(ada.folder / "empty")})
        assert (stranger.code, "unknownKey" in stranger.err) == (9, True)
    assert independent_verifier.verify(ada.folder / "out", key, [kept.out.encode()]) == []


def test_an_unchanged_log_costs_no_request_and_a_grown_one_is_held_to_its_past(
    shared_store: SharedStore, ada: Person
) -> None:
    """What was signed last comes with each answer; only when it is new is the head asked for."""
    settled(shared_store, ada)
    before = asked(shared_store)
    assert ada.run("list", "-q").code == 0
    assert [*before, "/v1/access-requests"] == asked(shared_store)
    remembered = memory(ada)

    assert ada.run("revoke", TICKET, "--yes", "-q").code == 0
    settled(shared_store, ada)

    assert remembered["checkpoint"].split("\n")[1] == "3"
    assert memory(ada)["checkpoint"].split("\n")[1] == "4"


def settled(shared_store: SharedStore, ada: Person) -> None:
    """Read until every process of the server says what was remembered, as after a moment they all do."""
    quiet = 0
    while quiet < 4:
        before = len(asked(shared_store))
        assert ada.run("list", "-q").code == 0
        quiet = quiet + 1 if len(asked(shared_store)) == before + 1 else 0


def asked(shared_store: SharedStore) -> list[str]:
    return [line["route"] for line in shared_store.server.lines if line["event"] == "request"]


def has_memory(ada: Person) -> bool:
    return any((ada.folder / "data" / "logs").glob("*.json"))


def memory(ada: Person) -> dict[str, str]:
    (file,) = (ada.folder / "data" / "logs").glob("*.json")
    found: dict[str, str] = json.loads(file.read_text())
    return found


def test_a_restored_backup_is_refused_by_the_server_and_noticed_by_everybody(
    shared_store: SharedStore, ada: Person
) -> None:
    """An older copy of the database is refused until the rollback is recorded, and who saw more than it has says so."""
    copy, restore = copied(shared_store)
    assert ada.run("list", "-q").code == 0
    assert ada.run("revoke", TICKET, "--yes", "-q").code == 0
    checkpoint = ada.run("audit", "log", "--checkpoint").out
    assert ada.run("list", "-q").code == 0
    shared_store.server.stop()
    restore()

    config = str(shared_store.folder / "server.toml")
    environment = shared_store.database.environment
    refused = ada.run("serve", "--config", config, env=environment)
    assert (refused.code, "went back: it has 3 entries, and 4 were signed" in refused.err) == (9, True), refused.err

    recorded = ada.run("store", "rollback", "--reason", "the disk failed", "--yes", "--config", config, env=environment)
    assert recorded.code == 0, recorded.err
    with shared_store.running(port=shared_store.server.address[1]):
        noticed = ada.run("list", "-o", "ids")
        assert noticed.code == 9
        assert "forked" in noticed.err or "went back" in noticed.err
        evidence = next((ada.folder / "data" / "logs").glob("*.evidence"))
        assert str(evidence) in noticed.err
        assert json.loads(evidence.read_text())["remembered"]["checkpoint"] == checkpoint
        assert ada.run("approve", "2603010050005678", "--yes").code == 9
        assert ada.run("show", "2603010050005678", "-o", "json").code == 9

        assert ada.run("audit", "forget", "--yes").code == 0
        log = ada.run("audit", "log", "-o", "json")
        assert (log.code, log.json[0]["activity"], log.json[0]["reason"]) == (0, "Rollback recorded", "the disk failed")
        assert log.json[0]["details"]["signedSize"] == 4
        assert "pending" in ada.run("show", "2603010050005678", "-o", "json").out
    assert copy.exists() or isinstance(shared_store.database, OnPostgresql)


def test_a_rewritten_log_is_noticed_by_who_saw_it_before(shared_store: SharedStore, ada: Person) -> None:
    """A server with another history, and its own key to sign it, cannot show it to who remembers."""
    until(lambda: ada.run("list", "-q").code == 0 and has_memory(ada))  # of two processes one may not know it yet
    remembered = memory(ada)["checkpoint"]
    shared_store.server.stop()
    rewrite(shared_store)
    shutil.rmtree(keys(shared_store) / "heads")

    with shared_store.running(port=shared_store.server.address[1]):
        noticed = ada.run("list", "-o", "ids")
        assert noticed.code == 9, noticed.err
        assert "forked" in noticed.err or "no head that can be believed" in noticed.err
        verified = ada.run("audit", "verify", "-o", "json")
        assert verified.code == 9
        assert "forked" in {finding["verdict"] for finding in verified.json["findings"]}
    assert memory(ada)["checkpoint"] == remembered


def test_the_key_is_for_the_server_alone_and_in_no_backup(shared_store: SharedStore, ada: Person) -> None:
    """The key file is 0600 and beside the database, not in it; another key is not made where logs were signed."""
    assert ada.run("audit", "log", "--checkpoint").code == 0
    key = keys(shared_store) / "signing.key"
    assert key.stat().st_mode & 0o777 == 0o600
    secret = key.read_bytes().strip()[-44:]
    if isinstance(shared_store.database, OnSqlite):
        assert secret not in (shared_store.folder / "store.db").read_bytes()
    shared_store.server.stop()
    key.rename(shared_store.folder / "elsewhere")
    shutil.rmtree(keys(shared_store) / "heads")

    with shared_store.running(port=shared_store.server.address[1]):
        answer = ada.run("audit", "log", "--checkpoint")
        assert answer.code == 1, answer.out
