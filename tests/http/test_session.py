"""What a session does with a real server on loopback, over TLS: whom it asks, for how long, and what it keeps."""

import gzip
import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

import pytest
from tests.store.http.scripted import (
    Certified,
    Server,
    Step,
    answer,
    cut,
    cut_in_the_middle,
    drip,
    drip_head,
    endless,
    serving,
    silence,
)
from tests.support.certificates import certificate_for_loopback

from supportaccess import __version__
from supportaccess.errors import InvalidInput
from supportaccess.http.deadlines import within
from supportaccess.http.failures import Failure, Reason
from supportaccess.http.session import Session
from supportaccess.http.trust import tls_context

NAME = "api.example"


@pytest.fixture
def trusted(certificate: Certified, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the environment trust the server."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.authority))


@pytest.fixture
def session(trusted: None) -> Iterator[Session]:  # noqa: ARG001 - read when a session is made
    """Return a session."""
    with Session() as session:
        yield session


@pytest.fixture
def named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Return a server with a certificate for a name that no resolver knows, which is trusted."""
    made = certificate_for_loopback(tmp_path, also=(NAME,))
    monkeypatch.setenv("SSL_CERT_FILE", str(made.authority))
    with serving((made.certificate, made.key)) as server:
        yield server


def failure(session: Session, url: str, **options: Any) -> Failure:
    """Ask in vain, in no more than some seconds."""
    begun = monotonic()
    with pytest.raises(Failure) as failed:
        session.get(url, **options)
    assert monotonic() - begun < 20
    return failed.value


class TestRequest:
    def test_has_what_it_was_given_and_who_asks(self, tls_server: Server, session: Session) -> None:
        """Nothing goes along beside the version and what was given; a body is sent as it is."""
        tls_server.will(answer(200, {"a": 1}), answer(201))
        assert session.get(f"{tls_server.url}/a", params={"b": "c d"}).json() == {"a": 1}
        assert session.post(f"{tls_server.url}/a", json={"x": "é"}).status_code == 201

        got, posted = tls_server.asked
        assert (got.method, got.path) == ("GET", "/a?b=c+d")
        assert {name.lower() for name in got.headers} == {"host", "user-agent", "accept-encoding"}
        assert got.headers["Host"] == f"localhost:{tls_server.server_port}"
        assert got.headers["User-Agent"] == f"supportaccess/{__version__}"
        assert got.headers["Accept-Encoding"] == "identity"
        assert posted.body == b'{"x": "\\u00e9"}'

    def test_that_is_none_is_a_failure(self, session: Session) -> None:
        """A URL that cannot be asked, which an answer may have named, was not sent, and is not repeated."""
        for url in ("https://[::1/?secret", "ftp://localhost/?secret", "https://?secret", "secret"):
            failed = failure(session, url)
            assert not failed.in_doubt
            assert "secret" not in str(failed)

    def test_keeps_its_connection_for_the_next(self, tls_server: Server, session: Session) -> None:
        """Answers that were read leave the connection open."""
        connections: list[object] = []
        context = tls_server.socket.context  # type: ignore[attr-defined]  # of an SSLSocket
        context.sni_callback = lambda *asked: connections.append(asked)
        tls_server.will(answer(200, b"1"), answer(200, b"2"))

        assert [session.get(tls_server.url).text for _ in range(2)] == ["1", "2"]
        assert len(connections) == 1


class TestTime:
    @pytest.mark.parametrize("slow", [silence, drip, drip_head])
    def test_ends_for_head_and_body(self, tls_server: Server, session: Session, slow: Step) -> None:
        """Silence, and a byte now and then, end when the answer is due; what was asked may have been done."""
        tls_server.will(slow)
        failed = failure(session, tls_server.url, timeout=2)
        tls_server.give_up()

        assert (failed.reason, failed.in_doubt) == (Reason.TOO_SLOW, True)

    def test_of_one_request_is_its_own(self, tls_server: Server, session: Session) -> None:
        """`timeout` is the time of one request, and `within` ends any sooner."""
        session.seconds = 600
        tls_server.will(drip, drip)

        assert failure(session, tls_server.url, timeout=2).reason is Reason.TOO_SLOW
        with within(2):
            assert failure(session, tls_server.url).reason is Reason.TOO_SLOW
        tls_server.give_up()

    def test_of_silence_ends_sooner(self, tls_server: Server, trusted: None) -> None:  # noqa: ARG002 - the environment
        """A server that says nothing is given up before the whole time is over."""
        tls_server.will(silence)
        with Session(seconds=600, silence_seconds=0.3) as session:
            assert failure(session, tls_server.url).reason is Reason.TOO_SLOW
        tls_server.give_up()

    def test_ends_for_the_handshake(self, session: Session) -> None:
        """A host that takes the connection and speaks no TLS holds nobody up."""
        with socket.create_server(("127.0.0.1", 0)) as mute:
            failed = failure(session, f"https://127.0.0.1:{mute.getsockname()[1]}", timeout=1)

        assert failed.reason is Reason.TOO_SLOW

    def test_ends_for_the_look_up(self, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
        """A resolver that hangs holds nobody up, and nothing was sent."""
        answers = Event()

        def hang(*_: object, **__: object) -> list[object]:
            answers.wait(60)
            return []

        monkeypatch.setattr(socket, "getaddrinfo", hang)
        failed = failure(session, "https://hangs.example", timeout=1)
        answers.set()

        assert (failed.reason, failed.in_doubt) == (Reason.LOOK_UP_TOO_SLOW, False)


class TestAnswer:
    def test_has_a_limit(self, tls_server: Server, session: Session) -> None:
        """An answer without an end is given up at its limit."""
        tls_server.will(endless)
        failed = failure(session, tls_server.url, timeout=60)

        assert (failed.reason, failed.in_doubt) == (Reason.TOO_LARGE, True)

    def test_is_not_unpacked(self, tls_server: Server, session: Session) -> None:
        """What is compressed unasked stays so: the limit is of what is held in memory."""
        bomb = gzip.compress(bytes(64 << 20))
        tls_server.will(answer(200, bomb, {"Content-Encoding": "gzip"}))

        assert session.get(tls_server.url, timeout=60).content == bomb

    def test_is_utf_8(self, tls_server: Server, session: Session) -> None:
        """No character set is guessed."""
        tls_server.will(answer(200, "é".encode(), {"Content-Type": "text/html"}), answer(200, b"\xff"))

        assert [session.get(tls_server.url).text for _ in range(2)] == ["é", "\N{REPLACEMENT CHARACTER}"]

    @pytest.mark.parametrize("where", ["/elsewhere", "http://localhost:1/", "https://[::1/", "file:///etc/passwd"])
    def test_that_redirects_is_an_answer(self, tls_server: Server, session: Session, where: str) -> None:
        """No redirect is followed, wherever it leads, whoever asks for it."""
        tls_server.will(answer(302, headers={"Location": where}))

        assert session.get(tls_server.url, allow_redirects=True).status_code == 302
        assert len(tls_server.asked) == 1

    def test_sets_no_cookie(self, tls_server: Server, session: Session) -> None:
        """What one answer sets does not go along with the next request."""
        tls_server.will(answer(200, headers={"Set-Cookie": "a=b"}), answer(204))
        session.get(tls_server.url, stream=True).close()
        session.get(tls_server.url)

        assert tls_server.asked[1].headers["Cookie"] is None

    def test_may_end_with_its_head(self, tls_server: Server, session: Session) -> None:
        """With stream=True nothing of the body is waited for."""
        tls_server.will(endless)
        with session.get(tls_server.url, stream=True) as answered:
            assert answered.status_code == 200

    @pytest.mark.parametrize("broken", [cut, cut_in_the_middle])
    def test_that_breaks_off_leaves_doubt(self, tls_server: Server, session: Session, broken: Step) -> None:
        """A request whose answer is missing may have been acted on."""
        tls_server.will(broken)
        failed = failure(session, tls_server.url)

        assert (failed.again, failed.in_doubt) == (True, True)


class TestTrust:
    def test_is_of_the_certificate_file_that_was_given(self, tls_server: Server, certificate: Certified) -> None:
        """A file of certificates counts, and without one an unknown authority is not trusted; nothing is sent to it."""
        tls_server.will(answer(204))
        with Session(tls=tls_context(certificate.authority)) as session:
            assert session.get(tls_server.url).status_code == 204
        with Session() as session:
            failed = failure(session, tls_server.url)

        assert (failed.reason, failed.again, failed.in_doubt) == (Reason.TLS, False, False)
        assert "not trusted" in str(failed)
        assert len(tls_server.asked) == 1

    def test_cannot_be_switched_off(self, tls_server: Server) -> None:
        """The parameter of requests for that has no effect."""
        with Session() as session:
            assert failure(session, tls_server.url, verify=False).reason is Reason.TLS

    def test_netrc_has_no_say(
        self, tls_server: Server, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A .netrc entry for the host takes no part."""
        netrc = tmp_path / ".netrc"
        netrc.write_text("machine localhost login me password secret\ndefault login me password secret\n")
        netrc.chmod(0o600)
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("NETRC", str(netrc))
        tls_server.will(answer(204))
        session.get(tls_server.url, headers={"Authorization": "Bearer x"})

        assert tls_server.asked[0].headers.get_all("Authorization") == ["Bearer x"]


class TestAddresses:
    def test_are_those_that_were_looked_up(self, named: Server) -> None:
        """The connection goes to the pinned address; SNI, certificate and Host are of the name."""
        names: list[str] = []
        context = named.socket.context  # type: ignore[attr-defined]  # of an SSLSocket
        context.sni_callback = lambda _socket, name, _context: names.append(name)
        asked: list[tuple[str, int]] = []

        def look_up(host: str, port: int, seconds: float) -> list[str]:
            assert 0 < seconds <= 30
            asked.append((host, port))
            return ["127.0.0.1"]

        named.will(answer(204))
        with Session(look_up=look_up) as session:
            assert session.get(f"https://{NAME}:{named.server_port}/").status_code == 204

        assert asked == [(NAME, named.server_port)]
        assert names == [NAME]
        assert named.asked[0].headers["Host"] == f"{NAME}:{named.server_port}"

    def test_prove_the_name(self, named: Server) -> None:
        """A pinned address whose certificate is for another name is not asked."""
        with Session(look_up=lambda *_: ["127.0.0.1"]) as session:
            failed = failure(session, f"https://other.example:{named.server_port}/")

        assert failed.reason is Reason.TLS
        assert "another name" in str(failed)
        assert named.asked == []

    def test_are_tried_in_turn(self, named: Server) -> None:
        """An address where nobody listens is passed over for the next one."""
        named.will(answer(204))
        with Session(look_up=lambda *_: ["127.0.0.9", "127.0.0.1"]) as session:
            assert session.get(f"https://{NAME}:{named.server_port}/").status_code == 204

    def test_may_be_refused(self, named: Server) -> None:
        """What a look-up raises ends the request, and no connection is made."""

        def refusing(*_: object) -> list[str]:
            raise PermissionError("not there")

        with Session(look_up=refusing) as session, pytest.raises(PermissionError):
            session.get(f"https://{NAME}:{named.server_port}/")

    def test_that_nobody_has(self, session: Session) -> None:
        """A name without an address, and an address where nobody listens, were not sent anything."""
        unknown, away = failure(session, "https://nobody.invalid"), failure(session, "https://localhost:1")

        assert (unknown.reason, unknown.again, unknown.in_doubt) == (Reason.NO_SUCH_HOST, False, False)
        assert (away.reason, away.again, away.in_doubt) == (Reason.UNREACHABLE, True, False)
        assert "Connection refused" in str(away)


class TestProxy:
    URL = "https://192.0.2.1/"

    def test_is_that_of_the_environment(self, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
        """The proxy is asked for a tunnel, and looks the host up."""
        with serving() as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            monkeypatch.setenv("NO_PROXY", "198.51.100.0/24")
            proxy.will(answer(403))
            failed = failure(session, self.URL)

            assert proxy.asked[0].path == "192.0.2.1:443"
        assert (failed.reason, failed.in_doubt) == (Reason.PROXY, False)

    @pytest.mark.usefixtures("trusted")
    def test_is_left_out_by_range(self, tls_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        """An address in a range of NO_PROXY is asked directly."""
        monkeypatch.setenv("HTTPS_PROXY", "http://localhost:1")
        monkeypatch.setenv("NO_PROXY", "192.0.2.0/24")
        with Session(look_up=lambda *_: ["127.0.0.1"]) as session:
            failed = failure(session, f"https://192.0.2.1:{tls_server.server_port}/")

        assert "another name" in str(failed)  # which the server said itself

    def test_is_left_out_by_who_asks(self, tls_server: Server, named: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        """A session without a proxy asks directly, and so does any on this machine."""
        monkeypatch.setenv("HTTPS_PROXY", "http://localhost:1")
        named.will(answer(204))
        with Session(use_proxy=False, look_up=lambda *_: ["127.0.0.1"]) as session:
            assert session.get(f"https://{NAME}:{named.server_port}/").status_code == 204
        with Session() as session:
            assert failure(session, tls_server.url).reason is Reason.TLS

    def test_that_is_none_is_told_without_its_password(self, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
        """A proxy of another kind is a setting to change."""
        monkeypatch.setenv("HTTPS_PROXY", "socks5://me:secret@localhost:1")
        with pytest.raises(InvalidInput) as refused:
            session.get(self.URL)

        assert "secret" not in f"{refused.value} {refused.value.hint}"
