"""Reading a request head: ``parse_request`` gives a Request, or the Reply that refuses it.

Rule 1: what is matched is what is sent: the path is normalised once, here.
Rule 2: HTTP/1.0 is understood as RFC 9112 says: no chunks, no interim responses, no tunnels, closed unless asked.
This file performs no I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from coalmine.routing.decision import Reply, RequestHead
from coalmine.routing.path import normalize_path
from proxy.embedded import grammar
from proxy.embedded.body import BodyReader, ChunkedReader, LengthReader
from proxy.embedded.fields import NO_FIELDS, RequestFields, bad_request, parse_fields, refuse
from proxy.embedded.options import MAX_TARGET_BYTES


class Request(RequestHead):
    """A request head as it came in."""

    __slots__ = (
        "_pairs",
        "authority",
        "fields",
        "minor",
        "peer",
        "plain",
        "received_path",
        "request_id",
        "trace_block",
        "traced",
        "verb",
    )

    def __init__(
        self,
        method: str,
        path: str = "",
        query: str | None = None,
        host: str = "",
        headers: Sequence[tuple[bytes, bytes]] | None = None,
        source: str = "",
        scheme: str = "http",
    ) -> None:
        """Takes what RequestHead takes, so that ``dataclasses.replace`` works."""
        self.method = method
        self.path = path
        self.query = query
        self.host = host
        self.source = source
        self.scheme = scheme
        self._pairs = headers
        self.verb = b""  # the method's bytes
        self.minor = 1
        self.plain = False  # its line is
        self.fields = NO_FIELDS
        self.authority = b""  # of Host, or of an absolute-form target
        self.request_id = b""
        self.traced = False  # the trace goes on with a span of the gateway's own,
        self.trace_block = b""  # which these fields tell
        self.received_path = ""  # where it is not the normalised one
        self.peer = ""  # the connection's address, where it is that of a trusted proxy and so not the source

    @property
    def headers(self) -> Sequence[tuple[bytes, bytes]]:  # type: ignore[override]
        return self.fields.pairs if self._pairs is None else self._pairs

    @property
    def has_body(self) -> bool:
        return self.fields.has_body

    @property
    def persistent(self) -> bool:
        """Whether the client wants to keep the connection (RFC 9112 section 9.3)."""
        fields = self.fields
        return not fields.close and (self.minor > 0 or fields.keep_alive)

    @property
    def expects_continue(self) -> bool:
        """RFC 9110 section 10.1.1: ignored in HTTP/1.0, and meaningless without content."""
        return self.fields.expects_continue and self.minor > 0 and self.has_body

    @property
    def upgrade(self) -> bytes:
        """The protocol to switch to (RFC 9110 section 7.8): listed in Connection, not in HTTP/1.0, without a body."""
        fields = self.fields
        asked = fields.upgrade and b"upgrade" in fields.listed and self.minor > 0
        # RFC 6455 section 4.1: by GET
        return fields.upgrade if asked and self.verb == b"GET" and not self.has_body else b""

    def body_reader(self) -> BodyReader | None:
        fields = self.fields
        if not fields.has_body:
            return None
        if fields.chunked:
            return ChunkedReader()
        return LengthReader(fields.length or 0)


def parse_request(raw: bytes, source: str, scheme: str = "http", last: RequestFields | None = None) -> Request | Reply:
    """``raw`` is one head, its empty line included; ``last`` the fields of the client's request before."""
    end = raw.find(b"\r\n")
    return parse_line(raw, end, read_fields(raw, end, last), source, scheme)


def read_fields(raw: bytes, end: int, last: RequestFields | None) -> RequestFields | Reply:
    """The fields of the head ``raw``, which begin at ``end``; ``last`` those of the client's request before."""
    block = raw[end:-4]
    return last if last is not None and last.block == block else parse_fields(block)


def parse_line(raw: bytes, end: int, fields: RequestFields | Reply, source: str, scheme: str) -> Request | Reply:
    """The request in ``raw``, whose ``fields`` begin at ``end``."""
    request = None if isinstance(fields, Reply) else read_plain_line(raw, end, fields, source, scheme)
    return _parse_unusual(raw[:end], fields, source, scheme) if request is None else request


def read_plain_line(raw: bytes, end: int, fields: RequestFields, source: str, scheme: str) -> Request | None:
    """The request in ``raw``, whose ``fields`` begin at ``end``; None where its line is not plain, as most are."""
    if end > MAX_TARGET_BYTES or not fields.usual:
        return None
    line = raw[:end]
    plain = _split_plain(line) if b"?" in line or end > LONGEST_KNOWN else _split_known(line)
    if plain is None:
        return None
    verb, method, path, query = plain
    request = Request(method, path, query, fields.host, None, source, scheme)
    request.verb = verb
    request.fields = fields
    request.authority = fields.authority
    request.plain = True
    return request


def _split_plain(line: bytes) -> tuple[bytes, str, str, str | None] | None:
    """Method (twice), path and query of a plain line."""
    plain = grammar.PLAIN_LINE.fullmatch(line)
    if plain is None or b"/." in plain[2]:
        return None
    verb, path, query = plain.groups()
    return verb, verb.decode("ascii"), path.decode("ascii"), None if query is None else query.decode("ascii")


# Without a query lines are often the same. As many are known as a gateway has busy paths.
LONGEST_KNOWN = 512
_split_known = lru_cache(maxsize=4_096)(_split_plain)


def _parse_unusual(raw: bytes, fields: RequestFields | Reply, source: str, scheme: str) -> Request | Reply:
    """``raw`` is a request line of any form."""
    line = grammar.REQUEST_LINE.fullmatch(raw)
    if line is None:
        return _explain_line(raw)
    if isinstance(fields, Reply):
        return fields
    verb, target, minor = line.groups()
    request = Request(verb.decode("ascii"), "", None, fields.host, None, source, scheme)
    request.verb = verb
    request.fields = fields
    request.authority = fields.authority
    if minor == b"0":
        request.minor = 0
    return _refuse_version(request) or _read_target(request, target) or request


def _explain_line(line: bytes) -> Reply:
    version = grammar.OTHER_VERSION.fullmatch(line)
    if version is not None and version[1] != b"1":
        return refuse("version_not_supported", "this gateway speaks HTTP/1.1 and HTTP/1.0")
    return bad_request("the request line is not METHOD SP TARGET SP HTTP/1.1")


def _refuse_version(request: Request) -> Reply | None:
    if request.minor:
        if request.fields.expectation:
            return refuse("expectation_failed", "100-continue is the only expectation that can be met")
        # RFC 9112 section 3.2
        return None if request.authority else bad_request("the Host header is missing")
    return bad_request("HTTP/1.0 has no Transfer-Encoding") if request.fields.chunked else None


def _read_target(request: Request, target: bytes) -> Reply | None:
    if len(target) > MAX_TARGET_BYTES:
        return refuse("uri_too_long", f"a request target has at most {MAX_TARGET_BYTES} bytes")
    if request.verb == b"CONNECT":  # whatever its target looks like: a service that answered 200 would open a tunnel
        return refuse("method_not_implemented", "this gateway opens no tunnels")
    if request.verb == b"TRACE" and request.has_body:
        return bad_request("TRACE has no content")  # RFC 9110 section 9.3.8
    if target[:1] != b"/":
        target_or_reply = _read_other_form(request, target)
        if isinstance(target_or_reply, Reply):
            return target_or_reply
        target = target_or_reply
        if target == b"*":
            request.path = "*"
            return None
    path, question, query = target.decode("ascii").partition("?")
    if question:
        request.query = query
    try:
        request.path = normal = normalize_path(path)
        if normal is not path:
            request.received_path = path
    except ValueError as error:
        return bad_request(f"the path is not valid: {error}")
    return None


def _read_other_form(request: Request, target: bytes) -> bytes | Reply:
    """absolute-form (RFC 9112 section 3.2.2): the authority of the target counts, Host does not."""
    if target == b"*":
        return target if request.verb == b"OPTIONS" else bad_request("only OPTIONS has the target *")
    scheme, separator, rest = target.partition(b"://")
    if not separator or scheme.lower() != request.scheme.encode():  # RFC 9110 section 7.4
        return bad_request(f"a request target is a path, or a URL that begins with {request.scheme}://")
    end = min((at for at in (rest.find(b"/"), rest.find(b"?")) if at >= 0), default=len(rest))
    host = grammar.parse_authority(rest[:end])
    if host is None:
        return bad_request("the authority of the request target is not valid")
    request.authority, request.host = rest[:end], host
    if end == len(rest) and request.verb == b"OPTIONS":
        return b"*"  # RFC 9112 section 3.2.4: this is how a proxy is sent that target
    return rest[end:] if rest[end : end + 1] == b"/" else b"/" + rest[end:]


def refuse_early(head: bytes | bytearray, seen: int = 0) -> Reply | None:
    """What is already wrong with a head that is not complete; None: wait for the rest.

    ``seen`` bytes of it were found in order before: a head that comes byte by byte is not read again and again.
    """
    end = head.find(b"\r\n", 0, MAX_TARGET_BYTES + 512)
    if 0 <= end >= seen - 1 and grammar.REQUEST_LINE.fullmatch(head, 0, end) is None:
        return _explain_line(bytes(head[:end]))
    if grammar.BARE_LINE_END.search(head, max(0, seen - 1)):
        return bad_request("lines end with CR LF, and nothing else is a line end")
    return None


def refuse_large(head: bytes | bytearray) -> Reply:
    """A head beyond the limit: blame the part that is too long."""
    if b"\r\n" not in head:
        return refuse("uri_too_long", f"a request target has at most {MAX_TARGET_BYTES} bytes")
    return refuse("headers_too_large", "the header section is larger than this gateway accepts")
