"""A server and a store that asks it."""

from collections.abc import Callable, Iterator, Mapping

import pytest
from tests.store.http.scripted import Certified, Server, certified, serving
from tests.support.people import HOME

from supportaccess.store.http import client
from supportaccess.store.http.client import Client
from supportaccess.store.http.store import HttpStore, Token

TOKEN = "the.access.token"  # noqa: S105 - of nobody
NewStore = Callable[..., HttpStore]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing of the machine's settings have a say."""
    for name in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name}_proxy".upper(), raising=False)
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NETRC"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certified:
    """Return a certificate for loopback."""
    return certified(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def server() -> Iterator[Server]:
    """Return a server without TLS."""
    with serving() as server:
        yield server


@pytest.fixture
def tls_server(certificate: Certified) -> Iterator[Server]:
    """Return a server with TLS."""
    with serving(certificate.files) as server:
        yield server


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the pauses between attempts, which are not waited for: the time passes at once."""
    slept: list[float] = []
    monkeypatch.setattr(client, "sleep", slept.append)
    monkeypatch.setattr(client, "monotonic", lambda: sum(slept))
    return slept


@pytest.fixture
def new_store() -> Iterator[NewStore]:
    """Return what opens a store at a URL."""
    clients: list[Client] = []

    def made(
        url: str,
        *,
        token: Token = lambda _claims=None, /: TOKEN,
        also: Mapping[str, Token] | None = None,
        **options: object,
    ) -> HttpStore:
        clients.append(Client(url, **options))  # type: ignore[arg-type]  # whatever a Client takes
        return HttpStore(clients[-1], HOME, token, also=also, mend=lambda: "sign in again")

    yield made
    for each in clients:
        each.close()


@pytest.fixture
def store(server: Server, new_store: NewStore, waits: list[float]) -> HttpStore:  # noqa: ARG001 - nobody waits
    """Return a store at the server."""
    return new_store(server.url)
