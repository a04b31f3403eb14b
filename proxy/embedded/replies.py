"""The gateway's own answers, as bytes. This file performs no I/O; the date is handed in."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

from coalmine.errors import CODES
from coalmine.routing.decision import Reply
from coalmine.routing.problem import problem_body
from proxy.embedded.headers import UNTOUCHABLE, edit_fields, format_field
from proxy.embedded.request import Request

# Codes after which trying again makes sense, and when (RFC 9110 section 10.2.3, RFC 6585).
RETRY_AFTER_SECONDS = {"overloaded": 1, "draining": 1, "function_unknown": 5}
_CONTENT_TYPE = b"\r\nContent-Type: application/problem+json"
# Written once: whoever has too much to do says so often.
_OF_PROBLEM = {
    code: b"%b\r\nRetry-After: %d" % (_CONTENT_TYPE, seconds) for code, seconds in RETRY_AFTER_SECONDS.items()
}
REASONS = {status.value: status.phrase.encode() for status in HTTPStatus}
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def make_reply(code: str, detail: str = "") -> Reply:
    return Reply(CODES[code].status, code, detail or CODES[code].title)


def format_reply(
    reply: Reply, *, instance: str = "", verb: bytes = b"", close: bool = False, keep: bool = False, date: bytes = b""
) -> bytes:
    """``close`` says that the connection ends; ``keep`` tells an HTTP/1.0 client that it does not."""
    body = problem_body(reply, instance) if reply.code else reply.body
    fields = _format_headers(reply.headers) if reply.headers else b""
    if reply.code:
        fields += _OF_PROBLEM.get(reply.code, _CONTENT_TYPE)
    if reply.route is not None:
        edits = reply.route.definition.response_headers
        if edits.remove or edits.set or edits.add:
            fields = edit_fields(fields, edits)
    fields += b"\r\nDate: " + date + framing(reply.status, len(body)) + connection(close, keep)
    head = b"HTTP/1.1 %d %b%b\r\n\r\n" % (reply.status, REASONS.get(reply.status, b""), fields)
    return head if verb == b"HEAD" or reply.status in (204, 304) else head + body


def _format_headers(headers: Iterable[tuple[str, str]]) -> bytes:
    return b"".join(format_field(*pair) for pair in headers if pair[0].lower().encode() not in UNTOUCHABLE)


def answer_request(request: Request, reply: Reply, *, close: bool, date: bytes) -> bytes:
    keep = request.minor == 0 and not close
    return format_reply(reply, instance=request.path, verb=request.verb, close=close, keep=keep, date=date)


def framing(status: int, length: int) -> bytes:
    # RFC 9110 section 8.6: none in 204; in 304 it would have to be that of the 200.
    return b"" if status in (204, 304) else b"\r\nContent-Length: %d" % length


def connection(close: bool, keep: bool) -> bytes:
    if close:
        return b"\r\nConnection: close"
    return b"\r\nConnection: keep-alive" if keep else b""
