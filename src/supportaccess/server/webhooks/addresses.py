"""Which addresses may be posted to: public ones, and those of networks that the operator allows.

What a name leads to is looked at when a connection is made, and the connection goes to the very address that was looked
at: a name that leads elsewhere a moment later (DNS rebinding) changes nothing.
"""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from supportaccess.http.resolving import look_up
from supportaccess.server.webhooks.outcomes import NotAllowed, Undelivered

_NAT64 = ip_network("64:ff9b::/96")
_IPV4_COMPATIBLE = ip_network("::/96")
# Python 3.11 takes these for public.
_NOT_PUBLIC = [ip_network(each) for each in ("64:ff9b:1::/48", "fec0::/10", "3fff::/20", "5f00::/16", "192.88.99.0/24")]


def addresses_of(host: str, port: int, allowed: Sequence[str], *, seconds: float) -> list[str]:
    """Return the addresses of a host, looked up within so many seconds.

    Raises Undelivered when it has none or that takes longer, NotAllowed when one must not be used.
    """
    try:
        addresses = look_up(host, port, seconds)
    except TimeoutError:
        raise Undelivered("lookUpTooSlow") from None
    except (OSError, UnicodeError):
        raise Undelivered("noSuchHost") from None
    for address in addresses:
        if not is_allowed(address, allowed):
            raise NotAllowed(address)
    return addresses


def is_allowed(address: str, allowed: Sequence[str]) -> bool:
    """Tell whether an address is public, however it is written, or of a network that is allowed."""
    try:
        meant = list(_meant(ip_address(address.partition("%")[0])))
    except ValueError:
        return False
    return all(_is_public(each) or any(each in ip_network(network) for network in allowed) for each in meant)


def _meant(address: IPv4Address | IPv6Address) -> Iterator[IPv4Address | IPv6Address]:
    """Yield where an address leads: of one that has an IPv4 address in it, to that as well."""
    if isinstance(address, IPv4Address):
        yield address
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
        return
    yield address
    if address in _NAT64 or address in _IPV4_COMPATIBLE:
        yield IPv4Address(int(address) & 0xFFFF_FFFF)
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if address.is_multicast or address.is_unspecified or (address.is_reserved and address not in _NAT64):
        return False
    return address.is_global and not any(address in network for network in _NOT_PUBLIC)
