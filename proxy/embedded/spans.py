"""What a trace has of one request: a span of the gateway, and one for each time an endpoint was asked.

Rule 1: here are only numbers and references; ``telemetry`` makes of them what a collector takes, in another thread.
Rule 2: where no traces are wanted none of this exists, and an exchange has ``trace`` None.
Rule 3: a request that is not sampled has a trace all the same, so that those behind us know that it is not.
This file performs no I/O.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from coalmine.routing.decision import Forward, Reply
from proxy.embedded.options import CLIENT_LEFT
from proxy.embedded.request import Request
from proxy.embedded.stats import Labels
from proxy.embedded.trace_context import TraceParent, format_parent, format_trace, parse_parent


class ServerSpan(NamedTuple):
    """The gateway's own; times are nanoseconds since the epoch."""

    trace_id: int
    span_id: int
    parent_id: int  # 0: the trace begins here
    begun: int
    ended: int
    request: Request
    forward: Forward | None
    reply: Reply | None
    labels: Labels
    received: int
    sent: int


class CallSpan(NamedTuple):
    """One time an endpoint was asked. ``status`` 0: it gave no answer, and ``failure`` says why."""

    trace_id: int
    span_id: int
    parent_id: int
    begun: int
    ended: int
    forward: Forward
    origin: str
    status: int
    failure: str
    tries: int


Span = ServerSpan | CallSpan


class Telemetry(Protocol):
    """Decides what is sampled, and takes what is over."""

    def samples(self, trace_id: int, parent: TraceParent | None) -> bool: ...
    def draw_id(self, bits: int) -> int: ...
    def add(self, span: Span) -> None: ...
    def close(self) -> None: ...


class Trace:
    """Of one request; ``now`` gives nanoseconds since the epoch."""

    __slots__ = ("_begun", "_call", "_now", "_parent_id", "_request", "_span_id", "_telemetry", "sampled", "trace_id")

    def __init__(self, telemetry: Telemetry, request: Request, now: Callable[[], int]) -> None:
        parent = parse_parent(request.fields.traceparent) if request.fields.traceparent else None
        self._telemetry = telemetry
        self._request = request
        self._now = now
        self._begun = now()
        self._parent_id = parent.span_id if parent else 0
        self.trace_id = parent.trace_id if parent else telemetry.draw_id(128)
        self._span_id = telemetry.draw_id(64)
        self.sampled = telemetry.samples(self.trace_id, parent)
        self._call: tuple[int, int, Forward, str, int] | None = None
        request.traced = True
        self._continue(self._span_id)

    def _continue(self, span_id: int) -> None:
        """What is sent on belongs to the span ``span_id``."""
        fields = self._request.fields
        parent = format_parent(self.trace_id, span_id, sampled=self.sampled)
        # A state belongs to the trace that it came with, and so not to one that begins here.
        self._request.trace_block = format_trace(parent, fields.tracestate if fields.traceparent else b"")

    def begin_call(self, forward: Forward, origin: str, tries: int) -> None:
        self.end_call(0, "")
        span_id = self._telemetry.draw_id(64)
        self._call = span_id, self._now(), forward, origin, tries
        self._continue(span_id)

    def end_call(self, status: int, failure: str) -> None:
        """The endpoint has answered, or failed to; where nobody is being asked, nothing."""
        call, self._call = self._call, None
        if call is None or not self.sampled:
            return
        span_id, begun, forward, origin, tries = call
        ids = self.trace_id, span_id, self._span_id
        self._telemetry.add(CallSpan(*ids, begun, self._now(), forward, origin, status, failure, tries))

    def end(self, forward: Forward | None, reply: Reply | None, labels: Labels, received: int, sent: int) -> None:
        """The request is over, with an answer of the upstream's or, as ``reply``, one of the gateway's."""
        answered = reply is None and labels[4] != CLIENT_LEFT
        self.end_call(labels[4] if answered else 0, "" if answered else "abandoned")
        if self.sampled:
            ids = self.trace_id, self._span_id, self._parent_id
            times = self._begun, self._now()
            self._telemetry.add(ServerSpan(*ids, *times, self._request, forward, reply, labels, received, sent))
