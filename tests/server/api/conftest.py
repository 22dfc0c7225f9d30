"""A server for the tests of a module."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.apis import Api, running_api
from tests.support.issuer import Issuer, running


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    """Return an issuer whose tokens the servers take."""
    with running(tmp_path_factory.mktemp("issuer")) as issuer:
        yield issuer


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, issuer: Issuer) -> Iterator[Api]:
    """Return a server that tests of a module share."""
    with running_api(tmp_path_factory.mktemp("api"), issuer) as api:
        yield api


@pytest.fixture
def own_api(tmp_path: Path, issuer: Issuer) -> Iterator[Api]:
    """Return a server of the test's own, with an empty store."""
    with running_api(tmp_path, issuer) as api:
        yield api
