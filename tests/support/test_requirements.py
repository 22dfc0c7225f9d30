import pytest
from tests.support.requirements import require


def test_what_is_there_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A requirement that is met neither skips nor fails."""
    monkeypatch.setenv("SUPPORTACCESS_REQUIRE_ALL", "1")
    require("/usr/bin/strace", "strace")


def test_what_is_missing_skips_and_says_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A requirement that is not met skips the test, and the reason names what is needed."""
    monkeypatch.delenv("SUPPORTACCESS_REQUIRE_ALL", raising=False)
    with pytest.raises(pytest.skip.Exception, match="needs strace"):
        require(None, "strace")


def test_where_everything_is_to_be_tested_what_is_missing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """With SUPPORTACCESS_REQUIRE_ALL=1 a requirement that is not met is a failure."""
    monkeypatch.setenv("SUPPORTACCESS_REQUIRE_ALL", "1")
    with pytest.raises(pytest.fail.Exception, match="needs strace"):
        require(None, "strace")
