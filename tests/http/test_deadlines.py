"""Time limits of a thread: what they end, what they leave alone, and how one is inside another."""

from collections.abc import Callable
from time import monotonic

import pytest
import urllib3
from tests.store.http.scripted import Server, Step, answer, drip, drip_head, silence

from supportaccess.http.connections import connections_to, read_body
from supportaccess.http.deadlines import seconds_left, within

Ask = Callable[..., bytes]


@pytest.fixture
def ask(server: Server) -> Ask:
    """Return what asks the server, with timeouts of the connection."""

    def asked(**timeouts: float) -> bytes:
        manager = connections_to(server.url)
        timeout = urllib3.Timeout(**timeouts)
        try:
            response = manager.request("GET", server.url, timeout=timeout, retries=False, preload_content=False)
            return read_body(response, 1 << 20)
        finally:
            manager.clear()

    return asked


def test_without_a_limit_a_connection_has_its_own_timeouts(server: Server, ask: Ask) -> None:
    """Whoever sets no limit is answered, and waits for a byte as long as the connection does."""
    server.will(answer(200, b"here"), silence)

    assert ask() == b"here"
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        ask(read=0.2)
    server.give_up()


@pytest.mark.parametrize("slow", [silence, drip, drip_head])
def test_a_limit_ends_what_is_asked(server: Server, ask: Ask, slow: Step) -> None:
    """Silence, and a byte now and then, end with the limit, however long the connection would wait."""
    server.will(slow)
    begun = monotonic()
    with pytest.raises(urllib3.exceptions.ReadTimeoutError), within(0.3):
        ask(read=60)

    assert 0.3 <= monotonic() - begun < 20
    server.give_up()


def test_a_connection_waits_no_longer_within_a_limit(server: Server, ask: Ask) -> None:
    """A limit that is far away leaves a connection its own timeout."""
    server.will(silence)
    begun = monotonic()
    with pytest.raises(urllib3.exceptions.ReadTimeoutError), within(600):
        ask(read=0.2)

    assert monotonic() - begun < 20
    server.give_up()


def test_the_limit_around_another_one_goes_on_after_it(server: Server, ask: Ask) -> None:
    """An inner limit that is over, also by an exception, leaves the outer one as it was; afterwards there is none."""
    server.will(answer(200, b"here"))
    with within(60):
        with pytest.raises(ZeroDivisionError), within(0):
            divmod(1, seconds_left() or 0)
        assert 50 < (seconds_left() or 0) <= 60
        assert ask() == b"here"

    assert seconds_left() is None


def test_an_inner_limit_extends_no_outer_one(server: Server, ask: Ask) -> None:
    """Of two limits the earlier end counts."""
    server.will(drip)
    begun = monotonic()
    with pytest.raises(urllib3.exceptions.ReadTimeoutError), within(0.3), within(600):
        ask()

    assert monotonic() - begun < 20
    server.give_up()


def test_after_the_limit_nobody_is_asked(server: Server, ask: Ask) -> None:
    """What is asked too late fails as never sent."""
    with pytest.raises(urllib3.exceptions.ConnectTimeoutError, match="due"), within(0):
        ask()

    assert server.asked == []
