"""Which hosts are asked through the proxy of the environment."""

import pytest

from supportaccess.http.proxies import proxy_for


@pytest.mark.parametrize(
    ("no_proxy", "host"),
    [
        ("10.0.0.0/8", "10.1.2.3"),
        ("store.example, 10.0.0.0/8", "10.1.2.3"),
        ("10.1.2.0/23", "10.1.3.255"),
        ("10.1.2.3/8", "10.200.0.1"),
        ("10.1.2.3", "10.1.2.3"),
        ("fd00::/8", "fd12:3456::1"),
        ("[fd00::]/8", "fd12:3456::1"),
        ("[fd12:3456::0001]", "fd12:3456::1"),
        ("*", "10.1.2.3"),
        (".example", "store.example"),
        ("", "localhost"),
        ("", "127.0.0.1"),
        ("", "::1"),
    ],
)
def test_asked_directly(monkeypatch: pytest.MonkeyPatch, no_proxy: str, host: str) -> None:
    """Hosts, addresses and ranges that NO_PROXY names, and this machine, need no proxy."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", no_proxy)

    assert proxy_for(host) is None


@pytest.mark.parametrize(
    ("no_proxy", "host"),
    [
        ("10.0.0.0/8", "11.0.0.1"),
        ("10.0.0.0/8", "fd00::1"),
        ("fd00::/8", "10.0.0.1"),
        ("0.0.0.0/0", "store.example"),
        ("10.0.0.0/64,nonsense/8,", "10.0.0.1"),
        ("", "10.0.0.1"),
    ],
)
def test_asked_through_the_proxy(monkeypatch: pytest.MonkeyPatch, no_proxy: str, host: str) -> None:
    """A range is of addresses, not of the names that lead there, and one that is none excludes nobody."""
    monkeypatch.setenv("HTTPS_PROXY", "proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", no_proxy)

    assert proxy_for(host) == "http://proxy.example:3128"
