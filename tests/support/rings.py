"""The rings of the suite: each test is in one, by what it needs.

core      all of it in the tests' own process, with a database server and an identity provider beside it
process   starts the program, or a server, as a process of its own, or looks for faults: marked, or in a folder of these
browser   has a browser: by the fixture `chromium`, or it is marked so

A run without `--ring` has the ring core, or all of the files and folders that it names.
"""

import os
from collections import Counter
from typing import Any

import pytest

RINGS = ("core", "process", "browser")
_FOLDERS = ("tests/e2e/", "tests/deploy/", "tests/server/process/")
"""What is in the ring process as a whole."""

_left_out = Counter[str]()
_present: list[str] = []


def needs(ring: str) -> None:
    """Fail unless the test that is running is in a ring that has what a ring has, so that core stays quick."""
    present = _present[-1] if _present else "core"
    assert RINGS.index(present) >= RINGS.index(ring), f"this test needs the mark {ring}"


def ring_of(item: pytest.Item) -> str:
    """Return the ring of a test."""
    if item.get_closest_marker("browser") or "chromium" in getattr(item, "fixturenames", ()):
        return "browser"
    return "process" if item.get_closest_marker("process") or item.nodeid.startswith(_FOLDERS) else "core"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take `--ring`."""
    names = f"{', '.join(RINGS)} or all"
    parser.addoption("--ring", metavar="RING[,RING]", help=f"run what is in these rings of the suite: {names}")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Have more workers than cores, since many tests wait, and processes most; a browser takes a core for itself."""
    cores = os.cpu_count() or 1
    return cores * {"core": 2, "browser": 1}.get(",".join(_chosen(config)), 3)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Settle the rings, for the workers too."""
    config.addinivalue_line("markers", "browser: has a browser")
    config.addinivalue_line("markers", "process: starts the program, or a server, as a process of its own")
    chosen = _chosen(config)
    if unknown := chosen - set(RINGS):
        raise pytest.UsageError(f"unknown ring {', '.join(sorted(unknown))}; there are {', '.join(RINGS)} and all")
    config.option.ring = ",".join(sorted(chosen))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is in no chosen ring."""
    chosen = _chosen(config)
    left_out = [item for item in items if ring_of(item) not in chosen]
    _left_out.update(map(ring_of, left_out))
    items[:] = [item for item in items if ring_of(item) in chosen]
    if left_out:
        config.hook.pytest_deselected(items=left_out)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Any:
    """Note the ring of the test."""
    _present.append(ring_of(item))
    try:
        return (yield)
    finally:
        _present.pop()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell the process that reports what this worker left out."""
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["left_out"] = dict(_left_out)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take what a worker left out: the same in each."""
    _left_out.update({ring: n for ring, n in node.workeroutput.get("left_out", {}).items() if ring not in _left_out})


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was left out, and how to run it."""
    if _left_out:
        parts = ", ".join(f"{number} tests of ring {ring}" for ring, number in sorted(_left_out.items()))
        terminalreporter.write_line(f"Left out: {parts}. Everything: python -m pytest --ring all")


def _chosen(config: pytest.Config) -> set[str]:
    named = config.getoption("--ring")
    if named is None:
        named = "core" if config.args_source is pytest.Config.ArgsSource.TESTPATHS else "all"
    return set(RINGS) if named == "all" else set(named.split(","))
