"""What users of 0.1 (commit f350651) have stored stays readable; tests/data/0.1/make.py tells how it was made."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.home import EXAMPLE, Home, Result
from tests.compatibility.conftest import DATA, Kept, endpoint_of, lead_to, private_copy
from tests.store.http.scripted import answer, serving
from tests.support.people import FOREIGN, HOME, RESOURCE, asking

from supportaccess.domain.audit import Activity

VERSION = "0.1"
NAMES = {"contoso": HOME, "fabrikam": RESOURCE}
STATUSES = {"pending", "approved", "rejected", "canceled", "lapsed", "revoked", "completed", "expired"}
ACTIVITIES = 17
EVERY_STATUS = [argument for status in sorted(STATUSES) for argument in ("-s", status)]
OLDEST = ("audit", "log", "--oldest-first", "-o", "json")
PRINTED = {
    "list": ("list", *EVERY_STATUS, "-o", "json"),
    "attention": ("list", "-o", "json"),
    "log": (*OLDEST, "--limit", "20"),
    "log-graph": (*OLDEST, "--limit", "8", "--shape", "directoryAudit"),
    "log-import": ("audit", "log", "--activity", "Import", "-o", "json"),
}
"""By which command each file in `printed` was made, for each tenant."""


@pytest.fixture(params=["embedded", "shared"])
def kept(request: pytest.FixtureRequest) -> Kept:
    """Return a store of 0.1 with a home, where this program may change them."""
    make: Callable[[str], Kept] = request.getfixturevalue(request.param)
    return make(VERSION)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Return the home of an auditor who has nothing but the program."""
    (tmp_path / "auditor").mkdir()
    return Home(tmp_path / "auditor")


def good(result: Result) -> Result:
    assert result.code == 0, result.err
    return result


def missing(before: Any, now: Any, where: str = "$") -> list[str]:
    """Return what is no longer as it was; members that were added count for nothing."""
    match before, now:
        case dict(), dict():
            lost = [f"{where}.{name} is gone" for name in before.keys() - now.keys()]
            both = before.keys() & now.keys()
            return lost + [each for name in both for each in missing(before[name], now[name], f"{where}.{name}")]
        case list(), list() if len(before) == len(now):
            pairs = enumerate(zip(before, now, strict=True))
            return [each for place, (old, new) in pairs for each in missing(old, new, f"{where}[{place}]")]
    return [] if before == now else [f"{where} was {before!r} and is {now!r}"]


def against(kept: Kept, name: str) -> list[str]:
    """Return the options that name every checkpoint that was kept of a tenant's log."""
    anchors = kept.anchors(name)
    assert len(anchors) >= 2
    return [argument for anchor in anchors for argument in ("--anchor", anchor)]


def test_the_data_is_whole(kept: Kept) -> None:
    """It has requests of every status, cross-tenant pairs, mirrors, and entries of every activity."""
    own, theirs = (json.loads((kept.printed / f"{name}-list.json").read_text()) for name in NAMES)

    def standing(records: list[Any], **members: str) -> set[str]:
        return {each["status"] for each in records if members.items() <= each.items()}

    assert standing(own, side="both", source="store") == STATUSES
    assert standing(own, side="supportRequest", source="store") == STATUSES - {"revoked"}
    assert standing(theirs, side="resource") == {"approved", "revoked", "completed", "expired"}
    assert len(standing(own, source="entra")) > 3
    assert len(kept.query("SELECT DISTINCT activity FROM audit_events")) == ACTIVITIES


def test_the_data_is_small() -> None:
    """What is kept of a version is less than a megabyte."""
    assert sum(path.stat().st_size for path in (DATA / VERSION).rglob("*") if path.is_file()) < 1_000_000


class TestAsItWas:
    def test_what_is_printed(self, kept: Kept) -> None:
        """Lists, logs and single requests are printed as they were, but for members that were added."""
        for name in NAMES:
            files = sorted(kept.printed.glob(f"{name}-show-*.json"))
            assert files
            shown = {file.stem: ("show", json.loads(file.read_text())["id"], "-o", "json") for file in files}
            listed = {f"{name}-{what}": command for what, command in PRINTED.items()}
            for what, command in (shown | listed).items():
                before = json.loads((kept.printed / f"{what}.json").read_text())
                now = good(kept.home.run(*command, "--tenant", name)).json
                assert missing(before, now) == [], what

    def test_profiles(self, kept: Kept) -> None:
        """The tenants, their aliases and the default one are those that were set."""
        before = json.loads((kept.printed / "tenants.json").read_text())
        now = good(kept.home.run("tenant", "list", "-o", "json")).json
        for row in before:
            if row["store"] != "embedded":
                row["store"] = endpoint_of(kept.home)

        assert missing(before, now) == []

    def test_what_was_answered_to_a_key(self, kept: Kept) -> None:
        """An idempotency key of then gets the answer of then, and nothing is done twice."""
        before = kept.rows()
        with kept.store() as store:
            record = store.raise_request(asking("late", requested_seconds=None), key="kept-key")

        assert kept.rows() == before
        assert before.records[HOME, record.id][0] == record.etag


class TestProofs:
    def test_the_store_verifies(self, kept: Kept) -> None:
        """The store verifies, from the first key and against every checkpoint that was kept, and is the one it was."""
        for name in NAMES:
            first_key = kept.verifier_keys(name)[0]
            before = json.loads((kept.printed / f"{name}-verify.json").read_text())
            verify = ("audit", "verify", "-t", name, "--key", first_key, *against(kept, name), "-o", "json")
            now = good(kept.home.run(*verify)).json

            assert now["findings"] == []
            assert now["entries"] >= before["entries"]
            told = ("accessRequests", "sourceEvents", "origin", "signedBy")
            assert {member: now.get(member) for member in told} == {member: before.get(member) for member in told}

    @pytest.mark.parametrize("kind", ["embedded", "shared"])
    def test_receipts(self, home: Home, kind: str) -> None:
        """Every receipt verifies with the key of its time, and not with another log's."""
        given = DATA / VERSION / kind / "given"
        receipts = sorted(given.glob("*.tlog-proof"))
        assert len(receipts) == 5
        for receipt in receipts:
            name, number, _ = receipt.name.split("-", 2)
            verify = ("audit", "verify", str(receipt), "-o", "json", "--key")
            verified = good(home.run(*verify, str(given / f"{name}-{number}.vkey"))).json
            assert (verified["findings"], verified["entries"]) == ([], 1)
        other = "contoso" if name == "fabrikam" else "fabrikam"
        assert home.run(*verify, str(given / f"{other}-{number}.vkey")).code == 9

    @pytest.mark.parametrize("kind", ["embedded", "shared"])
    @pytest.mark.parametrize("export", ["contoso", "contoso.zip", "fabrikam.zip"])
    def test_exports(self, home: Home, kind: str, export: str) -> None:
        """Every export verifies against all kept checkpoints, with the oldest key and with the newest one."""
        kept = Kept(DATA / VERSION / kind)
        name = export.removesuffix(".zip")
        for key in kept.verifier_keys(name):
            path = str(kept.given / export)
            assert (
                good(home.run("audit", "verify", path, "--key", key, *against(kept, name), "-o", "json")).json[
                    "findings"
                ]
                == []
            )
            assert kept.verified_independently(kept.given / export, key, kept.anchors(name)) == []


class TestContinuing:
    def act(self, kept: Kept) -> set[str]:
        """Do a bit of everything with the command line, and return the requests that were changed."""
        run = kept.home.run
        requests = good(run("list", *EVERY_STATUS, "-o", "json")).json

        def one(status: str, side: str) -> str:
            ours = (each for each in requests if each["source"] == "store" and each["side"] == side)
            return str(next(each["id"] for each in ours if each["status"] == status))

        pending, approved, crossing = one("pending", "both"), one("approved", "both"), one("pending", "supportRequest")
        good(run("approve", crossing, "--yes"))
        good(run("approve", pending, "--yes", "--for", "1h"))
        good(run("revoke", approved, "--yes"))
        (theirs,) = good(run("list", "--active", "--tenant", "fabrikam", "--limit", "1", "-o", "json")).json
        good(run("revoke", theirs["id"], "--tenant", "fabrikam", "--yes"))
        asked = ("--support-request", "new", "--engineer", "Erin", "--reason", "again")
        good(run("provider", "raise", *asked))
        good(run("provider", "close", "new", "--yes"))
        export = kept.home.folder / "export.json"
        export.write_text(EXAMPLE.read_text().replace("2026-", "2025-"))
        imported = good(run("import", str(export), "-o", "json")).json
        assert (imported["eventsNew"], imported["requestsChanged"]) == (0, 0)
        good(run("store", "migrate"))
        kept.migrate()
        return {crossing, pending, approved, theirs["id"]}

    def test_nothing_of_before_changes(self, kept: Kept) -> None:
        """This program goes on with the store; what was there stays to the byte, and everything verifies as before."""
        before = kept.rows()
        assert kept.home.run("list").code == 0
        assert kept.rows() == before

        changed = self.act(kept)
        kept.sweep()

        now = kept.rows()
        assert {place: now.entries[place] for place in before.entries} == before.entries
        assert len(now.entries) > len(before.entries) + 6
        untouched = {named: row for named, row in before.records.items() if named[1] not in changed}
        assert len(untouched) > 20
        assert {named: now.records[named] for named in untouched} == untouched
        assert all(now.records[named] != before.records[named] for named in before.records.keys() - untouched.keys())

    def test_the_old_verifier_takes_what_follows(self, kept: Kept, home: Home, tmp_path: Path) -> None:
        """After changes and one more rotation, 0.1's independent verifier takes the export, by its oldest key."""
        self.act(kept)
        kept.rotate()
        good(kept.home.run("provider", "raise", "--support-request", "n2", "--engineer", "Erin", "--reason", "again"))
        for name in NAMES:
            key = kept.verifier_keys(name)[0]
            for export in (tmp_path / name, tmp_path / f"{name}.zip"):
                good(kept.home.run("audit", "export", str(export), "--tenant", name))
                assert kept.verified_independently(export, key, kept.anchors(name)) == []
            verify = ("audit", "verify", "--key", key, *against(kept, name), "-o", "json")
            live = good(kept.home.run(*verify, "--tenant", name)).json
            assert live["findings"] == []
            assert good(home.run(*verify, str(tmp_path / name))).json["findings"] == []

    def test_what_was_only_counted_is_told(self, kept: Kept) -> None:
        """Attempts that 0.1 had only counted get their entry from this program's sweep."""
        before = kept.rows().entries
        kept.sweep()
        new = [json.loads(entry) for place, (entry, _) in kept.rows().entries.items() if place not in before]

        (denied,) = [entry for entry in new if entry["activity"] == Activity.ACCESS_DENIED]
        assert (denied["tenantId"], denied["details"]["notLogged"]) == (HOME, 3)
        assert denied["actor"]["displayName"] == "Nora Newcomer"

    def test_verification_goes_on_from_before(self, kept: Kept) -> None:
        """An incremental verification begins where 0.1 ended, and reads no entry twice."""
        good(kept.home.run("provider", "raise", "--support-request", "n", "--engineer", "Erin", "--reason", "again"))
        before = json.loads((kept.printed / "contoso-verify.json").read_text())["entries"]
        verified = good(kept.home.run("audit", "verify", "--incremental", "-o", "json")).json

        assert verified["head"]["size"] > before
        assert 0 < verified["entries"] <= verified["head"]["size"] - before


class TestHome:
    def test_a_profile_keeps_what_a_person_wrote(self, embedded: Callable[[str], Kept]) -> None:
        """Changing a profile leaves comments and unknown keys of it alone."""
        home = embedded(VERSION).home
        profile = home.config / "tenants" / f"{RESOURCE}.toml"
        before = profile.read_text()
        assert before.startswith("# Whom to ask")
        good(home.run("tenant", "rename", "fabrikam", "fab"))

        assert profile.read_text() == before.replace('alias = "fabrikam"', 'alias = "fab"')

    def test_what_is_silenced(self, embedded: Callable[[str], Kept]) -> None:
        """What a profile silences of `audit lint` stays silenced."""
        shown = good(embedded(VERSION).home.run("tenant", "show", FOREIGN, "-o", "json")).json

        assert shown["silenced"] == {"SA002": "Reviewed each quarter."}

    def test_signed_heads(self, embedded: Callable[[str], Kept]) -> None:
        """A store that went back behind the heads that 0.1 signed is refused."""
        home = embedded(VERSION).home
        home.alter(f"UPDATE audit_log_heads SET size = size - 1 WHERE tenant_id = '{HOME}'")

        assert home.run("list").code == 9

    def test_tokens(self, tmp_path: Path) -> None:
        """The access token in a token cache is sent as it is, without asking anybody for another."""
        private_copy(DATA / VERSION / "shared" / "home", tmp_path / "home")
        home = Home(tmp_path / "home")
        shutil.rmtree(home.folder / "data" / "logs")  # which the server of this test could not prove
        with serving() as server:
            lead_to(home, server.url)
            server.will(answer(200, {"value": []}), answer(200, {"count": 0}))
            listed = home.run("list", "-o", "json")

            assert (listed.code, listed.out) == (0, "[]\n"), listed.err
            assert {asked.headers["Authorization"] for asked in server.asked} == {"Bearer access-token-of-the-fixture"}

    @pytest.mark.parametrize("when", ["before the rotation", "at the end"])
    def test_remembered_heads(self, shared: Callable[[str], Kept], when: str) -> None:
        """What was remembered of a log, also under an earlier key, is what the store is held against, and moves on."""
        kept = shared(VERSION)
        logs = kept.home.folder / "data" / "logs"
        if when == "before the rotation":
            shutil.rmtree(logs)
            private_copy(kept.given / "remembered-1", logs)
            lead_to(kept.home, endpoint_of(kept.home))
        (log,) = logs.glob(f"{HOME}-*.json")
        before = json.loads(log.read_text())
        good(kept.home.run("provider", "raise", "--support-request", "n", "--engineer", "Erin", "--reason", "again"))
        good(kept.home.run("audit", "log", "--checkpoint"))
        after = json.loads(log.read_text())

        assert after["checkpoint"] != before["checkpoint"]
        assert after["keys"] == [kept.verifier_keys("contoso")[-1]]

        log.write_text(log.read_text().replace(after["checkpoint"].split("\n")[2], "A" * 43 + "="))
        assert kept.home.run("list").code == 9
