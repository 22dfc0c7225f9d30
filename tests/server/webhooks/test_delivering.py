"""Webhooks of a real server: what arrives, when a receiver does not take it, and when the server is killed."""

import re
import signal
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.contract.acts import approved, raised, revoke
from tests.server.webhooks.conftest import Posting
from tests.server.webhooks.receiver import SECRET, Answer, cut, drip, receiving, silence, status
from tests.support.certificates import certificate_for_loopback
from tests.support.people import HOME, RESOURCE, asking
from tests.support.servers import RunningServer, until

pytestmark = pytest.mark.process

HOUR = timedelta(hours=1)


def now() -> datetime:
    return datetime.now(UTC)


def test_what_happens_is_posted_signed_and_in_order(posting: Posting) -> None:
    """Each step is one message, as Standard Webhooks has it, with the event that `watch` has; nothing of before."""
    with posting.store() as store:
        raised(store, asking("before"))
    with posting.running() as server, posting.store() as store:
        record = approved(store, asking("1"))
        revoke(store, record.id)
        messages = posting.receiver.wait_for(3)
        events = store.events(after=1, top=10).value
        metrics = server.ask("/metrics").body.decode()

    assert [each.payload["type"] for each in messages] == [
        "accessRequest.created",
        "accessRequest.approved",
        "accessRequest.revoked",
    ]
    assert (
        [each.id for each in messages]
        == [each.id for each in events]
        == [each.payload["data"]["id"] for each in messages]
    )
    assert messages[0].payload["timestamp"] == messages[0].payload["data"]["time"]
    assert messages[0].payload["data"]["record"]["supportRequestId"] == "1"
    assert set(posting.receiver.paths) == {"/hook?key=hunter2"}
    assert 'supportaccess_webhook_messages_total{outcome="done",webhook="siem"} 3.0' in metrics
    assert not any(secret in "".join(server.raw) + metrics for secret in (SECRET, "hunter2", "/hook"))


def test_a_later_message_waits_for_an_earlier_one(posting: Posting) -> None:
    """Of one tenant no message is posted before the one before it is answered."""
    posting.receiver.seconds = 0.2
    with posting.running(), posting.store() as store:
        for number in range(3):
            approved(store, asking(f"{number}"))
        messages = posting.receiver.wait_for(6)

    assert [each.payload["data"]["sequence"] for each in messages] == list(range(6))
    assert posting.receiver.overlapping == []


def test_only_what_is_wanted_is_posted(posting: Posting) -> None:
    """A webhook for some events of one tenant gets those alone; another tenant's secret stays one."""
    with posting.running(f'events = ["approved", "revoked"]\ntenants = ["{HOME}"]'), posting.store() as store:
        crossing = approved(store, asking("1", resource_tenant_id=RESOURCE))
        with posting.store(RESOURCE) as other:
            revoke(other, crossing.id)
            approved(other, asking("2"))
        own = approved(store, asking("3"))
        revoke(store, own.id)
        messages = posting.receiver.wait_for(3)

    assert [(each.what, each.payload["data"]["accessRequestId"]) for each in messages] == [
        ("approved", crossing.id),
        ("approved", own.id),
        ("revoked", own.id),
    ]
    assert {each.payload["data"]["tenantId"] for each in messages} == {HOME}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_server_that_ends_in_between_loses_nothing(posting: Posting, number: signal.Signals) -> None:
    """What was not taken when the server ended is posted by the next one, under the same ID and in order."""
    posting.receiver.answers = [status(204), silence]
    with posting.running() as server, posting.store() as store:
        raised(store, asking("1"))
        raised(store, asking("2"))
        before = posting.receiver.wait_for(2, asked=True)
        server.stop(number)
        raised(store, asking("3"))
    with posting.running():
        after = posting.receiver.wait_for(2)

    assert [each.payload["data"]["supportRequestId"] for each in after] == ["2", "3"]
    assert before[1].id == after[0].id


@pytest.mark.parametrize(
    ("trouble", "reason", "code"),
    [
        (status(500), "status", 500),
        (status(404), "status", 404),
        (status(302, Location="http://localhost:1/elsewhere"), "status", 302),
        (status(429, Retry_After="1"), "status", 429),
        (silence, "tooSlow", None),
        (drip, "connection", None),
        (cut, "connection", None),
    ],
    ids=["500", "404", "redirect", "429", "silence", "drip", "cut"],
)
def test_a_message_that_is_not_taken_is_posted_again(
    posting: Posting, trouble: Answer, reason: str, code: int | None
) -> None:
    """Whatever was wrong, the same message comes again, and later ones after it; no redirect is followed."""
    posting.receiver.answers = [trouble]
    with posting.running("timeout_seconds = 2") as server, posting.store() as store:
        raised(store, asking("1"))
        raised(store, asking("2"))
        failed = server.wait_for("webhookFailed")
        messages = posting.receiver.wait_for(2)
        asked = posting.receiver.wait_for(3, asked=True)

    assert failed["webhook"] == "siem"
    assert failed["tenantId"] == HOME
    assert failed.get("status") == code
    assert failed["reason"] in {reason, "tooSlow"}
    assert [each.payload["data"]["supportRequestId"] for each in messages] == ["1", "2"]
    assert [each.id for each in asked] == [messages[0].id, messages[0].id, messages[1].id]


def test_nobody_waits_for_a_receiver(posting: Posting) -> None:
    """While a receiver hangs, requests are raised and approved, and another tenant's are not held up by the lock."""
    posting.receiver.answers = [silence]
    with posting.running("timeout_seconds = 60") as server, posting.store() as store:
        raised(store, asking("1"))
        posting.receiver.wait_for(1, asked=True)
        for number in range(20):
            approved(store, asking(f"more {number}".replace(" ", "-")))
        assert server.ask("/readyz").status in {200, 503}
        assert posting.receiver.taken == []
        assert server.stop() == 0


def test_a_receiver_that_is_gone_gets_no_more(posting: Posting) -> None:
    """410 disables the webhook for the tenant, with a line in the log and in the metrics; a restart tries again."""
    posting.receiver.answers = [status(410)]
    with posting.running() as server, posting.store() as store:
        raised(store, asking("1"))
        disabled = server.wait_for("webhookDisabled")
        metrics = server.ask("/metrics").body.decode()
        raised(store, asking("2"))
    assert (disabled["reason"], disabled["level"], disabled["tenantId"]) == ("gone", "error", HOME)
    assert 'supportaccess_webhook_messages_total{outcome="disabled",webhook="siem"} 1.0' in metrics
    assert len(posting.receiver.asked) == 1
    with posting.running():
        messages = posting.receiver.wait_for(2)
    assert [each.payload["data"]["supportRequestId"] for each in messages] == ["1", "2"]


def test_a_receiver_that_fails_for_days_gets_no_more(posting: Posting) -> None:
    """Three days of failing disable the webhook; a new URL begins without the old one's troubles."""
    posting.receiver.answers = [status(500), status(500)]
    with posting.running() as server, posting.store() as store:
        raised(store, asking("1"))
        server.wait_for("webhookFailed")
        alter(posting.folder, "UPDATE webhook_cursors SET failing_since = 1, next_attempt_at = 0")
        assert server.wait_for("webhookDisabled")["reason"] == "failsForLong"
        with closing(sqlite3.connect(posting.folder / "store.db")) as database:
            assert database.execute("SELECT count(*) FROM webhook_cursors WHERE disabled_at > 0").fetchone() == (1,)
    with receiving() as another:
        posting.receiver = another
        with posting.running():
            (message,) = another.wait_for(1)
    assert message.payload["data"]["supportRequestId"] == "1"


def test_a_backlog_ends_with_its_age(posting: Posting) -> None:
    """What happened more than three days ago is passed over, counted and logged; what is younger is posted."""
    with posting.running() as server:
        with posting.store(now=now() - timedelta(days=4)) as store:
            raised(store, asking("old"))
        with posting.store() as store:
            raised(store, asking("young"))
        (message,) = posting.receiver.wait_for(1)
        server.wait_for("webhookSkipped")
        metrics = server.ask("/metrics").body.decode()

    assert message.payload["data"]["supportRequestId"] == "young"
    assert 'supportaccess_webhook_messages_total{outcome="tooOld",webhook="siem"} 1.0' in metrics


def backlog(server: RunningServer) -> tuple[float, float]:
    """Return how many entries wait, and how old the oldest is."""
    page = server.ask("/metrics").body.decode()
    found = re.findall(
        r'^supportaccess_webhook_(?:undelivered|oldest_seconds)\{webhook="siem"\} (\S+)$', page, re.MULTILINE
    )
    assert HOME not in page
    entries, age = map(float, found)
    return entries, age


def test_what_is_not_delivered_is_measured(posting: Posting) -> None:
    """While a receiver takes nothing, the metrics say how much of all tenants waits and for how long; then nothing."""
    posting.receiver.answers = [status(500, Retry_After="3600")] * 2
    with posting.running() as server:
        with posting.store(now=now() - timedelta(minutes=10)) as store:
            raised(store, asking("1"))
            raised(store, asking("2"))
        with posting.store(RESOURCE) as store:
            raised(store, asking("3"))
        until(lambda: backlog(server)[0] == 3)
        entries, age = backlog(server)
        alter(posting.folder, "UPDATE webhook_cursors SET next_attempt_at = 0")
        posting.receiver.wait_for(3)
        until(lambda: backlog(server) == (0, 0))

    assert (entries, 600 <= age < 700) == (3, True)


def test_the_clock_is_announced_and_told(posting: Posting) -> None:
    """A near deadline is announced once, with a restart in between; what then lapses is told once it is swept."""
    deadline = now() + timedelta(minutes=50)
    with posting.store(now=now() - 5 * HOUR) as store:
        both = [raised(store, asking(ticket, decide_by=deadline)) for ticket in ("1", "2")]
        raised(store, asking("3", decide_by=now() + 3 * HOUR))
    with posting.running() as server:
        first = posting.receiver.wait_for(2)
        until(lambda: 'outcome="done",webhook="siem"} 2.0' in server.ask("/metrics").body.decode())
        assert server.stop() == 0
    with posting.running():
        with posting.store(now=now() - HOUR) as store:
            raised(store, asking("lapses", decide_by=now() - timedelta(minutes=1)))
        messages = posting.receiver.wait_for(4)

    assert {each.payload["data"]["accessRequestId"] for each in first} == {each.id for each in both}
    assert [each.payload["type"] for each in messages] == [
        "accessRequest.deadlineNear",
        "accessRequest.deadlineNear",
        "accessRequest.created",
        "accessRequest.lapsed",
    ]
    assert [each.id for each in posting.receiver.asked] == [each.id for each in messages]


def test_a_receiver_behind_tls(tmp_path: Path) -> None:
    """By https with a certificate authority of one's own; one that is not trusted gets nothing."""
    certificate = certificate_for_loopback(tmp_path)
    with receiving((certificate.certificate, certificate.key)) as receiver:
        posting = Posting(tmp_path, receiver)
        with posting.running() as server, posting.store() as store:
            raised(store, asking("1"))
            assert server.wait_for("webhookFailed")["reason"] == "tls"
        assert receiver.asked == []
        with posting.running(f'ca_file = "{certificate.authority}"'):
            alter(tmp_path, "UPDATE webhook_cursors SET next_attempt_at = 0")
            receiver.wait_for(1)


def test_an_address_inside_gets_nothing(posting: Posting) -> None:
    """Without the operator's word no message goes to this machine; the log says why."""
    url = posting.receiver.url.replace("http:", "https:")
    with posting.running(url=url, networks="") as server, posting.store() as store:
        raised(store, asking("1"))
        assert server.wait_for("webhookFailed")["reason"] == "addressNotAllowed"
    assert posting.receiver.asked == []


def test_a_secret_is_changed_while_the_server_runs(posting: Posting) -> None:
    """The file is read for each message: two secrets sign while a receiver changes from one to the other."""
    with posting.running() as server, posting.store() as store:
        raised(store, asking("1"))
        posting.receiver.wait_for(1)
        (posting.folder / "secret").write_text(f"whsec_{'C2FVsBQIhrscChlQIMV+b5sSYspob7oD'}\n{SECRET}\n")
        raised(store, asking("2"))
        posting.receiver.wait_for(2)
        (posting.folder / "secret").write_text("none")
        raised(store, asking("3"))
        waits: Any = server.wait_for("webhookWaits")

    assert [each.count("v1,") for each in posting.receiver.signatures] == [1, 2]
    assert "no secret" in waits["message"]


def alter(folder: Path, statement: str) -> None:
    """Change the store behind the server's back."""
    with closing(sqlite3.connect(folder / "store.db", timeout=30)) as database:
        database.execute(statement)
        database.commit()
