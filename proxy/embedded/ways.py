"""Ways: what requests with one host, method and path come to, worked out once and remembered.

Rule 1: a way is a standing decision (``coalmine.routing.standing``) with its lane, and the bytes its requests begin
        with. Where there is none, each request is decided for itself.
Rule 2: what is remembered is bounded, for paths are what clients make up: beyond MAX_WAYS the oldest is forgotten.
This file performs no I/O.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import Any

from coalmine.routing.decision import Forward
from coalmine.routing.standing import find_standing
from coalmine.routing.steer import Draw, Spread
from coalmine.routing.table import RouteTable
from proxy.embedded.forwarding import choose_host, onward, quiet_framing
from proxy.embedded.lane import Lane, Lanes
from proxy.embedded.request import Request

# About a kilobyte each, so as many as a table of ten thousand routes has. Where every path has an id of its own,
# remembering costs little and gains nothing.
MAX_WAYS = 16_384
# A longer path is remembered by nobody: most likely it is made up.
MAX_PATH = 512


_UNKNOWN: Any = object()  # where None says that there is no way


class Way:
    """``start`` is how the request line begins: method and target, without a query; ``framing`` how the head ends.

    ``quick``: the heads of quiet requests can be written by ``write_head``.
    """

    __slots__ = ("forward", "framing", "lane", "quick", "start", "streams")

    def __init__(self, forward: Forward, lane: Lane) -> None:
        self.forward = forward
        self.lane = lane
        self.start = f"{forward.method} {forward.target}".encode("ascii")
        self.framing = quiet_framing(forward)
        self.streams = forward.body == "stream"
        self.quick = lane.request_edits is None

    def forward_for(self, request: Request) -> Forward:
        """What ``decide`` would have said of ``request``."""
        forward = self.forward
        return forward if request.query is None else replace(forward, target=f"{forward.target}?{request.query}")

    def write_head(self, request: Request, authority: bytes, request_id: bytes) -> bytes:
        """As ``forwarding.write_request_head`` for a quiet request."""
        fields = request.fields
        return b"%b%b HTTP/1.1\r\nHost: %b%b\r\nX-Request-Id: %b%b\r\n\r\n" % (
            self.start,
            b"" if request.query is None else b"?" + request.query.encode("ascii"),
            choose_host(request, self.lane, authority),
            fields.onward if request.plain and fields.onward is not None else onward(request),
            request_id,
            self.framing,
        )


class Crossing:
    """Several ways, among which chance chooses."""

    __slots__ = ("_spread", "_ways", "streams")

    def __init__(self, ways: tuple[Way, ...], spread: Spread) -> None:
        self._ways = ways
        self._spread = spread
        self.streams = all(way.streams for way in ways)

    def choose(self, draw: Draw) -> Way:
        return self._ways[self._spread(draw)]


class Ways:
    """The ways of one snapshot."""

    __slots__ = ("_lanes", "_table", "known")

    def __init__(self, table: RouteTable, lanes: Lanes) -> None:
        self._table = table
        self._lanes = lanes
        self.known: OrderedDict[tuple[str, str, str], Way | Crossing | None] = OrderedDict()

    def find(self, request: Request, draw: Draw) -> Way | None:
        """The way of ``request``; None: decide."""
        key = request.host, request.method, request.path
        way = self.known.get(key, _UNKNOWN)
        if way is _UNKNOWN:
            way = self._learn(key, request)
        if way is None or (request.fields.has_body and not way.streams):
            return None
        return way.choose(draw) if isinstance(way, Crossing) else way

    def _learn(self, key: tuple[str, str, str], request: Request) -> Way | Crossing | None:
        way = self._work_out(request)
        if len(request.path) <= MAX_PATH:
            if len(self.known) >= MAX_WAYS:
                self.known.popitem(last=False)
            self.known[key] = way
        return way

    def _work_out(self, request: Request) -> Way | Crossing | None:
        standing = find_standing(self._table, request)
        if standing is None:
            return None
        forwards, find = standing.forwards, self._lanes.find
        if len(forwards) == 1:
            return Way(forwards[0], find(forwards[0]))
        return Crossing(tuple(Way(forward, find(forward)) for forward in forwards), standing.spread)
