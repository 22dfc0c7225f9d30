"""What a test needs of the machine it runs on."""

import os

import pytest


def require(condition: object, reason: str) -> None:
    """Skip the test unless the machine offers what it needs; fail instead where everything is to be tested.

    `reason` says what is needed, so that whoever reads it can provide it.
    """
    if condition:
        return
    if os.environ.get("SUPPORTACCESS_REQUIRE_ALL") == "1":
        pytest.fail(f"SUPPORTACCESS_REQUIRE_ALL=1, and this test needs {reason}")
    pytest.skip(f"needs {reason}")
