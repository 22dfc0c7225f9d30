"""`supportaccess store`."""

import stat
from datetime import timedelta

from tests.cli.home import Home, now
from tests.support.people import FOREIGN, HOME


def test_info(home: Home) -> None:
    """`info` says where the store is, how large, and what it holds of each tenant."""
    home.raised("1", "2")
    with home.store(FOREIGN):
        pass
    (row,) = home.run("store", "info", "-o", "json").json
    assert (row["path"], row["tenantId"]) == (str(home.database), HOME)
    assert (row["accessRequests"], row["auditEntries"], row["sourceEvents"]) == (2, 2, 0)
    assert row["bytes"] == home.database.stat().st_size
    screen = home.on_terminal("store", "info")
    assert screen.code == 0
    assert str(home.database) in screen.text
    assert HOME in screen.text
    assert home.run("store", "info").lines[0].split("\t")[3] == HOME


def test_info_of_a_new_store(new_home: Home) -> None:
    """Without anything in it the store is made, for its owner alone, and said to be empty."""
    (row,) = new_home.run("store", "info", "-o", "json").json
    assert (row["accessRequests"], row["auditEntries"], row["sourceEvents"]) == (0, 0, 0)
    assert "tenantId" not in row
    assert stat.S_IMODE(new_home.database.stat().st_mode) == 0o600
    assert stat.S_IMODE(new_home.database.parent.stat().st_mode) == 0o700
    assert new_home.on_terminal("store", "info").code == 0


def test_backup(home: Home) -> None:
    """A backup is a whole store, for its owner alone, and works in the store's place."""
    (record,) = home.approved()
    target = home.folder / "copy.db"
    result = home.run("store", "backup", str(target))
    assert (result.code, result.out) == (0, "")
    assert str(target) in result.err
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert home.run("revoke", record.id, "-y").code == 0
    for path in home.database.parent.glob("store.db*"):
        path.unlink()
    target.rename(home.database)
    assert home.run("list").code == home.run("revoke", record.id, "-y").code == home.run("store", "sweep").code == 9
    assert home.run("store", "rollback", "--reason", "the disk failed", "--yes").code == 0
    assert home.run("list", "--active", "-o", "ids").out == f"{record.id}\n"
    assert home.run("audit", "verify").code == 0


def test_a_backup_overwrites_nothing(home: Home) -> None:
    """A file that is there already is left alone: exit 1; so is a place that cannot be written."""
    target = home.folder / "precious"
    target.write_text("mine")
    link = home.folder / "link"
    link.symlink_to(home.folder / "elsewhere")
    for place in (target, link, home.folder, home.folder / "missing" / "copy.db"):
        result = home.run("store", "backup", str(place))
        assert (result.code, result.err.startswith("Error: ")) == (1, True)
    assert home.on_terminal("store", "backup", str(target)).code == 1
    assert target.read_text() == "mine"
    assert not (home.folder / "elsewhere").exists()


def test_sweep(home: Home) -> None:
    """A sweep writes down what fell due, dated with the limit itself, once."""
    (over,) = home.approved("1", ago=timedelta(hours=2), for_=timedelta(hours=1))
    home.raised("2", ago=timedelta(hours=2), decide_by=now() - timedelta(hours=1))
    home.raised("3")
    size = home.log_size()
    result = home.run("store", "sweep")
    assert result == (0, "", "2 requests had reached a limit or a deadline.\n")
    assert home.log_size() == size + 2
    assert home.run("store", "sweep", "-q") == (0, "", "")
    assert home.on_terminal("store", "sweep").text == "0 requests had reached a limit or a deadline.\n"
    assert home.log_size() == size + 2
    entry = home.run("audit", "log", "--activity", "Limit reached", "-o", "json").json[0]
    assert entry["accessRequestId"] == over.id
    assert entry["time"] == home.run("show", over.id, "-o", "json").json["expiresAt"]
