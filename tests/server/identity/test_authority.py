"""What an authority answers is read strictly and in bounds."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from tests.server.identity.conftest import Authenticating
from tests.support.certificates import certificate_for_loopback
from tests.support.issuer import Issuer, answer
from tests.support.people import FOREIGN, HOME, RESOURCE

from supportaccess.errors import InvalidInput, StoreUnavailable
from supportaccess.server.identity.authority import Authority, Unpublished

Answering = Callable[[BaseHTTPRequestHandler], None]

MANY_BYTES = 1_000_000_000


def saying(body: bytes, status: int = 200, **headers: str) -> Answering:
    return lambda handler: answer(handler, body, status, **headers)


def endless(handler: BaseHTTPRequestHandler) -> None:
    """Send a gigabyte, unless the reader goes away."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(MANY_BYTES))
    handler.end_headers()
    for _ in range(MANY_BYTES // 65536):
        handler.wfile.write(b" " * 65536)


def cut_off(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"keys": [')


def no_http(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")


BAD: dict[str, tuple[str, Answering]] = {
    "redirect elsewhere": ("answered 302", saying(b"", 302, Location="https://localhost:1/keys")),
    "redirect to itself": ("answered 307", saying(b"", 307, Location="/keys")),
    "redirect to a file": ("answered 301", saying(b"", 301, Location="file:///etc/passwd")),
    "server error": ("answered 500", saying(b"{}", 500)),
    "not found": ("answered 404", saying(b"{}", 404)),
    "sign-in page": ("answered 401", saying(b"{}", 401, **{"WWW-Authenticate": "Basic"})),
    "nothing": ("is not JSON", saying(b"")),
    "web page": ("is not JSON", saying(b"<html></html>")),
    "a list": ("is not a JSON object", saying(b"[]")),
    "not UTF-8": ("is not JSON", saying(b'{"keys": "\xff"}')),
    "the same name twice": ("is not JSON", saying(b'{"keys": [], "keys": []}')),
    "nested deeply": ("is not JSON", saying(b'{"keys": ' + b"[" * 50_000 + b"]" * 50_000 + b"}")),
    "compressed": ("is not JSON", saying(b"\x1f\x8b\x08\x00", 200, **{"Content-Encoding": "gzip"})),
    "too long": ("longer than 262,144 bytes", endless),
    "cut off": ("is not JSON|cannot be read", cut_off),
    "no HTTP": ("cannot be read", no_http),
}


@pytest.mark.parametrize("document", ["/openid-configuration", "/keys"])
@pytest.mark.parametrize(("says", "bad"), BAD.values(), ids=BAD)
def test_a_bad_answer_is_told_and_not_followed(
    issuer: Issuer, authenticating: Authenticating, document: str, says: str, bad: Answering
) -> None:
    """Whatever is wrong with a document is named with its address, and nothing else is fetched."""
    issuer.answers[document] = bad

    with pytest.raises(StoreUnavailable, match=says) as unavailable:
        authenticating(issuer).verify(issuer.token())

    assert document in unavailable.value.message
    assert len(issuer.asked) == (1 if document == "/openid-configuration" else 2)


def discovery(publisher: Issuer, **changes: object) -> Answering:
    document = {**(publisher.document(f"/{HOME}/v2.0/.well-known/openid-configuration") or {}), **changes}
    return saying(json.dumps(document).encode())


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:{port}/keys",
        "https://127.0.0.1:{port}/keys",
        "https://localhost:1/keys",
        "https://localhost/keys",
        "https://user@localhost:{port}/keys",
        "https://localhost:{port}@evil.example/keys",
        "https://evil.example\\@localhost:{port}/keys",
        "https://evil.example/keys",
        "https://169.254.169.254/keys",
        "https://localhost:{port}:1/keys",
        "https://localhost:99999/keys",
        "https://[::1/keys",
        "//localhost:{port}/keys",
        "file:///etc/passwd",
        "https://localhost:{port}/keys HTTP/1.1",
        "https://ⓛocalhost:{port}/keys",
        "",
        None,
        7,
    ],
)
def test_keys_come_from_the_authority_alone(issuer: Issuer, authenticating: Authenticating, url: str | None) -> None:
    """A key set on another host, or by another scheme, is not fetched."""
    port = issuer.authority.rpartition(":")[2]
    place = url.replace("{port}", port) if isinstance(url, str) else url
    issuer.answers["/openid-configuration"] = discovery(issuer, jwks_uri=place)

    with pytest.raises(StoreUnavailable, match="not on the authority's own host"):
        authenticating(issuer).verify(issuer.token())

    assert issuer.fetches() == 0


@pytest.mark.parametrize(
    "name",
    [
        "{authority}/{foreign}/v2.0",
        "{authority}/{home}/v2.0/",
        "{authority}/{home}/",
        "{authority}/common/v2.0",
        "{authority}/v2.0",
        "http://localhost/{home}/v2.0",
        "https://user@localhost/{home}/v2.0",
        "",
        None,
        ["{authority}/{home}/v2.0"],
    ],
)
def test_a_document_of_another_tenant_is_refused(issuer: Issuer, authenticating: Authenticating, name: object) -> None:
    """A discovery document must name an issuer of the tenant and the version that were asked for."""
    if isinstance(name, str):
        name = name.format(authority=issuer.authority, home=HOME, foreign=FOREIGN)
    issuer.answers["/openid-configuration"] = discovery(issuer, issuer=name)

    with pytest.raises(StoreUnavailable, match="names an issuer that is not tenant"):
        authenticating(issuer).verify(issuer.token())


def test_an_issuer_with_a_placeholder_is_filled_in(issuer: Issuer, authenticating: Authenticating) -> None:
    """Entra's documents for several tenants have {tenantid} in the issuer."""
    issuer.answers["/openid-configuration"] = discovery(issuer, issuer=f"{issuer.authority}/{{tenantid}}/v2.0")

    assert authenticating(issuer).verify(issuer.token()).caller.tenant_id == HOME


def test_silence_and_slowness_are_given_up(issuer: Issuer, authenticating: Authenticating) -> None:
    """Callers are told after some seconds, whether an authority hangs, drips its answer or drips its headers."""

    def silent(_: BaseHTTPRequestHandler) -> None:
        issuer.over.wait(60)

    def dripping(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        drip(handler, b" ")

    def dripping_headers(handler: BaseHTTPRequestHandler) -> None:
        drip(handler, b"H")

    def drip(handler: BaseHTTPRequestHandler, drop: bytes) -> None:
        for _ in range(300):
            handler.wfile.write(drop)
            if issuer.over.wait(0.1):
                return

    issuer.answers[f"{HOME}/v2.0/.well-known/openid-configuration"] = silent
    issuer.answers[f"{RESOURCE}/v2.0/.well-known/openid-configuration"] = dripping
    issuer.answers[f"{RESOURCE}/.well-known/openid-configuration"] = dripping_headers
    authenticator = authenticating(issuer)
    authority = Authority(issuer.authority, issuer.ca_file)

    def ask(token: str) -> str:
        with pytest.raises(StoreUnavailable) as unavailable:
            authenticator.verify(token)
        return unavailable.value.message

    tokens = [issuer.token(), issuer.token(RESOURCE), issuer.token(RESOURCE, "1.0", key="plain")]
    with ThreadPoolExecutor(4) as pool:
        fetch = pool.submit(authority.published, RESOURCE, "2.0")
        silence, slowness, slow_headers = pool.map(ask, tokens)
        failure = fetch.exception(60)

    assert "timed out" in silence
    assert "took longer than 10 seconds" in slowness or "does not answer" in slowness
    assert "does not answer" in slow_headers
    assert isinstance(failure, Unpublished)
    assert "took longer than 10 seconds" in str(failure)


def test_an_authority_nobody_trusts_is_not_believed(
    issuer: Issuer, authenticating: Authenticating, tmp_path: Path
) -> None:
    """With another authority's certificate to trust, the connection is refused."""
    (tmp_path / "other").mkdir()
    other = certificate_for_loopback(tmp_path / "other").authority

    for ca_file in (other, None):
        with pytest.raises(StoreUnavailable, match=r"(?i)certificate"):
            authenticating(issuer, ca_file=ca_file).verify(issuer.token())

    assert issuer.asked == []


def test_a_proxy_that_cannot_be_used_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of an unknown kind keeps the keys from being fetched, and its password is not repeated."""
    monkeypatch.setenv("HTTPS_PROXY", "socks5://me:secret@localhost:1")

    with pytest.raises(Unpublished, match="cannot be read") as unpublished:
        Authority("https://login.example.com", None).published(HOME, "2.0")

    assert "secret" not in str(unpublished.value)


def test_the_name_in_the_certificate_counts(issuer: Issuer, authenticating: Authenticating) -> None:
    """A certificate for localhost does not prove another name for the same machine."""
    authority = issuer.authority.replace("localhost", "127.0.0.2")

    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.2"):
        authenticating(issuer, authority=authority).verify(issuer.token())


@pytest.mark.parametrize(
    "authority",
    [
        "http://login.microsoftonline.com",
        "login.microsoftonline.com",
        "https://",
        "https://user:word@login.microsoftonline.com",
        "https://login.microsoftonline.com?x=1",
        "https://login.microsoftonline.com#x",
        "https://login.microsoftonline.com:port",
        "",
    ],
)
def test_an_authority_is_an_https_url(issuer: Issuer, authenticating: Authenticating, authority: str) -> None:
    """Settings that would fetch keys from anywhere else are refused at the start."""
    with pytest.raises(InvalidInput, match=r"identity\.authority"):
        authenticating(issuer, authority=authority)


def test_a_ca_file_that_cannot_be_read_is_named(issuer: Issuer, authenticating: Authenticating, tmp_path: Path) -> None:
    """A missing or broken certificate file ends the start with its name."""
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")

    for ca_file in (tmp_path / "missing.pem", broken):
        with pytest.raises(InvalidInput, match=ca_file.name):
            authenticating(issuer, ca_file=ca_file)
