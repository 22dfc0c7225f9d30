"""Receipts, exports, checkpoints and keys, as a person uses them with the embedded store."""

import json
import shutil
from pathlib import Path

import pytest
from tests import independent_verifier
from tests.cli.home import Home, Result
from tests.support.people import FOREIGN, HOME


@pytest.fixture
def home(home: Home) -> Home:
    """Return a home with an approved request, decided with the command line."""
    assert raise_one(home, "2610070040001234").code == 0
    assert home.run("approve", "2610070040001234", "--yes", "-q").code == 0
    return home


def raise_one(home: Home, ticket: str, *more: str) -> Result:
    return home.run(
        "provider", "raise", "--support-request", ticket, "--engineer", "Erin", "--reason", "x", "-q", *more
    )


def vkey(home: Home) -> str:
    return home.run("store", "key", "show").out.strip()


def test_a_receipt_proves_a_decision_to_anybody_with_the_key(home: Home, tmp_path: Path) -> None:
    """The receipt of the latest decision verifies far from the store; with a word changed it does not."""
    receipt = home.run("audit", "receipt", "2610070040001234").out
    stranger = Home(tmp_path / "elsewhere")
    stranger.folder.mkdir()
    (stranger.folder / "r").write_text(receipt)

    verified = stranger.run("audit", "verify", "r", "--key", vkey(home), "-o", "json")
    assert (verified.code, verified.json["findings"], verified.json["entries"]) == (0, [], 1), verified.err
    assert stranger.run("audit", "verify", "r").code == 9
    (stranger.folder / "r").write_text(receipt.replace("index 1", "index 0"))
    changed = stranger.run("audit", "verify", "r", "--key", vkey(home))
    assert (changed.code, "altered: the receipt does not hold" in changed.err) == (9, True)
    assert not (stranger.folder / "data" / "store.db").exists()


def test_a_receipt_says_what_it_is_of(home: Home) -> None:
    """Another decision's receipt under the right name holds, and does not look like the right one."""
    (home.folder / "r").write_text(home.run("audit", "receipt", "--entry", "1").out)
    record = home.run("list", "-o", "ids", "--all", "-s", "approved").lines[0]
    told = home.run("audit", "verify", "r", "-o", "table")
    as_json = home.run("audit", "verify", "r", "-o", "json").json

    assert "r, of entry 1 (Request approved), holds." in told.err
    assert record in told.out
    assert (as_json["entry"]["sequence"], as_json["entry"]["accessRequestId"]) == (1, record)


@pytest.mark.process
def test_files_that_are_given_by_a_pipe_or_a_link(home: Home) -> None:
    """A key, a checkpoint and a receipt may come from another command, or be a link."""
    (home.folder / "r").write_text(home.run("audit", "receipt", "--entry", "1").out)
    (home.folder / "link.tlog-proof").symlink_to(home.folder / "r")
    shown, kept = "<(supportaccess store key show)", "<(supportaccess audit log --checkpoint)"

    assert home.run("audit", "verify", "link.tlog-proof").code == 0
    assert home.shell(f"supportaccess audit verify r --key {shown}").code == 0
    assert home.shell(f"supportaccess audit verify --anchor {kept}").code == 0
    assert home.shell("supportaccess audit verify /dev/stdin < r").code == 0
    assert home.shell("cat r | supportaccess audit verify /dev/stdin").code == 0


def test_what_is_no_proof_at_all(home: Home) -> None:
    """A file of something else is no altered log: exit 1, and what a proof looks like."""
    home.run("audit", "export", "e.zip")
    (home.folder / "e.zip").rename(home.folder / "e.bin")
    (home.folder / "empty").write_text("")
    (home.folder / "checkpoint").write_text(home.run("audit", "log", "--checkpoint").out)
    for path in ("/etc/passwd", "e.bin", "empty", "checkpoint"):
        refused = home.run("audit", "verify", path)
        assert (refused.code, "neither a receipt nor an export" in refused.err) == (1, True), refused
    assert home.run("audit", "verify", "checkpoint", "--key", "").code == 2


def test_a_checkpoint_takes_nothing_else(home: Home) -> None:
    """What would be passed over is refused."""
    for more in (["--all-tenants"], ["-o", "json"], ["--since", "1d"], ["--fail-if-any"], ["--follow"]):
        assert home.run("audit", "log", "--checkpoint", *more).code == 2
    assert home.run("audit", "log", "--follow", "--until", "1d").code == 2


def test_nothing_is_forgotten_of_the_embedded_store(home: Home) -> None:
    """There is nothing to forget: it is told what to do after a restore."""
    refused = home.run("audit", "forget", "--yes")

    assert (refused.code, "supportaccess store rollback" in refused.err) == (2, True)


def test_a_report_of_a_log_that_went_back(home: Home) -> None:
    """The report is made all the same, says so, and nothing is written into that log."""
    home.alter("DELETE FROM audit_events WHERE sequence = 1")
    home.alter("UPDATE audit_log_heads SET size = 1")
    made = home.run("audit", "report", "--html", "r.html", "-o", "json")

    assert made.code == 9
    assert not made.json["log"]["holds"]
    assert any(each.startswith("truncated: ") for each in made.json["log"]["troubles"])
    assert "went back" in (home.folder / "r.html").read_text()
    assert home.log_size() == 1


def test_a_receipt_of_one_entry(home: Home) -> None:
    """An entry is named by its place; without a decision, and without such an entry, there is nothing to print."""
    assert "index 0\n" in home.run("audit", "receipt", "--entry", "0").out
    assert home.run("audit", "receipt", "--entry", "99").code == 5
    assert home.run("audit", "receipt").code == home.run("audit", "receipt", "1234", "--entry", "1").code == 2
    raise_one(home, "2")
    undecided = home.run("audit", "receipt", "2")
    assert (undecided.code, "nothing was decided" in undecided.err) == (5, True)


def test_a_receipt_of_an_entry_that_is_not_as_it_was(home: Home) -> None:
    """No receipt is made of what was deleted or altered: it would not hold."""
    assert home.run("audit", "verify").code == 0
    home.alter("UPDATE audit_events SET entry = CAST(entry || ' ' AS BLOB) WHERE sequence = 1")
    altered = home.run("audit", "receipt", "--entry", "1")
    home.alter("DELETE FROM audit_events WHERE sequence = 0")
    missing = home.run("audit", "receipt", "--entry", "0")

    assert (altered.code, altered.out, "entry 1" in altered.err) == (9, "", True)
    assert (missing.code, missing.out) == (9, "")


def test_an_export_verifies_by_another_program_too(home: Home) -> None:
    """An export has nothing wrong with it for two verifiers, is written to new places alone, as folder or file."""
    for name in ("out", "out.zip"):
        assert home.run("audit", "export", name).code == 0
        assert home.run("audit", "export", name).code == 1

        assert independent_verifier.verify(home.folder / name, vkey(home)) == []
        assert home.run("audit", "verify", name).code == 0
    bundle = home.folder / "out/tile/entries/000.p/2"
    bundle.write_bytes(bundle.read_bytes().replace(b"Erin", b"Evan").replace(b'"kind"', b'"Kind"'))
    changed = home.run("audit", "verify", "out", "-o", "json")
    assert (changed.code, changed.json["findings"][0]["verdict"], changed.json["findings"][0]["sequence"]) == (
        9,
        "altered",
        0,
    )


def test_a_checkpoint_that_was_kept(home: Home) -> None:
    """The log goes on from a checkpoint that was kept; a forked one, another tenant's and what is none are told."""
    kept = home.run("audit", "log", "--checkpoint")
    (home.folder / "kept").write_text(kept.out)
    assert kept.out.split("\n")[1] == "2"
    raise_one(home, "2")
    assert home.run("audit", "verify", "--anchor", "kept").code == 0

    (home.folder / "other").write_text(kept.out.replace(HOME, FOREIGN))
    other = home.run("audit", "verify", "--anchor", "other")
    assert (other.code, "forked" in other.err) == (9, True)
    (home.folder / "none").write_text("hello\n")
    assert home.run("audit", "verify", "--anchor", "none").code == 2
    assert home.run("audit", "verify", "--anchor", "missing").code == 2
    assert home.run("audit", "verify", "--key", "a+b+c").code == 2
    assert home.run("audit", "log", "--checkpoint", "-t", HOME, "-t", FOREIGN).code == 2


@pytest.mark.parametrize("what", ["/dev/zero", "big", "link", "big.zip"])
def test_hostile_files(home: Home, what: str) -> None:
    """What has no end, is too large or a link is refused, and nothing fails."""
    (home.folder / "big").write_bytes(b"x" * 10_000_000)
    (home.folder / "big.zip").write_bytes(b"PK" * 1_000_000)
    (home.folder / "link").symlink_to(home.folder / "big")
    result = home.run("audit", "verify", what)
    assert result.code in {1, 9}
    assert "Traceback" not in result.err


def test_a_crash_before_the_signature_heals(home: Home) -> None:
    """What was written and not signed is signed by the next command that changes something, or verifies."""
    with home.store() as store:  # as a process that was killed before its end
        store.close("2610070040001234", key="k")
    heads = home.folder / "data" / "keys" / "heads" / HOME
    assert heads.read_text().split("\n")[1] == "2"
    assert home.run("list", "-q").code == 0

    assert home.run("audit", "verify").code == 0
    assert int(heads.read_text().split("\n")[1]) == home.log_size() > 2


def test_going_on_with_a_verification(home: Home) -> None:
    """--incremental reads what came since, and --key and --anchor hold for it as well."""
    assert home.run("audit", "verify", "-q").code == 0
    raise_one(home, "2")
    again = home.run("audit", "verify", "--incremental", "-o", "json")
    assert (again.code, again.json["entries"], again.json["head"]["size"]) == (0, 1, 3)
    assert home.run("audit", "verify", "out", "--incremental").code == 2


def test_a_log_that_was_rewritten_is_refused_by_every_command(home: Home) -> None:
    """A store whose signed entries are gone does nothing but let itself be looked at."""
    home.alter("DELETE FROM audit_events WHERE sequence = 1")
    home.alter("UPDATE audit_log_heads SET size = 1")
    for command in (["list"], ["show", "2610070040001234"], ["audit", "log"], ["store", "sweep"]):
        refused = home.run(*command)
        assert (refused.code, "went back: it has 1 entries, and 2 were signed" in refused.err) == (9, True)
    assert raise_one(home, "2").code == 9
    for command in (["store", "info"], ["store", "backup", "copy.db"]):
        looked = home.run(*command)
        assert (looked.code, "went back: it has 1 entries, and 2 were signed" in looked.err) == (0, True)
    verdicts = {each["verdict"] for each in home.run("audit", "verify", "-o", "json").json["findings"]}
    assert "truncated" in verdicts


class TestKeys:
    def test_a_name_of_ones_own(self, new_home: Home) -> None:
        """The store is named before its first use, and its logs by it; a second key is not made."""
        new_home.add_tenant(HOME, default=True)
        assert new_home.run("store", "key", "make", "--name", "logs.contoso.example/a").code == 0
        assert vkey(new_home).startswith(f"logs.contoso.example/a/{HOME}+")
        assert new_home.run("store", "key", "make").code == 2
        assert new_home.run("store", "key", "make", "--name", "a b").code == 2

    def test_a_rotation(self, home: Home) -> None:
        """The old key verifies on across a rotation, which asks first and is an entry."""
        old = vkey(home)
        assert home.run("store", "key", "rotate").code == 2
        assert home.run("store", "key", "rotate", "--yes").out.strip() == vkey(home) != old
        raise_one(home, "2")
        assert home.run("audit", "verify", "--key", old).code == 0
        assert home.run("audit", "log", "--activity", "Key rotated", "-o", "json").json[0]["sequence"] == 2

    def test_a_lost_one_is_not_made_anew_by_looking(self, home: Home) -> None:
        """Where logs were signed and the folder of keys is gone, `show` makes none: only `make` does."""
        assert home.run("audit", "verify").code == 0
        shutil.rmtree(home.folder / "data" / "keys")
        for command in (["store", "key", "show"], ["audit", "verify"]):
            refused = home.run(*command)
            assert (refused.code, "supportaccess store key make" in refused.err) == (1, True), refused
        assert home.run("store", "key", "make").code == 0
        assert home.run("audit", "verify").code == 0

    def test_a_verification_without_the_stores_own(self, home: Home) -> None:
        """With a key that was kept elsewhere, a log can be verified though the store's own key is gone."""
        key = vkey(home)
        assert home.run("audit", "verify").code == 0
        (home.folder / "data" / "keys" / "signing.key").unlink()

        assert home.run("audit", "verify").code == 1
        assert home.run("audit", "verify", "--key", key).code == 0

    def test_a_rollback_that_is_none(self, home: Home) -> None:
        """Where every log goes on, there is nothing to record; a reason is needed."""
        assert home.run("store", "rollback", "--yes").code == 2
        assert "nothing to record" in home.run("store", "rollback", "--reason", "x", "--yes").err
        assert home.log_size() == 2

    def test_it_is_never_printed(self, home: Home) -> None:
        """No command prints the secret half."""
        secret = (home.folder / "data" / "keys" / "signing.key").read_text().strip()[-44:]
        for command in (["store", "key", "show"], ["store", "info", "-o", "json"], ["doctor"], ["audit", "verify"]):
            result = home.run(*command)
            assert secret not in result.out + result.err
        assert json.dumps(secret) not in (home.folder / "data" / "store.db").read_bytes().decode("latin-1")
