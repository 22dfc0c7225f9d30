"""What holds for every test."""

import os
import signal
from typing import Any

import pytest
from hypothesis import settings
from tests.support import run
from tests.support.examples import VARIABLE

# What a shell starts in the background ignores Ctrl-C, and so would every program that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["tests.support.rings"]

settings.load_profile(os.environ.get(VARIABLE, "quick"))  # before hypothesis reads --hypothesis-profile


def pytest_configure(config: pytest.Config) -> None:
    """Begin a run, or take part in that of the process that started this worker."""
    told: dict[str, str] = getattr(config, "workerinput", {})
    config.add_cleanup(run.begin(told.get("folder_of_the_run")).end)


def pytest_configure_node(node: Any) -> None:
    """Tell a worker which run it takes part in."""
    node.workerinput["folder_of_the_run"] = str(run.current().folder)
