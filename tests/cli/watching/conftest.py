from pathlib import Path

import pytest
from tests.cli.home import Home
from tests.support.people import HOME


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Return a home with one tenant, contoso, and an empty store."""
    home = Home(tmp_path)
    home.add_tenant(HOME, alias="contoso", default=True)
    with home.store():
        return home
