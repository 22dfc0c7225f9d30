"""A resolver that hangs holds nobody but those who need its answer, and those not for ever."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from time import time
from typing import Any

import pytest
from tests.server.webhooks.receiver import SECRET, receiving
from tests.support.servers import until

from supportaccess.server.settings import WebhookSettings
from supportaccess.server.webhooks.addresses import addresses_of
from supportaccess.server.webhooks.outcomes import Undelivered
from supportaccess.server.webhooks.posting import post
from supportaccess.server.webhooks.signing import headers_of, keys_of

DEAD = "dead.example"


class Resolver:
    """The system's resolver, but for one name: who asks for that waits until `answers` is set."""

    def __init__(self) -> None:
        self.answers = threading.Event()
        self.asked: list[str] = []
        self._real = socket.getaddrinfo

    def __call__(self, host: str, port: int, *rest: Any, **more: Any) -> Any:
        """Look up."""
        if host != DEAD:
            return self._real(host, port, *rest, **more)
        self.asked.append(host)
        self.answers.wait()
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("1.1.1.1", port))]


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    """Put it in the place of the real one, and leave no thread waiting."""
    resolver = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    yield resolver
    resolver.answers.set()
    until(lambda: not looking_up())


def looking_up() -> list[threading.Thread]:
    """Return the threads that wait for the resolver."""
    return [thread for thread in threading.enumerate() if thread.name == f"look-up of {DEAD}"]


def test_a_message_is_given_up_in_its_time(resolver: Resolver) -> None:
    """A name that is not looked up within the message's time is a failure of that message."""
    with pytest.raises(Undelivered, match="lookUpTooSlow"):
        post(WebhookSettings(name="x", url=f"https://{DEAD}/", timeout_seconds=1), {}, b"{}")

    until(lambda: resolver.asked == [DEAD])


def test_attempts_share_one_thread(resolver: Resolver) -> None:
    """However often and by however many it is tried, a name is looked up once at a time, by one thread."""
    with ThreadPoolExecutor(8) as many:
        tried = [many.submit(addresses_of, DEAD, 443, [], seconds=0.05) for _ in range(40)]

    assert {str(each.exception()) for each in tried} == {"lookUpTooSlow"}
    assert len(looking_up()) == 1
    until(lambda: resolver.asked == [DEAD])


def test_others_are_delivered_meanwhile(resolver: Resolver) -> None:
    """While one name hangs a message to another receiver arrives."""
    with pytest.raises(Undelivered):
        addresses_of(DEAD, 443, [], seconds=0)
    with receiving() as receiver:
        webhook = WebhookSettings(
            name="x",
            url=receiver.url,
            secret_variable="S",  # noqa: S106 - its name
            allowed_networks=("127.0.0.0/8",),
        )
        headers = headers_of(keys_of(webhook, {"S": SECRET}), "evt_1", int(time()), b'{"type": "x"}')
        post(webhook, headers, b'{"type": "x"}')

        assert len(receiver.asked) == 1
    until(lambda: resolver.asked == [DEAD])


def test_once_it_answers_the_next_one_asks_anew(resolver: Resolver) -> None:
    """An answer is for those who waited for it; whoever comes later gets a new one."""
    with pytest.raises(Undelivered):
        addresses_of(DEAD, 443, [], seconds=0)
    resolver.answers.set()
    until(lambda: not looking_up())

    assert addresses_of(DEAD, 443, [], seconds=60) == ["1.1.1.1"]
    assert resolver.asked == [DEAD, DEAD]
