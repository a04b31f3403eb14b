"""The lines of the access log: one JSON object per request.

Rule 1: what a client sends is data. Strings are escaped down to ASCII, so that a line has no line end, no control
        character and no mark that a terminal obeys but its own end.
Rule 2: secrets stay out: no header but User-Agent and the address of Referer is written, and of a query the names alone
        unless settings say otherwise.
Rule 3: a line has at most MAX_LINE_BYTES, so that workers can write to one pipe without mixing their lines.
This file performs no I/O.
"""

from __future__ import annotations

import time
from json.encoder import encode_basestring_ascii as quote
from typing import NamedTuple

from proxy.embedded.options import Queries
from proxy.embedded.request import Request
from proxy.embedded.stats import Labels

# POSIX's PIPE_BUF on Linux: what is written at once up to here is never torn apart by another writer.
MAX_LINE_BYTES = 4096
# Characters of one value. Names of definitions and the rest of a line have room beside them, however they are escaped.
_LONGEST_PATH = 1024
_LONGEST_QUERY = 512
_LONGEST = 200
_SHORT = 40


class Entry(NamedTuple):
    """What is kept of a request until its line is written. ``at``: seconds since the epoch, when it was over."""

    at: float
    request: Request | None  # None: what came was no request
    source: str
    labels: Labels
    seconds: float
    upstream_seconds: float | None
    received: int
    sent: int
    tries: int
    endpoint: str | None
    code: str | None
    trace_id: str


class LineWriter:
    def __init__(self, queries: Queries = "names") -> None:
        self._queries = queries
        self._second = -1
        self._prefix = ""

    def write(self, entry: Entry) -> bytes:
        line = self._format(entry, _LONGEST_PATH, _LONGEST_QUERY, _LONGEST)
        if len(line) > MAX_LINE_BYTES:
            line = self._format(entry, _LONGEST, _SHORT, _SHORT)
        return line.encode("ascii")

    def tell_dropped(self, count: int, at: float) -> bytes:
        """That lines are missing before this one."""
        return f'{{"time":"{self._time(at)}","dropped":{count}}}\n'.encode("ascii")

    def _format(self, entry: Entry, path: int, query: int, other: int) -> str:
        virtual_service, route, function, upstream, status = entry.labels
        waited = entry.upstream_seconds
        return (
            f'{{"time":"{self._time(entry.at)}"{self._describe(entry.request, path, query, other)}'
            f',"client":{quote(entry.source)},"status":{status}'
            f',"code":{_or_null(entry.code)}'
            f',"seconds":{entry.seconds:.6f},"upstream_seconds":{"null" if waited is None else f"{waited:.6f}"}'
            f',"request_bytes":{entry.received},"response_bytes":{entry.sent}'
            f',"virtual_service":{quote(virtual_service)},"route":{quote(route)},"function":{quote(function)}'
            f',"upstream":{quote(upstream)},"endpoint":{_or_null(entry.endpoint)},"tries":{entry.tries}'
            f',"trace_id":{_or_null(entry.trace_id or _find_trace_id(entry.request))}}}\n'
        )

    def _describe(self, request: Request | None, path: int, query: int, other: int) -> str:
        if request is None:
            return ""
        headers = dict(request.fields.pairs)
        agent, referer = headers.get(b"user-agent"), headers.get(b"referer")
        return (
            f',"method":{quote(request.method[:_SHORT])},"scheme":"{request.scheme}"'
            f',"host":{quote(request.host[:_LONGEST])}'
            f',"path":{quote((request.received_path or request.path)[:path])}'
            f',"query":{_or_null(self._show_query(request.query, query))}'
            f',"protocol":"HTTP/1.{request.minor}"'
            f',"request_id":{_or_null((request.request_id or request.fields.request_id).decode("ascii") or None)}'
            f',"user_agent":{_or_null(_text(agent, other))}'
            f',"referer":{_or_null(_text(referer and referer.partition(b"?")[0].partition(b"#")[0], other))}'
        )

    def _show_query(self, query: str | None, longest: int) -> str | None:
        if query is None or self._queries == "none":
            return None
        return (query if self._queries == "full" else redact(query))[:longest]

    def _time(self, at: float) -> str:
        """RFC 3339, in UTC."""
        second = int(at)
        if second != self._second:
            self._second, self._prefix = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._prefix}.{int((at - second) * 1_000_000):06d}Z"


def redact(query: str) -> str:
    """A query without its values: the names of its parameters, and nothing of what has none."""
    return "&".join(f"{name}=*" if equals else "*" for name, equals, _ in (p.partition("=") for p in query.split("&")))


def _find_trace_id(request: Request | None) -> str | None:
    """That of the client's traceparent (W3C Trace Context section 3.2)."""
    parent = b"" if request is None else request.fields.traceparent
    return parent[3:35].decode("ascii") if parent else None


def _text(value: bytes | None, longest: int) -> str | None:
    return None if value is None else value[:longest].decode("latin-1")


def _or_null(text: str | None) -> str:
    return "null" if text is None else quote(text)
