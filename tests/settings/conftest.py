from pathlib import Path

import pytest

from supportaccess.settings.paths import Paths
from supportaccess.settings.profiles import Settings


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """Name folders that do not exist yet."""
    return Paths(config=tmp_path / "config", data=tmp_path / "data", cache=tmp_path / "cache")


@pytest.fixture
def settings(paths: Paths) -> Settings:
    """Return settings without any file or variable."""
    return Settings(paths, {})
