"""What the tests of the command line share."""

from pathlib import Path

import pytest
from tests.cli.home import Home
from tests.support.people import HOME


@pytest.fixture
def new_home(tmp_path: Path) -> Home:
    """Return the home of somebody who never ran the program."""
    return Home(tmp_path)


@pytest.fixture
def home(new_home: Home) -> Home:
    """Return a home with the profile of one tenant, contoso, and an empty store."""
    new_home.add_tenant(HOME, "contoso", default=True)
    return new_home
