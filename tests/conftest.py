"""What holds for every test."""

import os
import signal

from hypothesis import settings
from tests.support.examples import VARIABLE

# What a shell starts in the background ignores Ctrl-C, and so would every program that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["tests.support.rings"]

settings.load_profile(os.environ.get(VARIABLE, "quick"))  # before hypothesis reads --hypothesis-profile
