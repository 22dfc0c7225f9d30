"""`supportaccess audit log --follow`."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import cast

import msgspec
import pytest
from tests.cli.home import Home, key
from tests.cli.terminal import PATIENCE
from tests.support.people import HOME, asking
from tests.support.program import installed_program

from supportaccess.cli.audit.tail import Following
from supportaccess.cli.output.streams import Streams
from supportaccess.domain.audit import AuditEntry
from supportaccess.errors import StoreUnavailable
from supportaccess.store.protocol import AuditPage, AuditQuery, LogHead, RequestStore

pytestmark = pytest.mark.process


@contextmanager
def following(home: Home, *arguments: str) -> "Iterator[subprocess.Popen[str]]":
    """Run the command in a pipe; leave nothing running."""
    process = subprocess.Popen(
        [installed_program(), "audit", "log", "--follow", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=home.environment,
        text=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        process.communicate()


def line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")


def test_new_entries_come_once_and_in_order(home: Home) -> None:
    """The last entries come first, then each new one as a line of JSON, until Ctrl-C, which exits with 130."""
    first, second, third = home.raised("1", "2", "3")
    with following(home, "-L", "2", "-o", "jsonl") as process:
        earlier = [msgspec.json.decode(line(process)) for _ in range(2)]
        assert [entry["accessRequestId"] for entry in earlier] == [second.id, third.id]
        assert msgspec.json.decode(line(process))["activity"] == "Audit log read"
        with home.store() as store:
            store.approve(first.id, etag=first.etag, key=key())
            store.reject(second.id, etag=second.etag, key=key(), reason="no")
        later = [msgspec.json.decode(line(process)) for _ in range(2)]
        assert [(entry["activity"], entry["sequence"]) for entry in later] == [
            ("Request approved", 4),
            ("Request rejected", 5),
        ]
        home.raised("4")
        assert msgspec.json.decode(line(process))["sequence"] == 6
        process.send_signal(signal.SIGINT)
        rest, told = process.communicate(timeout=PATIENCE)

    assert rest == ""
    assert told == "Interrupted.\n"
    assert process.returncode == 130


def test_filters_hold_for_what_comes(home: Home) -> None:
    """Only entries that match come, and those that do not are looked at once."""
    (first,) = home.raised("1")
    with following(home, "-o", "tsv", "--columns", "activity", "--activity", "request approved") as process:
        with home.store() as store:
            other = store.raise_request(asking("2"), key=key())
            store.withdraw(other.id, etag=other.etag, key=key())
            store.approve(first.id, etag=first.etag, key=key())
        assert line(process) == "Request approved"


def test_it_ends_when_nobody_reads(home: Home) -> None:
    """A reader that goes away ends it at once and quietly, also while nothing comes."""
    home.raised("1", "2")
    result = home.shell("supportaccess audit log -f -o jsonl | head -n 1; echo ${PIPESTATUS[0]}")

    assert result.lines[1:] == ["0"]
    assert result.err == ""


def test_on_a_terminal(home: Home) -> None:
    """A terminal gets a table that grows, with the heading once."""
    home.raised("1")
    with home.terminal("audit", "log", "-f", columns=140) as terminal:
        terminal.wait_for("Request created")
        (record,) = home.raised("2", engineer="Second")
        terminal.wait_for(record.id)
        screen = terminal.interrupt()

    assert screen.code == 130
    assert screen.text.count("ACTIVITY") == 1
    rows = [each for each in screen.lines if "Request created" in each]
    assert len(rows) == 2
    assert rows[0].index("Request") == rows[1].index("Request") == screen.lines[0].index("ACTIVITY")


def test_the_heading_of_csv_comes_once(home: Home) -> None:
    """CSV has its heading once, whatever comes later."""
    with following(home, "-o", "csv", "--columns", "sequence,activity") as process:
        home.raised("1")
        assert [line(process), line(process)] == ["sequence,activity", "0,Request created"]


def test_a_log_that_became_shorter(home: Home) -> None:
    """A store that went back to an earlier state ends it with 9, not in silence."""
    home.raised("1", "2", "3")
    with following(home, "-o", "jsonl", "-L", "1") as process:
        assert msgspec.json.decode(line(process))["sequence"] == 2
        home.alter("UPDATE audit_log_heads SET size = 2")
        _, told = process.communicate(timeout=PATIENCE)

    assert process.returncode == 9
    assert "had 3 entries and now has 2" in told


def test_a_log_that_is_forked_meanwhile(home: Home, tmp_path: Path) -> None:
    """A store that does not go on from what was signed ends it with 9, and no entry of that store comes."""
    (record,) = home.raised("1")
    other = Home(tmp_path / "other")
    home.copy_store(other)
    other.raised("2", "3", "4", "5")
    with following(home, "-o", "jsonl", "--activity", "request approved", "--activity", "request created") as process:
        assert msgspec.json.decode(line(process))["activity"] == "Request created"
        assert home.run("approve", record.id, "--yes").code == 0
        assert msgspec.json.decode(line(process))["activity"] == "Request approved"
        other.copy_store(home)
        rest, told = process.communicate(timeout=PATIENCE)

    assert (process.returncode, rest) == (9, "")
    assert "forked" in told


class _Away:
    """A store whose head cannot be asked for, as often as is said, and which then has one entry more."""

    tenant_id = HOME

    def __init__(self, entries: list[AuditEntry], times: int) -> None:
        self._entries = entries
        self._times = times
        self.asked = 0

    def log_head(self) -> LogHead:
        self.asked += 1
        if 1 < self.asked <= 1 + self._times:
            raise StoreUnavailable("the store does not answer")
        return LogHead(size=len(self._entries) - (self.asked == 1), root="")

    def audit_page(self, query: AuditQuery, *, top: int, cursor: str | None = None) -> AuditPage:  # noqa: ARG002
        after = -1 if query.after_sequence is None else query.after_sequence
        return AuditPage(value=[entry for entry in self._entries if entry.sequence > after])


class _Told:
    """Streams that note what is said and how long is waited."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.pauses: list[float] = []

    def wait(self, seconds: float) -> bool:
        self.pauses.append(seconds)
        return len(self.pauses) < 12

    def warn(self, text: str) -> None:
        self.said.append(text)

    note = warn


def test_a_store_that_is_away_is_waited_for(home: Home) -> None:
    """While the store does not answer it is asked ever more rarely and that is said once; then it goes on."""
    (record,) = home.raised("1")
    with home.store() as store:
        (entry,) = store.history(record.id)
    told, away = _Told(), _Away([entry], times=7)
    entries = Following(cast("RequestStore", away), AuditQuery(), 0, cast("Streams", told))
    entries.first()

    assert list(entries.rest()) == [entry]
    assert told.pauses == [2, 4, 8, 16, 32, 60, 60, 60, 2, 2, 2, 2]
    assert [text.partition(" ")[0] for text in told.said] == ["the", "The"]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["-o", "json"], "-o jsonl"),
        (["--query", "[].activity", "-o", "jsonl"], "--query"),
        (["--fail-if-any"], "--follow"),
        (["--oldest-first"], "--follow"),
    ],
)
def test_what_does_not_go_with_it(home: Home, more: list[str], says: str) -> None:
    """What needs an end is refused as wrong usage, with what to use instead."""
    result = home.run("audit", "log", "-f", *more)

    assert result.code == 2
    assert says in result.err
