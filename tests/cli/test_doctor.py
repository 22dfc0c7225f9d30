"""`supportaccess doctor`."""

import shutil
import sqlite3
import subprocess
from contextlib import closing
from datetime import timedelta
from shlex import quote, split
from typing import Any

import pytest
from tests.cli.home import Home, now
from tests.support.people import FOREIGN, HOME, RESOURCE, SettableClock, asking

from supportaccess.store.sql.engine import KNOWN_VERSION


def checks(home: Home, code: int) -> dict[str, dict[str, Any]]:
    """Run the doctor in a pipe and on a terminal; return its checks by name."""
    result = home.run("doctor", "-o", "json")
    screen = home.on_terminal("doctor")
    assert (result.code, screen.code) == (code, code), result
    found = {check["name"]: check for check in result.json}
    for name, check in found.items():
        assert name in screen.text
        assert " ".join(check["message"].split()) in screen.words
        assert " ".join(check.get("mend", "").split()) in screen.words
    if code:
        assert "checks failed." in result.err
    return found


def test_everything_is_well(home: Home) -> None:
    """When everything works each check passes, in green, and the exit code is 0."""
    home.raised("1")
    found = checks(home, 0)
    assert {check["result"] for check in found.values()} == {"passed"}
    assert found["store"]["message"].endswith("1 request of 1 tenant")
    names = {"settings", "file rights", "tenant", "store", "store integrity", "permission", "audit log", "clock"}
    names |= {"program", "signing key"}
    assert names <= set(found)
    assert "\x1b[32mpassed" in home.on_terminal("doctor").coloured
    assert home.run("doctor").lines[0].split("\t")[:2] == ["program", "passed"]


def test_nothing_is_set_up(new_home: Home) -> None:
    """With nothing set up nothing is wrong: what cannot be checked is skipped, with what comes first."""
    found = checks(new_home, 0)
    assert found["tenant"]["result"] == "skipped"
    assert "supportaccess tenant set" in found["tenant"]["mend"]
    assert found["store"]["result"] == "skipped"
    assert not new_home.database.exists()


def test_others_can_read_the_files(home: Home) -> None:
    """Rights that are too wide fail, with the command that narrows them."""
    home.raised()
    home.database.chmod(0o644)
    check = checks(home, 1)["file rights"]
    assert check["result"] == "failed"
    assert str(home.database) in check["message"]
    assert check["mend"] == f"chmod 600 {quote(str(home.database))}"
    subprocess.run(split(check["mend"]), check=True)
    checks(home, 0)


def test_a_newer_store(home: Home) -> None:
    """A store that a newer program made fails, with the command that upgrades this one."""
    home.raised()
    with closing(sqlite3.connect(home.database)) as database:
        database.execute(f"PRAGMA user_version = {KNOWN_VERSION + 1}")
    check = checks(home, 1)["store"]
    assert check["result"] == "failed"
    assert "newer supportaccess" in check["message"]
    assert "pip install --upgrade supportaccess" in check["mend"]
    assert home.run("list").code == 1


@pytest.mark.parametrize("damage", ["not a database", "page"])
def test_a_damaged_store(home: Home, damage: str) -> None:
    """A damaged store fails, with what to do about it, and every other command says the same without a traceback."""
    home.raised(*map(str, range(50)))
    with closing(sqlite3.connect(home.database)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray(home.database.read_bytes())
    if damage == "page":
        data[4096 * 2 :] = b"\xff" * (len(data) - 4096 * 2)
    else:
        data[:] = b"not a database at all" * 1000
    home.database.write_bytes(data)
    found = checks(home, 1)
    failed = [check for check in found.values() if check["result"] == "failed"]
    assert failed
    assert any("restore a backup" in check["mend"] for check in failed)
    result = home.run("list", "--all")
    assert result.code == 1
    assert "damaged" in result.err


@pytest.mark.parametrize("content", ["alias = ", "\x00", 'alias = "\x1b[2J"', "alias = 5", "[" * 10_000, "\ufeffx"])
def test_a_broken_settings_file(home: Home, content: str) -> None:
    """A settings file that cannot be read fails, named, and other commands say so: exit 2."""
    home.raised()
    path = home.config / "tenants" / f"{HOME}.toml"
    path.write_text(content)
    check = checks(home, 1)["settings"]
    assert check["result"] == "failed"
    assert str(path) in check["message"]
    result = home.run("list")
    assert (result.code, str(path) in result.err) == (2, True)


def test_the_broken_settings_of_another_tenant_do_no_harm(home: Home) -> None:
    """What is broken in one tenant's profile stops no command in another tenant, on a terminal or in a pipe."""
    (record,) = home.raised()
    (home.config / "tenants" / f"{FOREIGN}.toml").write_text("alias = ")
    assert home.run("list", "-o", "ids").out == f"{record.id}\n"
    assert record.id[:8] in home.on_terminal("list").text
    assert home.on_terminal("approve", record.id, answer="y\n").code == 0
    assert home.run("revoke", record.id, "-y").code == 0
    assert checks(home, 1)["settings"]["result"] == "failed"


def test_an_altered_log(home: Home) -> None:
    """A log that does not hold fails, with the command that tells more."""
    home.raised()
    home.alter("UPDATE audit_events SET leaf_hash = x'00'")
    check = checks(home, 1)["audit log"]
    assert check["result"] == "failed"
    assert check["mend"] == "supportaccess audit verify"


@pytest.mark.parametrize("trouble", ["gone", "broken", "the whole folder"])
def test_a_signing_key_that_is_gone(home: Home, trouble: str) -> None:
    """Without the key that signed before nothing more is signed: it fails, with what to do."""
    home.raised("1")
    assert home.run("approve", "1", "--yes").code == 0
    assert checks(home, 0)["signing key"]["result"] == "passed"
    keys = home.folder / "data" / "keys"
    match trouble:
        case "gone":
            (keys / "signing.key").unlink()
        case "broken":
            (keys / "signing.key").write_text("x")
        case _:
            shutil.rmtree(keys)
    check = checks(home, 1)["signing key"]
    assert check["result"] == "failed"
    assert str(keys) in check["message"]
    assert check["mend"]


def test_a_clock_that_is_behind(home: Home) -> None:
    """A clock behind the log's last entry fails: it would let access run on past its limit."""
    with home.store(clock=SettableClock(now() + timedelta(days=1, minutes=30))) as store:
        store.raise_request(asking(), key="k")
    check = checks(home, 1)["clock"]
    assert check["result"] == "failed"
    assert "clock is 1d behind the last entry" in check["message"]


@pytest.mark.parametrize(
    ("variable", "command"),
    [
        ("SUPPORTACCESS_DATA_DIR", "list"),
        ("SUPPORTACCESS_DATA_DIR", "store info"),
        ("SUPPORTACCESS_CONFIG_DIR", "list"),
        ("SUPPORTACCESS_CONFIG_DIR", f"tenant set {HOME}"),
    ],
)
def test_a_place_that_can_be_no_folder(home: Home, variable: str, command: str) -> None:
    """Where a file is, or a path is relative or has too long a name, a command and the doctor say which."""
    place = home.folder / "file"
    place.write_text("")
    for value in (str(place), str(place / "below"), "relative/path", str(place.with_name("x" * 300))):
        result = home.run(*command.split(), env={variable: value})
        assert result.code in {1, 2}
        assert result.err.startswith("Error: ")
        assert value in result.err
        doctor = home.run("doctor", env={variable: value})
        assert doctor.code in {1, 2}
        assert value in doctor.out + doctor.err


def test_every_broken_settings_file_is_named(home: Home) -> None:
    """Each broken file is a failed check of its own, config.toml too; one tenant named beside them still is checked."""
    paths = [home.config / "tenants" / f"{each}.toml" for each in (FOREIGN, RESOURCE)] + [home.config / "config.toml"]
    for path in paths:
        path.write_text("\n[")
    result = home.run("doctor", "--tenant", "contoso", "-o", "json")
    broken = [check for check in result.json if check["name"] == "settings"]
    assert result.code == 1
    assert [check["result"] for check in broken] == ["failed"] * 3
    assert all(any(f"{path} is broken: " in check["message"] for check in broken) for path in paths)
    assert all("line 2" in check["message"] and "Mend the file" in check["mend"] for check in broken)


class TestSeveralTenants:
    def test_each_has_its_checks(self, home: Home) -> None:
        """What all share is checked once, the rest for each tenant, which its checks name."""
        home.raised()
        home.add_tenant(FOREIGN, "fabrikam")
        result = home.run("doctor", "--all-tenants", "-o", "json")
        assert result.code == 0, result.err
        of_tenants = [(check["name"], check.get("tenantId")) for check in result.json]
        each = ["tenant", "permission", "audit log", "clock"]
        assert [name for name, tenant in of_tenants if tenant == HOME] == each
        assert [name for name, tenant in of_tenants if tenant == FOREIGN] == each
        shared = [name for name, tenant in of_tenants if tenant is None]
        assert sorted(shared) == ["file rights", "program", "settings", "signing key", "store", "store integrity"]
        screen = home.on_terminal("doctor", "-t", "contoso", "-t", "fabrikam")
        assert screen.code == 0
        assert f"Tenant contoso ({HOME})" in screen.text
        assert f"Tenant fabrikam ({FOREIGN})" in screen.text
        assert home.run("doctor", "--all-tenants").lines[-1].count("\t") == 4

    def test_one_that_fails_is_told_as_that(self, home: Home) -> None:
        """A broken profile or log is its tenant's failure: exit 7, and the others are checked."""
        home.raised()
        path = home.config / "tenants" / f"{FOREIGN}.toml"
        path.write_text("[")
        path.chmod(0o600)
        result = home.run("doctor", "--all-tenants", "-o", "json")
        assert result.code == 7
        failed = {(check["name"], check.get("tenantId")) for check in result.json if check["result"] == "failed"}
        assert failed == {("settings", None), ("tenant", FOREIGN)}
        assert ("audit log", HOME) in {(check["name"], check.get("tenantId")) for check in result.json}

    def test_a_name_that_nobody_has(self, home: Home) -> None:
        """Of several names one that is mistyped fails, with what was meant; the others are checked."""
        result = home.run("doctor", "-t", "contoso", "-t", "contosso", "-o", "json")
        assert result.code == 7
        (failed,) = [check for check in result.json if check["result"] == "failed"]
        assert "did you mean 'contoso'?" in failed["message"]

    def test_all_and_some_contradict(self, home: Home) -> None:
        """--tenant with --all-tenants is wrong usage."""
        assert home.run("doctor", "--all-tenants", "-t", "contoso").code == 2
