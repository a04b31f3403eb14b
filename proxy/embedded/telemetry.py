"""Spans on their way to a collector, by OpenTelemetry's SDK: the one module that knows it, imported where it is wanted.

Rule 1: the event loop appends to a queue and nothing more; spans are made, encoded and sent by a thread.
Rule 2: the queue is bounded. While the collector is down or slow, spans are dropped and counted, never requests.
Rule 3: where to send, how much to sample and who we are is said by OpenTelemetry's own variables (OTEL_...).
"""

from __future__ import annotations

import logging
import os
import random
import threading
from collections import deque
from collections.abc import Mapping
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags, set_span_in_context
from opentelemetry.trace.status import Status, StatusCode

from coalmine import __version__
from proxy.embedded.log_lines import redact
from proxy.embedded.spans import CallSpan, ServerSpan, Span
from proxy.embedded.stats import Counters
from proxy.embedded.trace_context import TraceParent

# The SDK's own defaults, for its own variables.
_QUEUE = ("OTEL_BSP_MAX_QUEUE_SIZE", 2048)
_BATCH = ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512)
_DELAY = ("OTEL_BSP_SCHEDULE_DELAY", 5000)  # milliseconds
# How long a worker that stops waits for what is still to be sent.
CLOSE_SECONDS = 1.0
_log = logging.getLogger(__name__)
# What the SDK says of each failure; once is enough, and said here.
logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_SCOPE = InstrumentationScope("coalmine", __version__)
# Semantic conventions: others are told as _OTHER, so that nobody makes up names of spans.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"})

Attributes = dict[str, str | int]


class OpenTelemetry:
    """A ``spans.Telemetry``."""

    def __init__(self, counters: Counters, environ: Mapping[str, str] = os.environ) -> None:
        self._counters = counters
        self._sampler = TracerProvider(shutdown_on_exit=False).sampler
        self._resource = find_resource()
        self._exporter: SpanExporter = OTLPSpanExporter()
        self._most = _number(environ, *_QUEUE)
        self._batch = min(_number(environ, *_BATCH), self._most)
        self._delay = _number(environ, *_DELAY) / 1000
        self._waiting: deque[Span] = deque()
        self._random = random.Random(os.urandom(16))  # noqa: S311  distinct, not secret
        self._wake = threading.Event()
        self._stopping = self._failing = False
        self._thread = threading.Thread(target=self._run, name="traces", daemon=True)
        self._thread.start()

    def samples(self, trace_id: int, parent: TraceParent | None) -> bool:
        context = None
        if parent is not None:
            flags = TraceFlags(parent.flags & TraceFlags.SAMPLED)
            remote = SpanContext(parent.trace_id, parent.span_id, is_remote=True, trace_flags=flags)
            context = set_span_in_context(NonRecordingSpan(remote))
        result = self._sampler.should_sample(context, trace_id, "request", SpanKind.SERVER)
        return result.decision is Decision.RECORD_AND_SAMPLE

    def draw_id(self, bits: int) -> int:
        return self._random.getrandbits(bits) or 1

    def add(self, span: Span) -> None:
        if len(self._waiting) >= self._most:
            self._counters.spans_dropped += 1
            return
        self._waiting.append(span)
        if len(self._waiting) >= self._batch:
            self._wake.set()

    def close(self) -> None:
        """Send what waits; a collector that does not answer is left after CLOSE_SECONDS."""
        self._stopping = True
        self._wake.set()
        self._thread.join(CLOSE_SECONDS)
        self._exporter.shutdown()

    def _run(self) -> None:
        while not self._stopping:
            self._wake.wait(self._delay)
            self._wake.clear()
            self._send_all()

    def _send_all(self) -> None:
        while self._waiting:
            count = min(len(self._waiting), self._batch)
            spans = [self._make_span(self._waiting.popleft()) for _ in range(count)]
            delivered = self._exporter.export(spans) is SpanExportResult.SUCCESS
            if delivered:
                self._counters.spans_exported += count
            else:
                self._counters.spans_undelivered += count
            self._tell(delivered)

    def _tell(self, delivered: bool) -> None:
        """Once when it begins, and once when it is over."""
        if delivered is self._failing:
            self._failing = not delivered
            _log.warning("traces are %s", "taken again" if delivered else "not taken by the collector, and dropped")

    def _make_span(self, span: Span) -> ReadableSpan:
        server = isinstance(span, ServerSpan)
        name, attributes, failed = describe_server(span) if isinstance(span, ServerSpan) else describe_call(span)
        parent = SpanContext(span.trace_id, span.parent_id, is_remote=server, trace_flags=_SAMPLED)
        return ReadableSpan(
            name,
            SpanContext(span.trace_id, span.span_id, is_remote=False, trace_flags=_SAMPLED),
            parent if span.parent_id else None,
            self._resource,
            attributes,
            kind=SpanKind.SERVER if server else SpanKind.CLIENT,
            status=Status(StatusCode.ERROR) if failed else Status(StatusCode.UNSET),
            start_time=span.begun,
            end_time=max(span.begun, span.ended),  # the calendar may have been set back
            instrumentation_scope=_SCOPE,
        )


def find_resource() -> Resource:
    """What the environment says about this service; its name is ``coalmine`` where it says none."""
    found = Resource.create({"service.version": __version__, "process.pid": os.getpid()})
    unnamed = str(found.attributes.get("service.name", "unknown_service")).startswith("unknown_service")
    return found.merge(Resource({"service.name": "coalmine"})) if unnamed else found


def describe_server(span: ServerSpan) -> tuple[str, Attributes, bool]:
    """Name, attributes by the semantic conventions for HTTP servers, and whether it failed."""
    request, (service, route, function, upstream, status) = span.request, span.labels
    method, attributes = _describe_method(request.method)
    attributes |= {
        "url.scheme": request.scheme,
        "url.path": request.received_path or request.path,
        "server.address": request.host,
        "client.address": request.source,
        "network.protocol.version": f"1.{request.minor}",
        "http.response.status_code": status,
        "http.request.body.size": span.received,
        "http.response.body.size": span.sent,
    }
    if request.query is not None:
        attributes["url.query"] = redact(request.query)
    agent = dict(request.fields.pairs).get(b"user-agent")
    if agent is not None:
        attributes["user_agent.original"] = agent[:256].decode("latin-1")
    names = {"virtual_service": service, "route": route, "function": function, "upstream": upstream}
    attributes |= {f"coalmine.{name}": value for name, value in names.items() if value}
    if span.reply is not None and span.reply.code is not None:
        attributes["coalmine.problem"] = span.reply.code
    failed = status >= 500
    if failed:
        attributes["error.type"] = str(status)
    template = find_template(span)
    if template is None:
        return method, attributes, failed
    return f"{method} {template}", {**attributes, "http.route": template}, failed


def find_template(span: ServerSpan) -> str | None:
    """The path that the route matches, as it was written; None: no route took the request."""
    chosen = span.forward.route if span.forward is not None else span.reply.route if span.reply is not None else None
    if chosen is None:
        return None
    path = chosen.definition.match.path
    return path.exact or path.template or path.prefix or path.regex or "/"


def describe_call(span: CallSpan) -> tuple[str, Attributes, bool]:
    """The same by the conventions for HTTP clients."""
    forward, parts = span.forward, urlsplit(span.origin)
    method, attributes = _describe_method(forward.method)
    path, question, query = forward.target.partition("?")
    attributes |= {
        "url.full": span.origin + path + (f"?{redact(query)}" if question else ""),
        "server.address": parts.hostname or "",
        "server.port": parts.port or (443 if parts.scheme == "https" else 80),
        "coalmine.upstream": forward.upstream,
    }
    if forward.function:
        attributes["coalmine.function"] = forward.function
    if span.status:
        attributes["http.response.status_code"] = span.status
    if span.tries > 1:
        attributes["http.request.resend_count"] = span.tries - 1
    failed = not 0 < span.status < 400
    if failed:
        attributes["error.type"] = str(span.status) if span.status else span.failure or "abandoned"
    return method, attributes, failed


def _describe_method(method: str) -> tuple[str, Attributes]:
    """How it stands in a name, and as attributes."""
    if method in _METHODS:
        return method, {"http.request.method": method}
    return "HTTP", {"http.request.method": "_OTHER", "http.request.method_original": method[:64]}


def _number(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name, "")
    return int(text) if text.isdigit() and int(text) > 0 else default
