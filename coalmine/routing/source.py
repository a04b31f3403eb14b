"""Whose request it is: the peer of the connection, or whom trusted proxies in front say it came from.

Rule 1: this file performs no I/O.
Rule 2: X-Forwarded-For is believed only as far as proxies that are trusted wrote it. Each proxy appends the address
    that it saw, so it is read from the right, and the first address that is no trusted proxy is the client. What stands
    to the left of it is the client's own claim.
Rule 3: an entry that is no address ends the walk: who it came from is then the last proxy that is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from coalmine.routing.conditions import parse_address, parse_network

# Some proxies write the port behind the address: 192.0.2.1:4711, [2001:db8::1]:4711.
_WITH_PORT = re.compile(r"\[([^\]]*)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}")


class TrustedProxies:
    """``cidrs`` are networks or single addresses. Raises ValueError for one that is none."""

    def __init__(self, cidrs: Iterable[str]) -> None:
        self._networks = tuple(map(parse_network, cidrs))

    def trusts(self, address: str) -> bool:
        parsed = parse_address(address) if self._networks else None
        if parsed is None:
            return False
        bits, number = parsed
        return any(bits == width and number >> shift == prefix for width, shift, prefix in self._networks)

    def find_source(self, peer: str, forwarded_for: str) -> str:
        """The client's address. ``forwarded_for`` is X-Forwarded-For, several joined by commas."""
        if not self.trusts(peer):
            return peer
        source = peer
        for entry in reversed(forwarded_for.split(",")):
            address = _strip_port(entry.strip(" \t"))
            if parse_address(address) is None:
                return source
            source = address
            if not self.trusts(address):
                return source
        return source


def _strip_port(entry: str) -> str:
    match = _WITH_PORT.fullmatch(entry)
    return (match[1] or match[2] or "") if match else entry
