"""Limits hold for all processes of a machine together."""

import multiprocessing
import stat
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from supportaccess.server.limits import Kind, Limits, make_table, network_of
from supportaccess.server.settings import LimitSettings

SETTINGS = LimitSettings(requests_per_address=60, requests_per_caller=6, refused_tokens_per_address=2)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def limits(clock: Clock) -> Limits:
    return Limits(SETTINGS, now=clock)


def taken(limits: Limits, kind: Kind, key: str, times: int) -> int:
    """Return how many of so many tries were let through."""
    return sum(limits.take(kind, key) == 0 for _ in range(times))


@pytest.mark.parametrize(("kind", "number"), [(Kind.ADDRESS, 60), (Kind.CALLER, 6), (Kind.REFUSED_TOKENS, 2)])
def test_a_minute_has_so_many(kind: Kind, number: int) -> None:
    """Of each kind there are as many as the settings say, and not one more."""
    assert taken(limits(Clock()), kind, "192.0.2.1", 200) == number


def test_the_wait_is_long_enough_and_no_longer() -> None:
    """After the seconds that were named there is room for one, and a second earlier there is none."""
    clock = Clock()
    table = limits(clock)
    assert taken(table, Kind.CALLER, "tenant object", 7) == 6
    wait = table.take(Kind.CALLER, "tenant object")

    clock.now += wait - 1
    early = table.take(Kind.CALLER, "tenant object")
    clock.now += 1
    assert (wait, early, table.take(Kind.CALLER, "tenant object")) == (10, 1, 0)


def test_a_bucket_fills_again_and_no_further() -> None:
    """After an hour there is a minute's worth, not sixty."""
    clock = Clock()
    table = limits(clock)
    assert taken(table, Kind.CALLER, "tenant object", 10) == 6

    clock.now += 3600
    assert taken(table, Kind.CALLER, "tenant object", 100) == 6


def test_keys_and_kinds_do_not_touch_each_other() -> None:
    """One address that used up its requests takes none from another, nor from its refused tokens."""
    table = limits(Clock())
    assert taken(table, Kind.ADDRESS, "192.0.2.1", 100) == 60

    assert taken(table, Kind.ADDRESS, "192.0.2.2", 100) == 60
    assert taken(table, Kind.REFUSED_TOKENS, "192.0.2.1", 100) == 2


def test_looking_counts_nothing() -> None:
    """A look says what a take would, and leaves it to be taken."""
    table = limits(Clock())
    assert [table.look(Kind.REFUSED_TOKENS, "192.0.2.1") for _ in range(10)] == [0] * 10
    assert taken(table, Kind.REFUSED_TOKENS, "192.0.2.1", 10) == 2

    assert table.look(Kind.REFUSED_TOKENS, "192.0.2.1") == 30


@pytest.mark.parametrize(
    ("address", "same"),
    [
        ("2001:db8::1", "2001:db8:0:0:ffff::2"),
        ("2001:DB8::1%eth0", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("not an address", "not an address"),
    ],
)
def test_addresses_of_one_customer_are_one(address: str, same: str) -> None:
    """IPv6 counts by /64, and IPv4 in IPv6 as IPv4."""
    assert network_of(address) == network_of(same)
    assert network_of(address) != network_of("2001:db8:0:1::1")


def test_many_keys_do_not_free_one_that_used_up_its_own() -> None:
    """A flood of other addresses, of which each asks once, does not make the table forget the one that asks most."""
    table = limits(Clock())
    assert taken(table, Kind.ADDRESS, "192.0.2.1", 100) == 60
    for number in range(30_000):
        table.take(Kind.ADDRESS, f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")

    assert table.look(Kind.ADDRESS, "192.0.2.1") > 0


def test_the_table_is_for_its_owner_alone(tmp_path: Path) -> None:
    """The file is 0600, and is never made over another one."""
    make_table(tmp_path / "limits")

    assert stat.S_IMODE((tmp_path / "limits").stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        make_table(tmp_path / "limits")


def _hammer(path: Path) -> int:
    table = Limits(LimitSettings(requests_per_address=1000), path, now=lambda: 1000.0)
    try:
        return taken(table, Kind.ADDRESS, "192.0.2.1", 600)
    finally:
        table.close()


def test_processes_share_one_limit(tmp_path: Path) -> None:
    """Four processes that ask at once get together what one would get."""
    make_table(tmp_path / "limits")
    with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("spawn")) as pool:
        counts = list(pool.map(_hammer, [tmp_path / "limits"] * 4))

    assert sum(counts) == 1000
    assert len([count for count in counts if count]) > 1


def test_a_process_that_dies_with_the_lock_held_blocks_nobody(tmp_path: Path) -> None:
    """The lock of a killed process is free."""
    make_table(tmp_path / "limits")
    script = (
        "import os, sys, signal; from pathlib import Path\n"
        "from supportaccess.server.limits import Limits; from supportaccess.server.settings import LimitSettings\n"
        "table = Limits(LimitSettings(), Path(sys.argv[1]))\n"
        "def die(): os.kill(os.getpid(), signal.SIGKILL)\n"
        "table._now = die; table.take('address', '192.0.2.1')\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "limits")], timeout=60, check=False)
    assert done.returncode == -9

    assert Limits(SETTINGS, tmp_path / "limits").take(Kind.ADDRESS, "192.0.2.1") == 0
