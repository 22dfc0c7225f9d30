"""What the client does when the way to the server, or the server, fails."""

import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from io import BytesIO
from threading import Event, Thread

import pytest
from tests.store.http.conftest import NewStore
from tests.store.http.scripted import (
    Certified,
    Handler,
    Server,
    Step,
    answer,
    cut,
    cut_in_the_middle,
    drip,
    drip_head,
    endless,
    refuse,
    silence,
)
from tests.support.people import HOME, UNKNOWN_ID, asking

from supportaccess.domain.records import AccessRequest, Side, Source, Status
from supportaccess.errors import (
    Conflict,
    NotFound,
    NotSignedIn,
    OutcomeUnknown,
    StoreRefused,
    StoreUnavailable,
)
from supportaccess.http.failures import Failure
from supportaccess.store.http import store as http_store
from supportaccess.store.http import transport
from supportaccess.store.http.client import PATIENCE
from supportaccess.store.http.store import HttpStore
from supportaccess.store.http.transport import Transport
from supportaccess.store.protocol import AuditQuery, RequestQuery

RECORD = {
    "id": UNKNOWN_ID,
    "status": "revoked",
    "source": "store",
    "side": "both",
    "supportRequestTenantId": HOME,
    "resourceTenantId": HOME,
    "scope": "identityDiagnosticData",
    "accessLevel": "read",
    "updatedAt": "2026-03-01T09:30:00Z",
    "etag": '"x"',
}
UNAVAILABLE = refuse(503, "StoreUnavailable")
UNKNOWN = refuse(503, "OutcomeUnknown")


def revoke(store: HttpStore) -> AccessRequest:
    return store.revoke(UNKNOWN_ID, etag='"x"', key="the key")


@pytest.mark.parametrize(
    "fault",
    [
        UNAVAILABLE,
        UNKNOWN,
        refuse(429, "TooManyRequests"),
        answer(502, b"<html>Bad gateway</html>"),
        answer(504),
        cut,
        cut_in_the_middle,
    ],
    ids=["unavailable", "unknown", "throttled", "bad gateway", "gateway timeout", "cut", "cut in the middle"],
)
def test_a_change_is_sent_again_with_its_key(server: Server, store: HttpStore, waits: list[float], fault: Step) -> None:
    """After a fault that passes, the same change is sent again: same key, same entity tag, same body."""
    server.will(fault, fault, answer(200, RECORD))

    assert revoke(store).status is Status.REVOKED
    assert [asked.headers["Idempotency-Key"] for asked in server.asked] == ["the key"] * 3
    assert [asked.headers["If-Match"] for asked in server.asked] == ['"x"'] * 3
    assert len({(asked.method, asked.path, asked.body) for asked in server.asked}) == 1
    assert len(waits) == 2


def test_a_failover_is_ridden_out(server: Server, store: HttpStore, waits: list[float]) -> None:
    """For 30 seconds and more a change is tried again, less and less often; then it is done."""

    def recovering(handler: Handler) -> None:
        if sum(waits) < 30:
            server.will(recovering)
            UNAVAILABLE(handler)
        else:
            answer(200, RECORD)(handler)

    server.will(recovering)

    assert revoke(store).status is Status.REVOKED
    assert 30 <= sum(waits) <= PATIENCE
    assert waits[0] < 1
    assert len(waits) < 25


def test_patience_ends(server: Server, store: HttpStore, waits: list[float]) -> None:
    """A store that stays away is given up within 45 seconds; nothing was changed then."""
    server.steps = [UNAVAILABLE] * 1000
    with pytest.raises(StoreUnavailable) as refused:
        revoke(store)
    server.give_up()

    assert type(refused.value) is StoreUnavailable
    assert sum(waits) <= PATIENCE


@pytest.mark.parametrize("doubtful", [cut, cut_in_the_middle, UNKNOWN, answer(504)])
def test_doubt_that_stays_is_told(server: Server, store: HttpStore, doubtful: Step) -> None:
    """When one attempt may have been acted on and no later one was answered, the outcome is unknown, with the key."""
    server.steps = [doubtful, *[UNAVAILABLE] * 1000]
    with pytest.raises(OutcomeUnknown, match="the key") as refused:
        revoke(store)
    server.give_up()

    assert "Run the command again" in str(refused.value.hint)


@pytest.mark.parametrize(
    "refusal",
    [
        refuse(401, "NotSignedIn", hint="sign in"),
        refuse(403, "Forbidden"),
        refuse(500, "Failed"),
        answer(404, b"<html>Apache</html>"),
        answer(302, headers={"Location": "/login"}),
    ],
    ids=["not signed in", "forbidden", "failed", "not ours", "elsewhere"],
)
def test_doubt_outlives_a_refusal_that_did_not_look_at_the_key(server: Server, store: HttpStore, refusal: Step) -> None:
    """The reply was lost; that the token has expired meanwhile does not say that nothing was done."""
    server.will(cut, refusal)
    with pytest.raises(OutcomeUnknown, match="the key") as refused:
        revoke(store)

    assert "Run the command again" in str(refused.value.hint)


@pytest.mark.parametrize(
    ("refusal", "kind"), [(refuse(409, "Conflict"), Conflict), (refuse(404, "NotFound"), NotFound)]
)
def test_a_refusal_that_looked_at_the_key_ends_the_doubt(
    server: Server, store: HttpStore, refusal: Step, kind: type[Exception]
) -> None:
    """Had the lost attempt done it, the same key would be answered as that was."""
    server.will(cut, refusal)
    with pytest.raises(kind):
        revoke(store)


@pytest.mark.parametrize("status", [500, 520, 524])
def test_an_error_page_in_place_of_the_answer_leaves_doubt(server: Server, store: HttpStore, status: int) -> None:
    """Who stands in between and fails cannot know what the server did."""
    server.will(answer(status, b"<html>a time-out occurred</html>"))
    with pytest.raises(OutcomeUnknown):
        revoke(store)


def test_doubt_about_something_new_says_to_look_first(server: Server, store: HttpStore) -> None:
    """Raising a request anew would make a second one, so whoever is in doubt is told to look."""
    server.steps = [cut] * 1000
    with pytest.raises(OutcomeUnknown) as refused:
        store.raise_request(asking("4711"), key="the key")
    server.give_up()

    assert "supportaccess list --support-request 4711" in str(refused.value.hint)


def test_reading_is_never_in_doubt(server: Server, store: HttpStore) -> None:
    """A question that stays unanswered changed nothing."""
    server.steps = [cut] * 1000
    with pytest.raises(StoreUnavailable) as refused:
        store.get(UNKNOWN_ID)
    server.give_up()

    assert type(refused.value) is StoreUnavailable


def test_retry_after_is_honoured(server: Server, store: HttpStore, waits: list[float]) -> None:
    """The server's seconds are waited for, or until the moment that a proxy names; nonsense there is no number."""
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=12), usegmt=True)
    asked_for = ["3", "16", soon, "Sun, 01 Mar 2026 09:30:00 GMT", "-1", "1" * 50]
    server.will(*(refuse(429, "TooManyRequests", headers={"Retry-After": text}) for text in asked_for))
    server.will(answer(200, RECORD))
    revoke(store)

    assert waits[:2] == [3, 16]
    assert 5 < waits[2] <= 12
    assert all(0 < wait <= 5 for wait in waits[3:])


def test_what_the_server_asked_for_is_told_at_the_end(server: Server, store: HttpStore) -> None:
    """Whoever is throttled for longer than anybody waits hears for how long, at once: nothing is asked before that."""
    server.will(refuse(429, "TooManyRequests", headers={"Retry-After": "600"}))
    with pytest.raises(StoreUnavailable) as refused:
        store.get(UNKNOWN_ID)

    assert len(server.asked) == 1
    assert "600 seconds" in str(refused.value.hint)


def test_who_waits_is_told_once(server: Server, new_store: NewStore, waits: list[float]) -> None:
    """Before the first pause somebody at a terminal hears why nothing happens, once for all decisions."""
    told: list[str] = []
    server.will(UNAVAILABLE, UNAVAILABLE, answer(200, RECORD), UNAVAILABLE, answer(200, RECORD))
    store = new_store(server.url, waiting=told.append)
    revoke(store)
    revoke(store)

    assert len(waits) == 3
    assert len(told) == 1
    assert "trying for 45 seconds" in told[0]


def test_what_is_refused_is_not_tried_again(server: Server, store: HttpStore, waits: list[float]) -> None:
    """A refusal stays one."""
    server.will(refuse(401, "NotSignedIn"))
    with pytest.raises(NotSignedIn):
        revoke(store)

    assert waits == []


@pytest.mark.parametrize("slow", [silence, drip, drip_head])
def test_a_slow_answer_times_out(
    server: Server, new_store: NewStore, monkeypatch: pytest.MonkeyPatch, slow: Step
) -> None:
    """Silence, and a byte now and then, both end when an answer is due; a change is in doubt then."""
    monkeypatch.setattr(http_store, "_LONG", 0.5)
    server.will(slow)
    with pytest.raises(StoreUnavailable, match="did not answer in time"):
        new_store(server.url, patience=0).verify()

    server.will(slow)
    with pytest.raises(OutcomeUnknown):
        new_store(server.url, patience=0).import_events([], key="the key", details={})


def test_a_slow_answer_over_tls_times_out(
    tls_server: Server, new_store: NewStore, certificate: Certified, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same holds with TLS, for the head and for the body."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.authority))
    monkeypatch.setattr(http_store, "_LONG", 0.5)
    tls_server.will(drip_head, drip)
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="did not answer in time"):
            new_store(tls_server.url, patience=0).verify()


def test_a_slow_proxy_times_out(server: Server, new_store: NewStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that drips its answer holds nobody up either."""
    monkeypatch.setenv("HTTPS_PROXY", server.url)
    monkeypatch.setattr(http_store, "_LONG", 0.5)
    server.will(drip_head)
    with pytest.raises(StoreUnavailable, match="did not answer in time"):
        new_store("https://store.invalid", patience=0).verify()


def test_a_request_that_is_taken_slowly_times_out() -> None:
    """A server that takes a large body in sips does not hold the client beyond its patience."""
    over = Event()

    def sip(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            for _ in range(600):
                if over.wait(0.05):
                    break
                connection.recv(4096)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        sipping = Thread(target=sip, args=[listener], daemon=True)
        sipping.start()
        sender = Transport(f"http://127.0.0.1:{listener.getsockname()[1]}")
        with pytest.raises(Failure, match="did not take the request in time") as failed:
            sender.send("POST", "/", {}, BytesIO(bytes(64 << 20)), patience=0.5)
        over.set()
        sender.close()
        sipping.join()

    assert failed.value.in_doubt


def test_an_endless_answer_is_given_up(server: Server, store: HttpStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is larger than any answer should be is not read to its end."""
    monkeypatch.setattr(transport, "LARGEST_ANSWER", 4 * 1024 * 1024)
    server.will(endless)
    with pytest.raises(StoreRefused, match="more than 4 MiB"):
        store.get(UNKNOWN_ID)


def test_nobody_there(new_store: NewStore, waits: list[float]) -> None:
    """A refused connection is tried again, and told with what to look at."""
    with pytest.raises(StoreUnavailable, match="Connection refused") as refused:
        new_store("https://localhost:1").get(UNKNOWN_ID)

    assert waits
    assert "supportaccess doctor" in str(refused.value.hint)


def test_a_change_that_was_never_sent_is_in_no_doubt(new_store: NewStore, waits: list[float]) -> None:
    """Where no connection came about, nothing was changed."""
    with pytest.raises(StoreUnavailable) as refused:
        revoke(new_store("https://localhost:1"))

    assert type(refused.value) is StoreUnavailable
    assert waits


def test_no_such_host(new_store: NewStore, waits: list[float]) -> None:
    """A name that does not exist is told at once."""
    with pytest.raises(StoreUnavailable, match=r"store\.invalid: there is no such host") as refused:
        new_store("https://store.invalid").get(UNKNOWN_ID)

    assert "--endpoint" in str(refused.value.hint)
    assert waits == []


BROKEN = {
    "no JSON": b"<html>Welcome to the hotel's network</html>",
    "half of it": b'{"value": [',
    "not UTF-8": b'{"value": ["\xff"]}',
    "nothing": b"",
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_answer(server: Server, store: HttpStore, name: str) -> None:
    """What cannot be read is an unavailable store or one that does not fit, never a crash."""
    server.will(answer(200, BROKEN[name]), answer(200, BROKEN[name]))
    with pytest.raises((StoreUnavailable, StoreRefused)):
        store.page(RequestQuery(), top=5)
    with pytest.raises((StoreUnavailable, StoreRefused)):
        store.audit_page(AuditQuery(), top=5)


def test_a_broken_answer_to_a_change_leaves_doubt(server: Server, store: HttpStore) -> None:
    """A success that cannot be read may be one."""
    server.will(answer(200, b"<html>"), answer(200, RECORD | {"side": "left"}))
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            revoke(store)


@pytest.mark.parametrize("member", [{"side": "left"}, {"updatedAt": "soon"}, {"id": None}])
def test_an_answer_of_another_time(server: Server, store: HttpStore, member: dict[str, object]) -> None:
    """A value that this version does not know is not guessed at: a newer program is what is needed."""
    server.will(answer(200, RECORD | member))
    with pytest.raises(StoreRefused) as refused:
        store.get(UNKNOWN_ID)

    assert refused.value.hint == "pip install --upgrade supportaccess"


def test_members_that_are_not_known_are_passed_over(server: Server, store: HttpStore) -> None:
    """An answer may have gained members."""
    server.will(answer(200, RECORD | {"weather": "fine"}))
    record = store.get(UNKNOWN_ID)

    assert (record.source, record.side) == (Source.STORE, Side.BOTH)
