"""MSAL's HTTP, through a proxy: with our trust and the proxy's credentials, and none of them told to others."""

import base64
import socket
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest
from tests.store.http.scripted import Handler, Step, answer, serving
from tests.support.certificates import certificate_for_loopback

from supportaccess.errors import StoreUnavailable
from supportaccess.signin.http import HttpClient

NAME = "login.example.com"
CREDENTIALS = "ada:c4nary@1"


def tunnel_to(port: int) -> Step:
    """Connect to a port of this machine, whatever was asked for, and pass everything on."""

    def step(handler: Handler) -> None:
        handler.send_response_only(200)
        handler.end_headers()
        handler.close_connection = True
        with socket.create_connection(("127.0.0.1", port)) as target:
            back = Thread(target=pass_on, args=(target, handler.connection), daemon=True)
            back.start()
            pass_on(handler.connection, target)
            back.join(10)

    return step


def pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no proxy and no trust of this machine's count."""
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)


def test_through_a_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The authority is asked through a tunnel, over TLS with itself; the proxy alone sees the proxy's credentials."""
    made = certificate_for_loopback(tmp_path, also=(NAME,))
    monkeypatch.setenv("SSL_CERT_FILE", str(made.authority))
    with serving((made.certificate, made.key)) as authority, serving() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://ada:c4nary%401@localhost:{proxy.server_port}")
        proxy.will(tunnel_to(authority.server_port))
        authority.will(answer(200, b"addresses"), answer(400, b"refused"))
        client = HttpClient()
        got = client.get(f"https://{NAME}/configuration")
        posted = client.post(f"https://{NAME}/token", data={"grant_type": "x"})
        client.close()

        (asked,) = proxy.asked
        assert (asked.method, asked.path) == ("CONNECT", f"{NAME}:443")
        assert asked.headers["Proxy-Authorization"] == f"Basic {base64.b64encode(CREDENTIALS.encode()).decode()}"
        assert [each.headers["Proxy-Authorization"] for each in authority.asked] == [None, None]
        assert authority.asked[1].body == b"grant_type=x"
    assert (got.status_code, got.text) == (200, "addresses")
    assert (posted.status_code, posted.text) == (400, "refused")


@pytest.mark.parametrize("status", [403, 407])
def test_a_proxy_that_lets_nothing_through(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """What the proxy refuses is told as the proxy's doing, without its password."""
    with serving() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://ada:c4nary%401@localhost:{proxy.server_port}")
        proxy.will(answer(status, b""))
        with pytest.raises(StoreUnavailable, match=f"proxy .*{NAME}.*{status}") as refused:
            HttpClient().get(f"https://{NAME}/configuration")

    assert "c4nary" not in f"{refused.value.message} {refused.value.hint}"


def test_not_where_no_proxy_is_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An authority on this machine is asked without the proxy."""
    made = certificate_for_loopback(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.authority))
    monkeypatch.setenv("HTTPS_PROXY", "http://localhost:1")
    with serving((made.certificate, made.key)) as authority:
        authority.will(answer(200, b"addresses"))
        client = HttpClient()
        assert client.get(f"{authority.url}/configuration").text == "addresses"
        client.close()
