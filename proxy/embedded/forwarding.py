"""The heads the engine writes: requests towards upstreams, responses towards clients. This file performs no I/O."""

from __future__ import annotations

from coalmine.routing.decision import Forward
from proxy.embedded.body import Encode, encode_chunked, encode_nothing, encode_plain
from proxy.embedded.headers import OF_CONTENT, add_own, edit_fields, remove_fields, set_fields
from proxy.embedded.lane import Lane
from proxy.embedded.replies import connection, framing
from proxy.embedded.request import Request
from proxy.embedded.response import Response
from proxy.embedded.trace_context import format_trace

# Methods whose requests usually have content, so that its absence is said (RFC 9110 section 8.6).
_EXPECT_CONTENT = frozenset({"POST", "PUT", "PATCH"})
# RFC 9110 section 7.6.2: the only methods that count their forwards.
_COUNTED_FORWARDS = frozenset({b"OPTIONS", b"TRACE"})


def write_request_head(forward: Forward, request: Request, lane: Lane, authority: bytes, request_id: bytes) -> bytes:
    """``authority`` is that of the endpoint."""
    block = b"%b\r\nX-Request-Id: %b" % (onward(request), request_id)
    if forward.body == "none" and request.has_body:
        block = remove_fields(block, OF_CONTENT)
    if forward.set_headers:
        block = set_fields(block, forward.set_headers)
    if lane.request_edits is not None:
        block = edit_fields(block, lane.request_edits)
    return b"%b %b HTTP/1.1\r\nHost: %b%b%b\r\n\r\n" % (
        forward.method.encode("ascii"),
        forward.target.encode("ascii"),
        lane.choose_host(request.authority, authority),
        block,
        _request_framing(forward, request),
    )


def quiet_framing(method: str, body: str | bytes) -> bytes:
    """The fields about content where the client's request has none; ``body`` as in ``Forward``."""
    return b"\r\nContent-Length: 0" if method in _EXPECT_CONTENT and body == "none" else b""


def onward(request: Request) -> bytes:
    """The client's fields and those about the client; kept with the fields, which the client may send again."""
    fields = request.fields
    if request.authority is not fields.authority or request.minor == 0:
        return fields.rest + _forwarded(request)
    if fields.onward is None:
        fields.onward = fields.rest + _forwarded(request)
    return fields.onward


def _forwarded(request: Request) -> bytes:
    """Who asked, how, and through whom; what a client claims about itself is appended to or replaced.

    What a trusted proxy in front says about the client's scheme and host stands.
    """
    fields = request.fields
    source = (request.peer or request.source).encode("ascii")
    scheme = request.scheme.encode("ascii")
    host = fields.forwarded_host if request.peer and fields.forwarded_host else request.authority
    return b"\r\nX-Forwarded-For: %b\r\nX-Forwarded-Proto: %b%b\r\nForwarded: %b\r\nVia: %b%b" % (
        fields.forwarded_for + b", " + source if fields.forwarded_for else source,
        scheme,
        b"\r\nX-Forwarded-Host: " + host if host else b"",  # an HTTP/1.0 request may have none
        (fields.forwarded + b", " if fields.forwarded else b"") + _element(source, request.authority, scheme),
        (fields.via + b", " if fields.via else b"") + b"1.%d coalmine" % request.minor,
        fields.forwarded_more if request.peer else b"",
    ) + (b"" if request.traced else format_trace(fields.traceparent, fields.tracestate))


def _element(source: bytes, authority: bytes, scheme: bytes) -> bytes:
    """Our hop, as RFC 7239 writes it: colons and brackets are quoted."""
    node = b'"[%b]"' % source if b":" in source else source or b"unknown"
    host = b'host="%b";' % authority if authority else b""
    return b"for=%b;%bproto=%b" % (node, host, scheme)


def _request_framing(forward: Forward, request: Request) -> bytes:
    body, fields = forward.body, request.fields
    if fields.quiet:
        return quiet_framing(forward.method, body)
    if body == "stream":
        extra = _stream_framing(request)
    elif isinstance(body, bytes):
        extra = b"\r\nContent-Length: %d" % len(body) if body or request.has_body else b""
    else:
        extra = b"\r\nContent-Length: 0" if forward.method in _EXPECT_CONTENT else b""
    if fields.max_forwards is not None:
        extra += b"\r\nMax-Forwards: %d" % (fields.max_forwards - (request.verb in _COUNTED_FORWARDS))
    if fields.upgrade and request.upgrade:
        extra += b"\r\nConnection: Upgrade\r\nUpgrade: " + fields.upgrade
    elif fields.takes_trailers and request.minor:
        extra += b"\r\nConnection: TE\r\nTE: trailers"  # RFC 9110 section 10.1.4: ours, because trailers are passed on
    return extra


def _stream_framing(request: Request) -> bytes:
    fields = request.fields
    if fields.chunked:
        framed = b"\r\nTransfer-Encoding: chunked"
    elif fields.length is not None:
        framed = b"\r\nContent-Length: %d" % fields.length
    else:
        return b""
    return framed + b"\r\nExpect: 100-continue" if request.expects_continue else framed


def choose_encoding(response: Response, request: Request) -> tuple[Encode, bool]:
    """How the client is told where the answer ends, and whether its connection has to end with it."""
    close = not request.persistent
    if response.length is not None:
        return encode_nothing if request.method == "HEAD" else encode_plain, close
    if not response.has_body(request.method):
        return encode_nothing, close
    return (encode_chunked, close) if request.minor else (encode_plain, True)


def write_response_head(
    response: Response, forward: Forward, lane: Lane, request: Request, *, chunk: bool, close: bool, date: bytes
) -> bytes:
    """``chunk``: the body goes out chunked; ``close``: the connection ends after it; ``date``: now, if it has none."""
    return b"HTTP/1.1 %d %b%b%b%b%b\r\n\r\n" % (
        response.status,
        response.reason,
        _response_fields(response, forward, lane),
        b"" if response.dated else b"\r\nDate: " + date,  # RFC 9110 section 6.6.1
        b"\r\nTransfer-Encoding: chunked" if chunk else _response_length(response, forward, request),
        connection(close, request.minor == 0 and not close),
    )


def repeat_response_head(response: Response, forward: Forward, lane: Lane, request: Request, *, close: bool) -> bytes:
    """As ``write_response_head``, kept: the same response has the same head on all lanes that edit nothing.

    For responses with a date to plain requests, where ``forward`` adds nothing of its own.
    """
    editor = None if lane.edits_nothing else lane
    written = response.written
    if written is None or written[0] is not editor or written[1] is not close:
        head = write_response_head(response, forward, lane, request, chunk=False, close=close, date=b"")
        written = response.written = editor, close, head
    return written[2]


def _response_fields(response: Response, forward: Forward, lane: Lane) -> bytes:
    """The upstream's fields as the route edits them, then the gateway's own."""
    block = response.fields if lane.response_edits is None else edit_fields(response.fields, lane.response_edits)
    if forward.response_headers or lane.cors:
        block = add_own(block, forward.response_headers, cors=lane.cors)
    return block


def _response_length(response: Response, forward: Forward, request: Request) -> bytes:
    if response.length is None:
        return b""
    if forward.method == "HEAD" and request.method != "HEAD":
        return b"\r\nContent-Length: 0"  # the plan asks with HEAD for somebody who did not: no content will come
    # In an answer to HEAD and in 304 this is the length that the content would have had (RFC 9110 section 8.6).
    if response.status == 304:
        return b"\r\nContent-Length: %d" % response.length
    return framing(response.status, response.length)


def write_interim_head(response: Response) -> bytes:
    return b"HTTP/1.1 %d %b%b\r\n\r\n" % (response.status, response.reason, response.fields)


def write_tunnel_head(response: Response, forward: Forward, lane: Lane, protocol: bytes) -> bytes:
    return b"HTTP/1.1 101 %b%b\r\nConnection: Upgrade\r\nUpgrade: %b\r\n\r\n" % (
        response.reason,
        _response_fields(response, forward, lane),
        protocol,
    )
