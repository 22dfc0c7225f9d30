"""Where no message may go, however the address is written (SSRF)."""

import socket
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.server.webhooks.receiver import receiving

from supportaccess.server.settings import WebhookSettings
from supportaccess.server.webhooks.addresses import addresses_of, is_allowed
from supportaccess.server.webhooks.outcomes import NotAllowed, Undelivered
from supportaccess.server.webhooks.posting import post

FORBIDDEN = [
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",  # noqa: S104
    "169.254.169.254", "169.254.0.1", "100.64.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1",
    "203.0.113.1", "192.88.99.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::1", "::", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "::127.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2002:a9fe:a9fe::",
    "2001:0:4136:e378:8000:63bf:f5ff:fffe", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fd12:3456::1",
    "ff02::1", "2001:db8::1", "3fff::1", "fd00:ec2::254", "not an address", "",
]  # fmt: skip
PUBLIC = ["93.184.215.14", "1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "2a00:1450:4001::8a", "64:ff9b::808:808"]
SPELLINGS = ["127.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost", "[::1]".strip("[]"), "0"]


@pytest.mark.parametrize("address", FORBIDDEN)
def test_no_address_inside_is_used(address: str) -> None:
    """Loopback, private, link-local, shared, reserved, multicast, and IPv4 inside IPv6: none of them."""
    assert not is_allowed(address, [])


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_used(address: str) -> None:
    """What is public is allowed without anything set."""
    assert is_allowed(address, [])


@pytest.mark.parametrize("host", SPELLINGS)
def test_spellings_of_this_machine_are_seen_through(host: str) -> None:
    """What the system takes for an address of this machine is one, however it is spelled."""
    with pytest.raises(NotAllowed):
        addresses_of(host, 443, [], seconds=60)


def test_only_what_the_operator_names_is_allowed_beside() -> None:
    """A network that is named is allowed, and no other; also for IPv4 that is written as IPv6."""
    assert is_allowed("10.20.0.5", ["10.20.0.0/16"])
    assert is_allowed("::ffff:10.20.0.5", ["10.20.0.0/16"])
    assert not is_allowed("10.21.0.5", ["10.20.0.0/16"])
    assert not is_allowed("127.0.0.1", ["10.20.0.0/16", "fd00::/8"])
    assert is_allowed("fd00::5", ["fd00::/8"])


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_nothing_is_allowed_that_python_knows_as_inside(address: IPv4Address | IPv6Address) -> None:
    """Whatever the address, what is allowed is global and no group."""
    if is_allowed(str(address), []):
        assert address.is_global
        assert not address.is_multicast
        assert not address.is_loopback


def test_one_forbidden_address_of_a_name_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that leads to a public address and to one inside is refused: it is not ours to choose."""
    answers(monkeypatch, ["1.1.1.1", "10.0.0.1"])

    with pytest.raises(NotAllowed):
        addresses_of("both.example", 443, [], seconds=60)


def test_a_name_that_changes_between_look_and_use_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection goes to the address that was looked at; the name is not asked again (DNS rebinding)."""
    answers(monkeypatch, ["203.0.113.77"], ["127.0.0.1"], ["127.0.0.1"])
    connected: list[Any] = []

    def connect(_: socket.socket, address: Any) -> None:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", connect)
    webhook = WebhookSettings(name="x", url="https://rebinding.example/", allowed_networks=("203.0.113.0/24",))
    with pytest.raises(Undelivered, match="unreachable"):
        post(webhook, {}, b"{}")

    assert connected == [("203.0.113.77", 443)]


def test_nothing_is_sent_to_an_address_inside() -> None:
    """A receiver on this machine that is not allowed gets no connection at all."""
    with receiving() as receiver:
        webhook = WebhookSettings(name="x", url=receiver.url)
        with pytest.raises(NotAllowed):
            post(webhook, {}, b"{}")

        assert receiver.asked == []


def test_a_name_that_nobody_has(tmp_path: Path) -> None:
    """A name without an address is told as that."""
    assert tmp_path
    with pytest.raises(Undelivered, match="noSuchHost"):
        addresses_of("nobody.invalid", 443, [], seconds=60)


def answers(monkeypatch: pytest.MonkeyPatch, *addresses: list[str]) -> None:
    """Let the resolver answer so to names, one time after the other. An address is its own answer, as ever."""
    left = list(addresses)

    def resolve(host: str, *_: Any, **__: Any) -> list[Any]:
        found = [host] if host.replace(".", "").isdigit() else left.pop(0)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 443)) for each in found]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
