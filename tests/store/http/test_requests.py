"""What goes over the wire, to whom, and what does not."""

import logging
import ssl
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from tests.store.http.conftest import TOKEN, NewStore
from tests.store.http.scripted import Certified, Server, answer, cut, serving
from tests.store.http.test_faults import RECORD
from tests.support.events import CREATED, event
from tests.support.people import FOREIGN, HOME, RESOURCE, UNKNOWN_ID

from supportaccess import __version__
from supportaccess.domain.records import Status
from supportaccess.domain.source_events import SourceEvent
from supportaccess.errors import InvalidInput, NotSignedIn, StoreUnavailable, SupportAccessError
from supportaccess.http.endpoints import check_endpoint
from supportaccess.http.trust import tls_context
from supportaccess.store.http.client import Client
from supportaccess.store.http.store import HttpStore
from supportaccess.store.protocol import RequestQuery

FILTERS = RequestQuery(
    statuses=frozenset({Status.PENDING, Status.APPROVED}),
    approved_access=True,
    support_request_id="4711",
    resource_tenant_id=RESOURCE,
    engineer="a&b=c",
    search="100% +é",
    since=datetime(2026, 3, 1, 9, 30, 0, 123456, UTC),
)


def test_a_request_says_who_asks_and_no_more(server: Server, store: HttpStore) -> None:
    """Token, version and the kind of answer wanted go along; nothing is remembered from one request to the next."""
    server.will(answer(200, RECORD, {"Set-Cookie": "a=b"}), answer(200, RECORD))
    store.get(UNKNOWN_ID)
    store.get(UNKNOWN_ID)

    for asked in server.asked:
        assert asked.headers["Authorization"] == f"Bearer {TOKEN}"
        assert asked.headers["User-Agent"] == f"supportaccess/{__version__}"
        names = {name.lower() for name in asked.headers}
        assert names == {"host", "authorization", "user-agent", "accept", "accept-encoding"}


def test_filters_are_query_parameters(server: Server, store: HttpStore) -> None:
    """Every filter goes along as it was given, whatever characters are in it."""
    server.will(answer(200, {"value": []}))
    store.page(FILTERS, top=7)

    url = urlsplit(server.asked[0].path)
    assert url.path == "/v1/access-requests"
    assert parse_qs(url.query) == {
        "status": ["approved", "pending"],
        "approvedAccess": ["true"],
        "supportRequestId": ["4711"],
        "resourceTenantId": [RESOURCE],
        "engineer": ["a&b=c"],
        "search": ["100% +é"],
        "since": ["2026-03-01T09:30:00.123456Z"],
        "orderBy": ["attention"],
        "top": ["7"],
    }


@pytest.mark.parametrize("request_id", ["..", "a/b", "a?b", "a#b", "a%2Fb", "a b", "é"])
def test_an_id_stays_in_its_place(server: Server, store: HttpStore, request_id: str) -> None:
    """Whatever an ID is, it is one part of the path."""
    server.will(answer(200, {"value": []}))
    store.history(request_id)

    path = server.asked[0].path
    assert path.startswith("/v1/access-requests/")
    assert path.endswith("/history")
    assert path.count("/") == 4
    assert not set(path) & set("?# ")
    assert ".." not in path


def test_netrc_has_no_say(server: Server, new_store: NewStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A .netrc entry for the host does not take the place of the token."""
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine localhost login me password secret\ndefault login me password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    server.will(answer(200, RECORD))
    new_store(server.url).get(UNKNOWN_ID)

    assert server.asked[0].headers.get_all("Authorization") == [f"Bearer {TOKEN}"]


def test_the_token_is_in_no_message_and_no_log(
    server: Server, store: HttpStore, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever goes wrong, the token is not told, at any level of logging."""
    caplog.set_level(logging.DEBUG)
    server.steps = [cut] * 1000
    told = []
    for ask in (store.log_head, lambda: store.revoke(UNKNOWN_ID, etag='"x"', key="k")):
        with pytest.raises(SupportAccessError) as refused:
            ask()
        told.append(f"{refused.value.message} {refused.value.hint}")
    server.give_up()

    assert TOKEN not in "".join(told) + caplog.text


class TestImport:
    def test_is_lines_that_can_be_sent_again(self, server: Server, store: HttpStore) -> None:
        """An import that was cut off is sent again whole, from events that can be read only once."""
        server.will(cut, answer(200, {"new": 2}))
        events = (event(CREATED, minute) for minute in range(2))
        assert store.import_events(events, key="the key", details={"file": "x"}).new == 2

        first, second = server.asked
        assert first.body == second.body
        assert second.headers["Content-Type"] == "application/x-ndjson"
        head, *lines = second.body.splitlines()
        assert msgspec.json.decode(head) == {"details": {"file": "x"}}
        assert [msgspec.json.decode(line, type=SourceEvent) for line in lines] == [event(CREATED, n) for n in range(2)]

    def test_takes_the_sign_ins_that_there_are(self, server: Server, new_store: NewStore) -> None:
        """Up to three other tenants' tokens go along; a tenant without a sign-in is left out."""

        def missing() -> str:
            raise NotSignedIn("no")

        others = {f"{n}": (lambda n=n: f"{n}.{n}.{n}") for n in range(5)}
        server.will(answer(200, {}))
        new_store(server.url, also={FOREIGN: missing, HOME: missing, **others}).import_events(
            [], key="k", details={}, dry_run=True
        )

        assert server.asked[0].headers["x-ms-authorization-auxiliary"] == "Bearer 0.0.0, Bearer 1.1.1, Bearer 2.2.2"
        assert server.asked[0].path == "/v1/source-events?dryRun=true"

    def test_of_what_breaks_in_the_middle_nothing_is_sent(self, server: Server, store: HttpStore) -> None:
        """An export that turns out to be broken is not sent at all."""

        def breaking() -> Iterator[SourceEvent]:
            yield event(CREATED)
            raise InvalidInput("broken")

        with pytest.raises(InvalidInput, match="broken"):
            store.import_events(breaking(), key="k", details={})
        assert server.asked == []


class TestEndpoint:
    @pytest.mark.parametrize(
        "text",
        [
            "http://store.example.com",
            "http://192.0.2.1",
            "http://localhost.example.com",
            "http://127.0.0.1.example.com",
            "ftp://store.example.com",
            "store.example.com",
            "https://",
            "https:///v1",
            "https://me:secret@store.example.com",
            "https://store.example.com?a=b",
            "https://store.example.com/?",
            "https://store.example.com#x",
            "https://store.example.com:99999",
            "https://store.example.com:0",
            "https://store.exam ple.com",
            "https://störe.example.com",
            "https://store.example.com\\@evil.example",
            "https://store.example.com\n",
            "",
            "\ud800",
        ],
    )
    def test_that_is_none_is_refused(self, text: str) -> None:
        """Only https, or this machine, and nothing but scheme, host, port and path; a password is not repeated."""
        with pytest.raises(InvalidInput) as refused:
            check_endpoint(text + "x" if text.endswith("\n") else text)
        assert "secret" not in f"{refused.value} {refused.value.hint}"
        with pytest.raises(InvalidInput):
            Client(text + "x" if text.endswith("\n") else text)

    @pytest.mark.parametrize(
        ("text", "kept"),
        [
            ("https://Store.Example.COM/", "https://store.example.com"),
            ("https://store.example.com:8443/supportaccess/", "https://store.example.com:8443/supportaccess"),
            ("http://localhost:8443", "http://localhost:8443"),
            ("http://127.0.0.2", "http://127.0.0.2"),
            ("http://[::1]:8443", "http://[::1]:8443"),
        ],
    )
    def test_that_is_one_is_kept_plain(self, text: str, kept: str) -> None:
        """A URL is kept without what does not matter."""
        assert check_endpoint(text) == kept

    def test_may_be_below_a_path(self, server: Server, new_store: NewStore) -> None:
        """A store may be published below a path."""
        server.will(answer(200, RECORD))
        new_store(f"{server.url}/team/store").get("x")

        assert server.asked[0].path == "/team/store/v1/access-requests/x"


class TestTrust:
    def test_an_authority_of_the_environment(
        self, tls_server: Server, new_store: NewStore, certificate: Certified, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A PEM file that SSL_CERT_FILE or REQUESTS_CA_BUNDLE names is trusted."""
        for variable in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
            with monkeypatch.context() as patch:
                patch.setenv(variable, str(certificate.authority))
                tls_server.will(answer(200, RECORD))
                assert new_store(tls_server.url).get(UNKNOWN_ID).id == UNKNOWN_ID

    def test_any_other_certificate_is_refused_at_once(
        self, tls_server: Server, new_store: NewStore, waits: list[float]
    ) -> None:
        """A certificate of an unknown authority is told with what mends it; no request is sent."""
        with pytest.raises(StoreUnavailable, match="not trusted") as refused:
            new_store(tls_server.url).get(UNKNOWN_ID)

        assert "SSL_CERT_FILE" in str(refused.value.hint)
        assert waits == []
        assert tls_server.asked == []

    def test_a_certificate_for_another_name(
        self, new_store: NewStore, certificate: Certified, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A good certificate of another host is not this one's."""
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.authority))
        with (
            serving(certificate.files, host="127.0.0.2") as server,
            pytest.raises(StoreUnavailable, match="another name") as refused,
        ):
            new_store(f"https://127.0.0.2:{server.server_port}").get(UNKNOWN_ID)

        assert "--endpoint" in str(refused.value.hint)

    def test_no_tls_there(self, server: Server, new_store: NewStore, waits: list[float]) -> None:
        """A server that does not speak TLS is told as that."""
        with pytest.raises(StoreUnavailable, match="does not speak TLS"):
            new_store(server.url.replace("http:", "https:")).get(UNKNOWN_ID)

        assert waits == []

    @pytest.mark.parametrize("contents", [None, b"", b"no certificate"])
    def test_a_file_that_is_none(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, contents: bytes | None) -> None:
        """A file of certificates that cannot be used is an error, and not a reason to trust others."""
        path = tmp_path / "authorities.pem"
        if contents is not None:
            path.write_bytes(contents)
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        with pytest.raises(InvalidInput, match="SSL_CERT_FILE"):
            Client("https://localhost")

    def test_old_versions_of_tls_are_not_spoken(self, certificate: Certified, monkeypatch: pytest.MonkeyPatch) -> None:
        """TLS 1.2 is the least."""
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.authority))

        assert tls_context().minimum_version >= ssl.TLSVersion.TLSv1_2


class TestProxy:
    def test_is_not_for_this_machine(
        self, server: Server, new_store: NewStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A server on loopback is asked directly, whatever the environment says."""
        monkeypatch.setenv("HTTPS_PROXY", "http://localhost:1")
        monkeypatch.setenv("http_proxy", "http://localhost:1")
        server.will(answer(200, RECORD))

        assert new_store(server.url).get(UNKNOWN_ID).id == UNKNOWN_ID

    def test_leads_to_other_hosts(self, new_store: NewStore, monkeypatch: pytest.MonkeyPatch) -> None:
        """The proxy is asked for the host, with its own credentials and without the token."""
        with serving() as proxy:
            address = proxy.url.removeprefix("http://")
            monkeypatch.setenv("HTTPS_PROXY", f"http://me:s%65cret@{address}")
            proxy.will(answer(403, b"policy"))
            with pytest.raises(StoreUnavailable, match=r"did not let through .* \(403\)") as refused:
                new_store("https://store.example.com").get(UNKNOWN_ID)

            (asked,) = proxy.asked
            assert (asked.method, asked.path) == ("CONNECT", "store.example.com:443")
            assert asked.headers["Proxy-Authorization"] == f"Basic {b64encode(b'me:secret').decode()}"
            assert asked.headers["Authorization"] is None
            assert "secret" not in f"{refused.value} {refused.value.hint}"

    def test_that_wants_a_password_is_told(
        self, new_store: NewStore, monkeypatch: pytest.MonkeyPatch, waits: list[float]
    ) -> None:
        """A 407 is told with what mends it, at once."""
        with serving() as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            proxy.will(answer(407))
            with pytest.raises(StoreUnavailable, match="407") as refused:
                new_store("https://store.example.com").get(UNKNOWN_ID)

        assert "HTTPS_PROXY" in str(refused.value.hint)
        assert waits == []

    def test_that_is_not_there_is_told(
        self, new_store: NewStore, monkeypatch: pytest.MonkeyPatch, waits: list[float]
    ) -> None:
        """A proxy that cannot be reached is told as that."""
        monkeypatch.setenv("HTTPS_PROXY", "http://localhost:1")
        with pytest.raises(StoreUnavailable, match=r"proxy .* Connection refused"):
            new_store("https://store.example.com").get(UNKNOWN_ID)

        assert waits == []

    def test_that_is_none_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A proxy of an unknown kind is an error that does not repeat its password."""
        monkeypatch.setenv("HTTPS_PROXY", "socks5://me:secret@localhost:1")
        with pytest.raises(InvalidInput) as refused:
            Client("https://store.example.com")

        assert "secret" not in f"{refused.value} {refused.value.hint}"

    def test_hosts_can_be_left_out(self, new_store: NewStore, monkeypatch: pytest.MonkeyPatch) -> None:
        """NO_PROXY names hosts that are asked directly."""
        monkeypatch.setenv("HTTPS_PROXY", "http://localhost:1")
        monkeypatch.setenv("NO_PROXY", "store.invalid")
        with pytest.raises(StoreUnavailable, match="no such host"):
            new_store("https://store.invalid").get(UNKNOWN_ID)
