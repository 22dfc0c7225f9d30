"""An issuer, and authenticators that trust it."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from tests.support.issuer import API, NOW, Issuer, running
from tests.support.people import HOME, RESOURCE

from supportaccess.server.identity.authentication import Authenticator
from supportaccess.server.settings import IdentitySettings


class Seconds:
    """The time in seconds, which stands still until it is told otherwise."""

    def __init__(self) -> None:
        self.now = float(NOW + 10)

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


Authenticating = Callable[..., Authenticator]


@pytest.fixture
def seconds() -> Seconds:
    """Return the time that authenticators see: ten seconds after tokens were issued."""
    return Seconds()


@pytest.fixture(scope="session")
def good_issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    """Return an issuer that nobody changes."""
    with running(tmp_path_factory.mktemp("issuer")) as issuer:
        yield issuer


@pytest.fixture
def issuer(tmp_path: Path) -> Iterator[Issuer]:
    """Return an issuer of the test's own, to rotate its keys and to make it misbehave."""
    with running(tmp_path) as issuer:
        yield issuer


@pytest.fixture(autouse=True)
def _without_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.2")


def settings_for(issuer: Issuer, **changes: object) -> IdentitySettings:
    """Return settings that trust the issuer for two tenants."""
    settings = IdentitySettings(
        tenants=(HOME, RESOURCE), client_id=API, authority=issuer.authority, ca_file=issuer.ca_file
    )
    return msgspec.structs.replace(settings, **changes)


@pytest.fixture
def authenticating(seconds: Seconds) -> Authenticating:
    """Return what makes an authenticator for an issuer, with other settings if asked."""

    def make(issuer: Issuer, **changes: object) -> Authenticator:
        return Authenticator(settings_for(issuer, **changes), now=seconds)

    return make


def eventually(condition: Callable[[], object]) -> None:
    """Wait for what another thread does. Fails if it takes half a minute."""
    gives_up = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < gives_up, "it never came about"
        time.sleep(0.005)
