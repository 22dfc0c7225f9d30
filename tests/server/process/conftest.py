"""What the tests of the process share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support import issuer as issuers
from tests.support.issuer import Issuer


@pytest.fixture
def issuer(tmp_path: Path) -> Iterator[Issuer]:
    """Run an issuer of tokens."""
    folder = tmp_path / "issuer"
    folder.mkdir()
    with issuers.running(folder) as running:
        yield running
