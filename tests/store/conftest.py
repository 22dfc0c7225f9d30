from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.support.worlds import StoreWorld


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name a store's file, in a folder that is not there yet."""
    return tmp_path / "data" / "store.db"


@pytest.fixture
def opened() -> Iterator[Callable[[Path], StoreWorld]]:
    """Return what opens a store; it is closed when the test is over."""
    with ExitStack() as stack:

        def open_world(path: Path) -> StoreWorld:
            world = StoreWorld(path)
            stack.callback(world.close)
            return world

        yield open_world


@pytest.fixture
def world(path: Path, opened: Callable[[Path], StoreWorld]) -> StoreWorld:
    """Return an empty store on the disk."""
    return opened(path)
