"""`supportaccess watch` in a pipe: what it tells, once, and where it goes on."""

import signal
import time
from datetime import timedelta
from pathlib import Path

import pytest
from tests.cli.home import Home, key, now
from tests.cli.watching.watcher import BEGUN, watching
from tests.support.people import HOME, RESOURCE, SettableClock, asking
from tests.support.servers import until

from supportaccess.cli.watch.filters import Filter
from supportaccess.cli.watch.tenant import TenantWatch
from supportaccess.domain.records import Status
from supportaccess.store.protocol import RequestQuery
from supportaccess.store.sql.maintenance import sweep
from supportaccess.store.sql.sqlite.open import open_embedded

pytestmark = pytest.mark.process

HOUR = timedelta(hours=1)
PENDING = RequestQuery(statuses=frozenset({Status.PENDING}))


def test_what_happens_is_told_as_it_happens(home: Home) -> None:
    """Nothing of before, then each step as one line of JSON with the record, until SIGTERM, which is a clean end."""
    (old,) = home.raised("1")
    with watching(home) as watcher:
        watcher.wait_for(BEGUN)
        (new,) = home.raised("2")
        created = watcher.event()
        with home.store() as store:
            store.approve(old.id, etag=old.etag, key=key(), reason="go on")
        approved = watcher.event()
        code, rest, said = watcher.end()

    assert (created["what"], created["accessRequestId"], created["tenantId"]) == ("created", new.id, HOME)
    assert created["record"]["status"] == "pending"
    assert (approved["what"], approved["reason"]) == ("approved", "go on")
    assert (approved["statusBefore"], approved["statusAfter"]) == ("pending", "approved")
    assert (code, rest, said) == (0, [], "")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_a_watch_goes_on_where_it_stopped(home: Home, number: int, code: int) -> None:
    """Ended however, the next one tells what was missed, and nothing again."""
    with watching(home, "--exec", "true") as first:
        first.wait_for(BEGUN)
        home.raised("1")
        told = first.event()
        # Its command ran when the next one comes.
        home.raised("2")
        also = first.event()
        if number == signal.SIGKILL:
            home.raised("3")
            also = first.event()
        assert first.end(number)[0] == code
    home.raised("missed")
    with watching(home, "--exec", "true") as second:
        events = [second.event()]
        while events[-1]["supportRequestId"] != "missed":
            events.append(second.event())

    assert told["id"] not in {each["id"] for each in events}
    # Killed between telling and taking note of it, the last one is told again.
    assert {each["id"] for each in events[:-1]} <= ({also["id"]} if number == signal.SIGKILL else set())


def test_a_log_that_is_forked_meanwhile(home: Home, tmp_path: Path) -> None:
    """A store that does not go on from what was signed ends a watch with 9, and nothing of that store is told."""
    (record,) = home.raised("1")
    other = Home(tmp_path / "other")
    home.copy_store(other)
    other.raised("2", "3", "4")
    with watching(home) as watcher:
        watcher.wait_for(BEGUN)
        assert home.run("approve", record.id, "--yes").code == 0
        assert watcher.event()["what"] == "approved"
        other.copy_store(home)
        code, rest, said = watcher.finish()

    assert (code, rest) == (9, [])
    assert "forked" in said


def test_once_tells_what_is_new_and_ends(home: Home) -> None:
    """For cron: each run tells what came since the last one; --from-start tells all that ever was."""
    (first,) = home.raised("1")
    begins = home.run("watch", "--once")
    (second,) = home.raised("2")
    goes_on = home.run("watch", "--once")
    is_silent = home.run("watch", "--once")
    anew = home.run("watch", "--once", "--from-start")

    assert (begins.code, begins.out) == (0, "")
    assert BEGUN in begins.err
    assert second.id in goes_on.out
    assert (len(goes_on.lines), goes_on.err) == (1, "")
    assert (is_silent.code, is_silent.out, is_silent.err) == (0, "", "")
    assert [first.id in anew.lines[0], second.id in anew.lines[1]] == [True, True]


def test_watches_do_not_get_into_each_others_way(home: Home) -> None:
    """Watches for different things, and named ones, have a place each; a second same one says that it keeps none."""
    home.run("watch", "--once", "--event", "created")
    home.run("watch", "--once", "--name", "teams")
    home.raised("1")
    assert len(home.run("watch", "--once", "--event", "created").lines) == 1
    assert len(home.run("watch", "--once", "--name", "teams", "--event", "approved").lines) == 0
    assert len(home.run("watch", "--once", "--name", "teams").lines) == 0
    with watching(home, "--name", "one") as first:
        first.wait_for(BEGUN)
        with watching(home, "--name", "one") as second:
            assert "--name" in second.wait_for("Another watch")
            home.raised("2")
            assert first.event()["supportRequestId"] == "2"
            assert first.end()[0] == 0
    assert home.run("watch", "--once", "--name", "one").out == ""


def test_a_deadline_is_announced_once(home: Home) -> None:
    """A deadline nearer than --ahead is announced when the watch begins, and by no later one again."""
    (record,) = home.raised("1", ago=5 * HOUR, decide_by=now() + HOUR)
    first = home.run("watch", "--once", "--ahead", "90m")
    again = home.run("watch", "--once", "--ahead", "90m")
    later = home.run("watch", "--once", "--ahead", "10m", "--name", "other")

    assert ['"what":"deadlineNear"' in line for line in first.lines] == [True]
    assert record.id in first.out
    assert (again.out, later.out) == ("", "")


def test_the_clock_ends_a_request_without_a_sweep(home: Home) -> None:
    """What the clock ends is told at that moment, and not again once it is written into the log."""
    with watching(home, "--name", "clock") as watcher:
        watcher.wait_for(BEGUN)
        home.raised("1", ago=timedelta(), decide_by=now() + timedelta(seconds=4))
        created, lapsed = watcher.event(), watcher.event()
        assert watcher.end()[0] == 0
    engine = open_embedded(home.database)
    try:
        assert sweep(engine, now) == 1
    finally:
        engine.close()
    home.raised("2")
    after = home.run("watch", "--once", "--name", "clock")

    assert (created["what"], lapsed["what"], lapsed["record"]["status"]) == ("created", "lapsed", "lapsed")
    assert lapsed["time"] == lapsed["record"]["decideBy"]
    assert [('"what":"created"' in line) for line in after.lines] == [True]


def test_what_the_clock_ended_meanwhile_is_told(home: Home) -> None:
    """A request that lapsed while nobody watched is told by the next watch, though nobody has written it down."""
    before = now()
    home.run("watch", "--once", "--name", "other")
    took = now() - before
    deadline = now() + timedelta(seconds=2) + 5 * took
    home.raised("1", ago=timedelta(), decide_by=deadline)
    assert home.run("watch", "--once").out == ""
    with home.store() as store:
        (record,) = store.page(PENDING, top=5).value
        time.sleep(max(0, (deadline - now()).total_seconds()))
        until(lambda: not store.page(PENDING, top=5).value)
    told = home.run("watch", "--once")
    again = home.run("watch", "--once")

    assert ['"what":"lapsed"' in line and record.id in line for line in told.lines] == [True]
    assert again.out == ""


def test_another_tenants_secret_stays_one(home: Home) -> None:
    """The support request tenant is not told that the resource tenant revoked; both are told their own."""
    home.add_tenant(RESOURCE, alias="fabrikam")
    home.run("watch", "--once", "--all-tenants")
    home.run("watch", "--once", "-t", "contoso")
    record = home.crossing(RESOURCE, approve=True)
    with home.store(RESOURCE) as store:
        store.revoke(record.id, etag=store.get(record.id).etag, key=key(), reason="enough")
    own = home.run("watch", "--once", "-t", "contoso")
    both = home.run("watch", "--once", "--all-tenants")

    assert "revoked" not in own.out
    assert "enough" not in own.out
    assert [line.split('"what":"')[1].split('"')[0] for line in own.lines] == ["created", "approved"]
    assert sorted(line.split('"what":"')[1].split('"')[0] for line in both.lines) == [
        "approved",
        "approved",
        "created",
        "revoked",
    ]


def test_a_log_that_lost_entries_is_told(home: Home) -> None:
    """A store that went back is an exit code of its own, not silence."""
    home.raised("1")
    backup = home.folder / "earlier.db"
    assert home.run("store", "backup", str(backup)).code == 0
    home.raised("2")
    home.run("watch", "--once")
    for file in home.database.parent.glob("store.db*"):
        file.unlink()
    backup.rename(home.database)
    result = home.run("watch", "--once")

    assert result.code == 9
    assert "some are missing" in result.err


def test_a_reader_who_goes_away_ends_it(home: Home) -> None:
    """`| head -1` ends it at once and quietly, and what was not read is told the next time."""
    home.raised("1", "2")
    result = home.shell("supportaccess watch --from-start | head -n 1; echo ${PIPESTATUS[0]}")

    assert result.lines[1:] == ["0"]
    assert result.err == ""


def test_wrong_options_are_refused_first(home: Home) -> None:
    """What cannot be is told with what can, before anything is asked or kept."""
    wrong = {
        "creat is no event": ["--event", "creat"],
        "no format": ["-o", "csv"],
        "needs a terminal": ["-o", "table"],
        "between 1s and 1h": ["--interval", "0s"],
        "longer than a year": ["--ahead", "60w"],
        "name of a watch": ["--name", "../x"],
        "no program": ["--exec", "no-such-program"],
        "cannot be read": ["--exec", "sh -c 'x"],
        "--exec is empty": ["--exec", " "],
        "--engineer is empty": ["--engineer", ""],
    }
    for message, arguments in wrong.items():
        result = home.run("watch", *arguments)
        assert (result.code, result.out) == (2, ""), arguments
        assert message in result.err.replace("'", "")
    assert not (home.folder / "data" / "watch").exists()


def test_a_broken_file_of_places_is_told(home: Home) -> None:
    """A file that cannot be used is named with what mends it, and left as it is."""
    home.run("watch", "--once", "--name", "mine")
    file = home.folder / "data" / "watch" / "mine.json"
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_text('{"tenants": 1}')
    result = home.run("watch", "--once", "--name", "mine")

    assert result.code == 2
    assert str(file) in result.err
    assert file.read_text() == '{"tenants": 1}'


def test_a_clock_that_is_set_back_repeats_nothing(home: Home) -> None:
    """An announcement is one, whatever the clock does."""
    start = now()
    clock = SettableClock(start - 5 * HOUR)
    with home.store(clock=clock) as store:
        store.raise_request(asking("1", decide_by=start + HOUR), key=key())
        watch = TenantWatch(store, Filter(), 2 * HOUR)
        watch.begin(None)
        told = []
        for hours in (0, 4.5, -4, 5.5, 2, 5.9, 6.5, 3.7, 5.5, 6.6):
            for event in watch.by_clock(clock() + hours * HOUR):
                told.append(event.what.value)
                watch.done(event)

    assert told == ["deadlineNear", "lapsed"]
