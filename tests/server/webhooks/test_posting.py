"""One message to a receiver: when it arrived, and the reason for which it did not."""

from pathlib import Path
from time import monotonic, time

import pytest
from tests.server.webhooks.receiver import SECRET, Answer, Receiver, cut, drip, receiving, silence, status
from tests.store.http.scripted import endless
from tests.support.certificates import certificate_for_loopback

from supportaccess.server.settings import WebhookSettings
from supportaccess.server.webhooks import posting
from supportaccess.server.webhooks.outcomes import Gone, Undelivered
from supportaccess.server.webhooks.posting import post
from supportaccess.server.webhooks.signing import headers_of, keys_of

BODY = b'{"type": "x"}'


def send(url: str, *, ca_file: Path | None = None, seconds: int = 15) -> None:
    """Post a message that is signed."""
    webhook = WebhookSettings(
        name="x",
        url=url,
        secret_variable="S",  # noqa: S106 - its name
        allowed_networks=("127.0.0.0/8",),
        ca_file=ca_file,
        timeout_seconds=seconds,
    )
    post(webhook, headers_of(keys_of(webhook, {"S": SECRET}), "evt_1", int(time()), BODY), BODY)


def failure(url: str, *, ca_file: Path | None = None, seconds: int = 15) -> Undelivered:
    """Post a message in vain, in its time."""
    begun = monotonic()
    with pytest.raises(Undelivered) as failed:
        send(url, ca_file=ca_file, seconds=seconds)
    assert monotonic() - begun < seconds + 10
    return failed.value


def answering(receiver: Receiver, answer: Answer) -> Undelivered:
    receiver.answers = [answer]
    return failure(receiver.url, seconds=1)


def test_each_reason_is_told() -> None:
    """What went wrong is one of a closed list."""
    with receiving() as receiver:
        assert answering(receiver, silence).reason == "tooSlow"
        assert answering(receiver, drip).reason in {"tooSlow", "connection"}
        assert answering(receiver, cut).reason == "connection"
        refused = answering(receiver, status(503, Retry_After="7200"))
        assert (refused.reason, refused.status, refused.wait) == ("status", 503, 3600)
        assert isinstance(answering(receiver, status(410)), Gone)
    assert failure("http://localhost:1/").reason == "unreachable"
    assert failure("https://nobody.invalid/").reason == "noSuchHost"


def test_tls_is_of_the_name(tmp_path: Path) -> None:
    """A receiver behind TLS proves its name, by an authority that is trusted."""
    made = certificate_for_loopback(tmp_path)
    with receiving((made.certificate, made.key)) as receiver:
        send(receiver.url, ca_file=made.authority)
        assert failure(receiver.url).reason == "tls"
        other = receiver.url.replace("localhost", "127.0.0.2")
        assert failure(other, ca_file=made.authority).reason == "unreachable"  # it listens at one address

        assert len(receiver.taken) == 1


def test_an_answer_may_take_the_whole_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shorter limit of a connection is for connecting alone."""
    monkeypatch.setattr(posting, "_CONNECT_SECONDS", 0.5)
    with receiving() as receiver:
        receiver.seconds = 1.5
        send(receiver.url)

        assert len(receiver.taken) == 1


def test_an_answer_counts_by_its_head() -> None:
    """A receiver that was content and goes on talking has taken the message."""
    with receiving() as receiver:
        receiver.answers = [endless]  # type: ignore[list-item]  # a handler of http.server, as this one
        send(receiver.url)

        assert len(receiver.asked) == 1
