import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.support.examples import explores, share
