"""Ways: what requests with one host, method and path come to, worked out once and remembered.

Rule 1: a way is a standing decision (``coalmine.routing.standing``) with its lane, and the bytes its requests begin
        with. Where there is none, each request is decided for itself.
Rule 2: what is remembered is bounded, for paths are what clients make up: beyond MAX_WAYS the oldest is forgotten.
Rule 3: paths that differ in an id come once. Where their last segment is the id, a family makes their ways.
This file performs no I/O.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import Any

from coalmine.routing.decision import Forward
from coalmine.routing.standing import PLAIN_SEGMENT, Siblings, Standing, find_siblings, find_standing
from coalmine.routing.steer import Draw, Spread
from coalmine.routing.table import RouteTable
from proxy.embedded.forwarding import quiet_framing
from proxy.embedded.grammar import PLAIN_START
from proxy.embedded.lane import Lane, Lanes
from proxy.embedded.request import Request

# About a kilobyte each, so as many as a table of ten thousand routes has. Where every path has an id of its own,
# remembering costs little and gains nothing.
MAX_WAYS = 16_384
# A longer path is remembered by nobody: most likely it is made up.
MAX_START = 512
# As large as a few ways, and of as many routes.
MAX_FAMILIES = 16_384


_UNKNOWN: Any = object()  # where None says that there is no way


class Way:
    """``start`` is how the request line begins: method and target, without a query; ``framing`` how the head ends.

    ``quick``: the heads of quiet requests can be written by ``write_head``. ``fast``: and such requests of clients can
    go the fast path.
    """

    __slots__ = ("fast", "forward", "framing", "lane", "method", "quick", "start", "streams")

    def __init__(self, asked: str, forward: Forward, lane: Lane) -> None:
        """``asked``: the method of the client's request."""
        method = self.method = forward.method
        self.forward = forward
        self.lane = lane
        self.start = f"{method} {forward.target}".encode("ascii")
        self.framing = quiet_framing(method, forward.body)
        self.streams = forward.body == "stream"
        self.quick = lane.request_edits is None
        self.fast = self.quick and method != "HEAD" and asked != "HEAD" and lane.cluster is not None

    def forward_for(self, request: Request) -> Forward:
        """What ``decide`` would have said of ``request``."""
        target = self.start[len(self.method) + 1 :].decode("ascii")
        return replace(self.forward, target=target if request.query is None else f"{target}?{request.query}")

    def make_sibling(self, start: bytes) -> Way:
        """As this one, for another path; ``forward`` stays, but for its target."""
        sibling = Way.__new__(Way)
        sibling.fast = self.fast
        sibling.forward = self.forward
        sibling.framing = self.framing
        sibling.lane = self.lane
        sibling.method = self.method
        sibling.quick = self.quick
        sibling.start = start
        sibling.streams = self.streams
        return sibling

    def write_head(
        self, query: bytes, host: bytes, own: bytes, onward: bytes, request_id: bytes, framing: bytes = b""
    ) -> bytes:
        """As ``forwarding.write_request_head`` for a quiet request, or one with a body that ``framing`` tells of.

        ``query`` with its ``?``; ``host``: what the client asked for; ``own``: the endpoint's authority.
        """
        return b"%b%b HTTP/1.1\r\nHost: %b%b\r\nX-Request-Id: %b%b\r\n\r\n" % (
            self.start,
            query,
            self.lane.choose_host(host, own),
            onward,
            request_id,
            framing or self.framing,
        )


class Crossing:
    """Several ways, among which chance chooses."""

    __slots__ = ("_spread", "_ways", "fast", "streams")

    def __init__(self, ways: tuple[Way, ...], spread: Spread) -> None:
        self._ways = ways
        self._spread = spread
        self.streams = all(way.streams for way in ways)
        self.fast = all(way.fast for way in ways)

    def choose(self, draw: Draw) -> Way:
        return self._ways[self._spread(draw)]


class Family:
    """The ways of paths that differ in their last segment alone."""

    __slots__ = ("_siblings", "_ways")

    def __init__(self, ways: list[Way], siblings: Siblings) -> None:
        """``ways`` are those of one of them."""
        self._siblings = siblings
        self._ways: list[tuple[Way, bytes, bytes | None]] = []
        for way, (before, behind) in zip(ways, siblings.targets, strict=True):
            start = f"{way.method} {before}".encode("ascii")
            self._ways.append((way, start, None if behind is None else behind.encode("ascii")))

    def find(self, segment: bytes) -> Way | Crossing | None:
        """The way of the one with this last segment; None: it may have one of its own."""
        text = segment.decode("latin-1")
        siblings = self._siblings
        if PLAIN_SEGMENT.fullmatch(text) is None or siblings.leads_elsewhere(text):
            return None
        found = [
            way.make_sibling(start + segment + behind if behind is not None else start)
            for way, start, behind in self._ways
        ]
        return found[0] if len(found) == 1 else Crossing(tuple(found), siblings.standing.spread)


class Ways:
    """The ways of one snapshot."""

    __slots__ = ("_lanes", "_met", "_table", "families", "known")

    def __init__(self, table: RouteTable, lanes: Lanes) -> None:
        self._table = table
        self._lanes = lanes
        self._met: set[int] = set()  # hashes of keys of families that were asked for once
        # By host, and method and path up to the last segment.
        self.families: OrderedDict[tuple[str, bytes], Family | None] = OrderedDict()
        # By host, and method and path as they stand in the request line.
        self.known: OrderedDict[tuple[str, bytes], Way | Crossing | None] = OrderedDict()

    def find(self, request: Request, draw: Draw) -> Way | None:
        """The way of ``request``; None: decide."""
        start = b"%b %b" % (request.verb, request.path.encode("ascii"))
        way = self.known.get((request.host, start), _UNKNOWN)
        if way is _UNKNOWN:
            way = self._learn(request.host, start, request.method, request.path)
        if way is None or (request.fields.has_body and not way.streams):
            return None
        return way.choose(draw) if isinstance(way, Crossing) else way

    def recall(self, host: str, start: bytes) -> Way | Crossing | None:
        """Of a request without a body, whose line begins with ``start``: method and path. None: decide, or refuse."""
        way: Way | Crossing | None = self.known.get((host, start), _UNKNOWN)
        if way is _UNKNOWN:
            directory, _, segment = start.rpartition(b"/")
            family = self.families.get((host, directory))
            way = None if family is None else family.find(segment)
            return self._meet(host, start, directory) if way is None else way
        return way

    def _meet(self, host: str, start: bytes, directory: bytes) -> Way | Crossing | None:
        """For the first time, unless it was forgotten."""
        if PLAIN_START.fullmatch(start) is None or b"/." in start:
            return None
        method, path = start.decode("ascii").split(" ")
        key = host, directory
        if hash(key) in self._met:
            family = self._find_family(key, method, path.rpartition("/")[0])
            way = None if family is None else family.find(start[len(directory) + 1 :])
            if way is not None:
                return way
        elif len(directory) <= MAX_START:
            if len(self._met) >= MAX_FAMILIES:
                self._met.clear()
            self._met.add(hash(key))
        return self._learn(host, start, method, path)

    def _find_family(self, key: tuple[str, bytes], method: str, directory: str) -> Family | None:
        """Of a directory that was asked for again: it may have many more paths."""
        family: Family | None = self.families.get(key, _UNKNOWN)
        if family is _UNKNOWN:
            siblings = find_siblings(self._table, key[0], method, directory)
            family = None if siblings is None else Family(self._make(method, siblings.standing), siblings)
            if len(self.families) >= MAX_FAMILIES:
                self.families.popitem(last=False)
            self.families[key] = family
        return family

    def _learn(self, host: str, start: bytes, method: str, path: str) -> Way | Crossing | None:
        way = self._work_out(host, method, path)
        if len(start) <= MAX_START:
            if len(self.known) >= MAX_WAYS:
                self.known.popitem(last=False)
            self.known[host, start] = way
        return way

    def _work_out(self, host: str, method: str, path: str) -> Way | Crossing | None:
        standing = find_standing(self._table, host, method, path)
        if standing is None:
            return None
        ways = self._make(method, standing)
        return ways[0] if len(ways) == 1 else Crossing(tuple(ways), standing.spread)

    def _make(self, method: str, standing: Standing) -> list[Way]:
        return [Way(method, forward, self._lanes.find(forward)) for forward in standing.forwards]
