"""Which addresses a probe may connect to.

Names are resolved once, the addresses are checked, and the connection goes to a checked address: a name that
answers differently a moment later (DNS rebinding) changes nothing. Services live on loopback and private networks, so
these are fine; cloud metadata services hand out credentials, so they are not.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from functools import lru_cache

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Metadata services that do not live on link-local addresses.
_METADATA = frozenset(
    map(
        ipaddress.ip_address,
        (
            "100.100.100.200",  # Alibaba Cloud
            "168.63.129.16",  # Azure
            "192.0.0.192",  # Oracle Cloud
            "fd00:ec2::254",  # AWS over IPv6
            "fd20:ce::254",  # Google Cloud over IPv6
        ),
    )
)
# IPv6 addresses that stand for an IPv4 one: RFC 6052, RFC 8215.
_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))


class AddressRefusedError(Exception):
    """The text says which address, and why."""


async def resolve(host: str, port: int) -> list[Address]:
    """The addresses of ``host``; raises ``OSError``. Numeric forms such as 0xA9FEA9FE come out as addresses too."""
    try:
        return [ipaddress.ip_address(host)]
    except ValueError:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(ipaddress.ip_address(entry[4][0]) for entry in found))


def check(addresses: list[Address], *, allow_link_local: bool) -> list[Address]:
    """Those that may be connected to; raises ``AddressRefusedError`` where none is left."""
    refusals = {address: find_refusal(address) for address in addresses}
    allowed = [address for address, reason in refusals.items() if reason is None or allow_link_local]
    if not allowed:
        reasons = ", ".join(f"{address} is {reason}" for address, reason in refusals.items())
        raise AddressRefusedError(f"{reasons}; --allow-link-local would let probes go there")
    return allowed


@lru_cache(maxsize=4096)
def find_refusal(address: Address) -> str | None:
    """Why ``address`` is refused, or None."""
    for each in _embedded(address):
        if each.is_link_local:
            return "link-local"
        if each in _METADATA:
            return "a cloud metadata service"
        if each.is_multicast or each == ipaddress.IPv4Address("255.255.255.255"):
            return "not the address of one host"
    return None


def _embedded(address: Address) -> list[Address]:
    """The address and the IPv4 addresses that it is another spelling of."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    spelled: list[Address] = [each for each in (address.ipv4_mapped, address.sixtofour) if each is not None]
    if any(address in network for network in _NAT64) or int(address) >> 32 == 0:
        spelled.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [address, *spelled]
