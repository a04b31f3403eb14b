"""The heads the engine writes: requests towards upstreams, responses towards clients. This file performs no I/O."""

from __future__ import annotations

from coalmine.model import HeaderEdits
from coalmine.routing.decision import Forward
from proxy.embedded.headers import edit_fields, format_field, set_fields
from proxy.embedded.replies import connection, framing
from proxy.embedded.request import Request
from proxy.embedded.response import Response

# Methods whose requests usually have content, so that its absence is said (RFC 9110 section 8.6).
_EXPECT_CONTENT = frozenset({"POST", "PUT", "PATCH"})
# RFC 9110 section 7.6.2: the only methods that count their forwards.
_COUNTED_FORWARDS = frozenset({b"OPTIONS", b"TRACE"})

_FORWARDED = b"\r\nX-Forwarded-For: %b\r\nX-Forwarded-Proto: %b\r\nX-Forwarded-Host: %b\r\nVia: %b\r\nX-Request-Id: %b"


def write_request_head(forward: Forward, request: Request, authority: bytes, request_id: bytes) -> bytes:
    """``authority`` is that of the endpoint."""
    definition = forward.route.definition
    fields = request.fields + _forwarded_fields(request, request_id)
    edits = definition.request_headers
    if _edits_something(edits):
        fields = edit_fields(fields, edits)
    if forward.set_headers:
        fields = set_fields(fields, forward.set_headers)
    return b"%b %b HTTP/1.1\r\nHost: %b%b%b\r\n\r\n" % (
        forward.method.encode("ascii"),
        forward.target.encode("ascii"),
        _choose_host(forward, request, definition.host, authority),
        fields,
        _request_framing(forward, request),
    )


def _choose_host(forward: Forward, request: Request, host: str, authority: bytes) -> bytes:
    if forward.host is not None:
        return forward.host.encode("ascii")
    if host == "preserve":
        return request.authority or authority  # an HTTP/1.0 request may have none
    return authority if host == "upstream" else host.encode("ascii")


def _forwarded_fields(request: Request, request_id: bytes) -> bytes:
    """Who asked, how, and through whom; what a client claims about itself is appended to or replaced."""
    source = request.source.encode("ascii")
    return (
        b"\r\nX-Forwarded-For: %b\r\nX-Forwarded-Proto: %b\r\nX-Forwarded-Host: %b\r\nVia: %b\r\nX-Request-Id: %b"
        % (
            request.forwarded_for + b", " + source if request.forwarded_for else source,
            request.scheme.encode("ascii"),
            request.authority,
            (request.via + b", " if request.via else b"") + (b"1.1 coalmine" if request.minor else b"1.0 coalmine"),
            request_id,
        )
    )


def _request_framing(forward: Forward, request: Request) -> bytes:
    body = forward.body
    if body == "stream":
        if request.chunked:
            extra = b"\r\nTransfer-Encoding: chunked"
        elif request.length is not None:
            extra = b"\r\nContent-Length: %d" % request.length
        else:
            extra = b""
        if request.expects_continue and request.has_body:
            extra += b"\r\nExpect: 100-continue"
    elif isinstance(body, bytes):
        extra = b"\r\nContent-Length: %d" % len(body) if body or request.has_body else b""
    else:
        extra = b"\r\nContent-Length: 0" if forward.method in _EXPECT_CONTENT else b""
    if request.max_forwards is not None:
        counted = request.verb in _COUNTED_FORWARDS
        extra += b"\r\nMax-Forwards: %d" % (request.max_forwards - counted)
    if request.upgrade and b"upgrade" in request.listed:
        extra += b"\r\nConnection: Upgrade\r\nUpgrade: " + request.upgrade
    return extra


def write_response_head(response: Response, forward: Forward, request: Request, *, chunk: bool, close: bool) -> bytes:
    """``chunk``: the body goes out chunked; ``close``: the connection ends after it."""
    fields = response.fields
    edits = forward.route.definition.response_headers
    if _edits_something(edits):
        fields = edit_fields(fields, edits)
    for name, value in forward.response_headers:
        fields += format_field(name, value)
    return b"HTTP/1.1 %d %b%b%b%b\r\n\r\n" % (
        response.status,
        response.reason,
        fields,
        b"\r\nTransfer-Encoding: chunked" if chunk else _response_length(response),
        connection(close, request.minor == 0 and not close),
    )


def _response_length(response: Response) -> bytes:
    if response.length is None:
        return b""
    # In an answer to HEAD and in 304 this is the length that the content would have had (RFC 9110 section 8.6).
    return (
        b"\r\nContent-Length: %d" % response.length
        if response.status == 304
        else framing(response.status, response.length)
    )


def write_interim_head(response: Response) -> bytes:
    return b"HTTP/1.1 %d %b%b\r\n\r\n" % (response.status, response.reason, response.fields)


def write_tunnel_head(response: Response, forward: Forward, protocol: bytes) -> bytes:
    fields = edit_fields(response.fields, forward.route.definition.response_headers)
    return b"HTTP/1.1 101 %b%b\r\nConnection: Upgrade\r\nUpgrade: %b\r\n\r\n" % (response.reason, fields, protocol)


def _edits_something(edits: HeaderEdits) -> bool:
    return bool(edits.set or edits.add or edits.remove)
