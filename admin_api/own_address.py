"""Whether an endpoint is the admin API itself. Whoever sends a request through the proxy would reach it from this
machine then, where it may want no token.

Rule 1: only an endpoint with the port of the admin API is looked at, so that no other costs a name lookup.
Rule 2: names are resolved as the proxy resolves them, so that ``localhost``, ``0x7f.1`` and what a name server says are
    seen through. A name that resolves to another address later meets ``security``: what has come through the proxy says
    so in ``Via``.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from coalmine.errors import Fault
from coalmine.model import Upstream
from coalmine.settings import Settings, parse_address

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str], set[Address]]

_DEFAULT_PORTS = {"http": 80, "https": 443}
_HINT = "name the service itself; --admin-through-proxy would allow it"


def resolve(host: str) -> set[Address]:
    """The addresses of ``host``, as connecting to them would find them; none where there are none."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return set()
    return {_normalize(ipaddress.ip_address(str(entry[4][0]).partition("%")[0])) for entry in found}


def find_own_endpoints(upstream: Upstream, settings: Settings, resolve: Resolve = resolve) -> Iterable[Fault]:
    """A fault for every endpoint of ``upstream`` that leads to the admin API."""
    if settings.admin_through_proxy:
        return
    for index, endpoint in enumerate(upstream.endpoints):
        if leads_to(endpoint, settings.admin, resolve):
            detail = f"{endpoint} is the admin API of this gateway"
            yield Fault(f"/endpoints/{index}", "invalid_value", detail, _HINT)


def leads_to(endpoint: str, admin: str, resolve: Resolve = resolve) -> bool:
    """Whether a connection to ``endpoint`` would be taken by who listens on ``admin``, wherever on loopback that is."""
    parts = urlsplit(endpoint)
    listening, port = parse_address(admin)
    if (parts.port or _DEFAULT_PORTS[parts.scheme]) != port:
        return False
    found = resolve(parts.hostname or "")
    if _is_wildcard(listening):
        return any(_is_of_this_machine(address) for address in found)
    own = resolve(listening)
    on_loopback = any(address.is_loopback for address in own)
    return any(address in own or (on_loopback and address.is_loopback) for address in found)


def _is_wildcard(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _normalize(address: Address) -> Address:
    """What a connection to ``address`` arrives at: 0.0.0.0 is this machine, and IPv6 may spell IPv4."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_unspecified:
        return ipaddress.ip_address("127.0.0.1" if address.version == 4 else "::1")
    return address


def _is_of_this_machine(address: Address) -> bool:
    """One can only listen on addresses of one's own."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True
