"""What a route asks of a request besides its path: method, headers, query, source address.

Rule 1: this file performs no I/O.
Rule 2: a GET route takes HEAD too (RFC 9110 section 9.3.2: HEAD is GET without the content).
Rule 3: header names are compared without case, values as bytes. A header that came several times satisfies ``exact``
    or ``regex`` if any one of its values does, or all of them joined by a comma (RFC 9110 section 5.3).
Rule 4: query names and values are compared decoded (``+`` is a space, bad UTF-8 becomes U+FFFD). A name without ``=``
    has the empty value. One of several values is enough.
Rule 5: ``present: true`` asks for the name, ``present: false`` for its absence. ``invert`` turns the verdict of the
    whole condition round, so ``exact`` and ``regex`` inverted hold where the name is absent.
Rule 6: an IPv4-mapped IPv6 address is its IPv4 address, in requests and in networks.
Rule 7: a pattern that is no pattern could only have matched where the name is present; it is taken to match there, so
    that its route answers with its problem instead of letting the request fall through to the next route.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Callable, Sequence
from typing import Protocol
from urllib.parse import unquote_plus

from coalmine.model import Match, ValueMatch
from coalmine.routing.decision import RequestHead
from coalmine.routing.patterns import compile_pattern

Address = tuple[int, int]  # bits of the family (32 or 128) and the number


class Facts:
    """One request head, and what conditions had to work out about it.

    ``looked``: somebody asked for more than its method and path, so another request with these may fare otherwise.
    """

    __slots__ = ("_query", "head", "looked")

    def __init__(self, head: RequestHead) -> None:
        self.head = head
        self.looked = False
        self._query: dict[str, list[str]] | None = None

    def query(self) -> dict[str, list[str]]:
        if self._query is None:
            self._query = parse_query(self.head.query)
        return self._query


class Condition(Protocol):
    """``text`` says what is asked for, such as ``header x-canary is 'true'``."""

    text: str

    def holds(self, facts: Facts) -> bool: ...


class HeaderCondition:
    __slots__ = ("_invert", "_test", "name", "text", "value")

    def __init__(self, name: str, match: ValueMatch) -> None:
        self.name = name.lower().encode("latin-1")
        self.text = describe(f"header {name.lower()}", match)
        self._invert = match.invert
        # The one value that it asks for, where an index can look it up.
        self.value = None if match.exact is None or match.invert else match.exact.encode("utf-8", "surrogatepass")
        self._test = _header_test(match)

    def holds(self, facts: Facts) -> bool:
        name = self.name
        return self._test([value for key, value in facts.head.headers if key == name]) is not self._invert


class QueryCondition:
    __slots__ = ("_invert", "_test", "name", "text", "value")

    def __init__(self, name: str, match: ValueMatch) -> None:
        self.name = name
        self.text = describe(f"query parameter {name}", match)
        self._invert = match.invert
        self.value = None if match.invert else match.exact
        self._test = _query_test(match)

    def holds(self, facts: Facts) -> bool:
        return self._test(facts.query().get(self.name, ())) is not self._invert


class SourceCondition:
    __slots__ = ("_networks", "text")

    def __init__(self, cidrs: Sequence[str]) -> None:
        self.text = f"source in {', '.join(cidrs)}"
        self._networks = tuple(parse_network(cidr) for cidr in cidrs)

    def holds(self, facts: Facts) -> bool:
        address = parse_address(facts.head.source)
        if address is None:
            return False
        bits, number = address
        return any(bits == width and number >> shift == prefix for width, shift, prefix in self._networks)


def compile_methods(methods: Sequence[str]) -> frozenset[str] | None:
    """The methods that are taken; None for all."""
    if not methods:
        return None
    return frozenset(methods) | {"HEAD"} if "GET" in methods else frozenset(methods)


def compile_conditions(match: Match) -> tuple[Condition, ...]:
    """Everything but path and methods. Never raises for a bad pattern, see rule 7."""
    conditions: list[Condition] = [HeaderCondition(header.name, header) for header in match.headers]
    conditions += [QueryCondition(query.name, query) for query in match.query]
    if match.source_cidrs:
        conditions.append(SourceCondition(match.source_cidrs))
    return tuple(conditions)


def describe(what: str, match: ValueMatch) -> str:
    """A condition as a sentence without a verb of its own."""
    if match.present is not None:
        return f"{what} is {'present' if match.present is not match.invert else 'absent'}"
    verb = "is" if match.exact is not None else "matches"
    negated = {"is": "is not", "matches": "does not match"}[verb] if match.invert else verb
    return f"{what} {negated} {(match.exact if match.exact is not None else match.regex)!r}"


def parse_query(query: str | None) -> dict[str, list[str]]:
    """Decoded names and their decoded values, in order."""
    found: dict[str, list[str]] = {}
    for pair in (query or "").split("&"):
        if pair:
            name, _, value = pair.partition("=")
            found.setdefault(unquote_plus(name), []).append(unquote_plus(value))
    return found


# Clients come back: an address costs two microseconds to parse, and the bound keeps a scan from filling memory.
@functools.lru_cache(maxsize=4_096)
def parse_address(text: str) -> Address | None:
    """The address in ``text`` (a zone is ignored), None for what is no address, such as a socket's path."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.max_prefixlen, int(address)


def parse_network(cidr: str) -> tuple[int, int, int]:
    """Bits of the family, bits to shift away, and what is then left; raises ValueError."""
    network = ipaddress.ip_network(cidr, strict=False)
    first, shift = network.network_address, network.max_prefixlen - network.prefixlen
    if isinstance(first, ipaddress.IPv6Address) and first.ipv4_mapped is not None and shift <= 32:
        first = first.ipv4_mapped
    return first.max_prefixlen, shift, int(first) >> shift


def _pattern_test(text: str) -> Callable[[bytes], bool]:
    try:
        return compile_pattern(text).matches
    except ValueError:
        return lambda value: True


def _header_test(match: ValueMatch) -> Callable[[list[bytes]], bool]:
    if match.present is not None:
        wanted = match.present
        return lambda values: bool(values) is wanted
    if match.exact is not None:
        exact = match.exact.encode("utf-8", "surrogatepass")
        return lambda values: exact in values or (len(values) > 1 and b",".join(values) == exact)
    matches = _pattern_test(match.regex or "")
    return lambda values: any(map(matches, values)) or (len(values) > 1 and matches(b",".join(values)))


def _query_test(match: ValueMatch) -> Callable[[Sequence[str]], bool]:
    if match.present is not None:
        wanted = match.present
        return lambda values: bool(values) is wanted
    if match.exact is not None:
        exact = match.exact
        return lambda values: exact in values
    matches = _pattern_test(match.regex or "")
    return lambda values: any(matches(value.encode("utf-8", "replace")) for value in values)
