"""Reading a request head: ``parse_request`` gives a Request, or the Reply that refuses it.

Rule 1: ambiguous means refused (RFC 9112 sections 3.2, 5.1, 6.1, 6.3, 11.2).
Rule 2: what is matched is what is sent: the path is normalised once, here.
This file performs no I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from coalmine.errors import CODES
from coalmine.routing.decision import Reply, RequestHead
from coalmine.routing.path import normalize_path
from proxy.embedded import grammar
from proxy.embedded.body import BodyReader, ChunkedReader, LengthReader
from proxy.embedded.headers import READ_FROM_REQUESTS, compile_scan, remove_listed
from proxy.embedded.options import MAX_FIELDS, MAX_TARGET_BYTES

# Protocols whose tunnels are carried. h2c is not among them: it would smuggle requests past the routes.
TUNNELLED = frozenset({b"websocket"})

_SCAN = compile_scan(READ_FROM_REQUESTS)


class Request(RequestHead):
    """A request head as it came in.

    One is made per request, so what is rare stands as a class attribute until a request has it.
    ``fields`` is the block of fields without those in READ_FROM_REQUESTS.
    """

    block = b""  # all fields, as they came
    fields = b""
    verb = b""  # the method's bytes
    minor = 1
    authority: bytes = b""  # Host, or the authority of an absolute-form target
    length: int | None = None  # Content-Length
    chunked = False
    close = False
    keep_alive = False
    upgrade: bytes = b""  # a protocol of TUNNELLED
    expects_continue = False
    listed: tuple[bytes, ...] = ()  # field names that Connection lists
    forwarded_for = b""
    request_id = b""
    via = b""
    max_forwards: int | None = None
    _pairs: Sequence[tuple[bytes, bytes]] | None = None

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
        self.method = method
        self.path = path
        self.query = query
        self.host = host
        self.source = source
        self.scheme = scheme
        if headers is not None:
            self._pairs = headers

    @property
    def headers(self) -> Sequence[tuple[bytes, bytes]]:  # type: ignore[override]
        """Made on demand: most routes look at no header."""
        if self._pairs is None:
            self._pairs = grammar.list_pairs(self.block)
        return self._pairs

    @property
    def has_body(self) -> bool:
        return self.chunked or bool(self.length)

    @property
    def persistent(self) -> bool:
        """Whether the client wants to keep the connection (RFC 9112 section 9.3)."""
        return not self.close and (self.minor > 0 or self.keep_alive)

    def body_reader(self) -> BodyReader | None:
        if self.chunked:
            return ChunkedReader()
        return LengthReader(self.length) if self.length else None


def refuse(code: str, detail: str) -> Reply:
    return Reply(CODES[code].status, code, detail)


def _bad(detail: str) -> Reply:
    return refuse("bad_request", detail)


def parse_request(raw: bytes, source: str, scheme: str = "http") -> Request | Reply:
    """``raw`` is one head, its empty line included."""
    match = grammar.REQUEST_HEAD.fullmatch(raw)
    if match is None:
        return _explain(raw)
    verb, target, minor, block = match.groups()
    request = Request(verb.decode("ascii"), source=source, scheme=scheme)
    request.verb = verb
    if minor == b"0":
        request.minor = 0
    request.block = block
    for name, value in _SCAN.findall(block):
        fault = _READERS[name.lower()](request, value)
        if fault is not None:
            return _bad(fault)
    request.fields = remove_listed(_SCAN.sub(b"", block), request.listed)
    return _check_framing(request) or _read_target(request, target) or request


def _explain(raw: bytes) -> Reply:
    """Why a head does not match the grammar."""
    version = grammar.OTHER_VERSION.match(raw)
    if version is not None and version[1] != b"1":
        return refuse("version_not_supported", "this gateway speaks HTTP/1.1 and HTTP/1.0")
    if grammar.REQUEST_LINE.match(raw) is None:
        return _bad("the request line is not METHOD SP TARGET SP HTTP/1.1")
    return _bad("a header line is not a name, a colon and a value without control characters")


def refuse_early(head: bytes | bytearray) -> Reply | None:
    """What is already wrong with a head that is not complete; None: wait for the rest."""
    if grammar.BARE_LINE_END.search(head):
        return _bad("lines end with CR LF, and nothing else is a line end")
    if b"\r\n" in head and grammar.REQUEST_LINE.match(head) is None:
        return _explain(bytes(head))
    return None


def refuse_large(head: bytes | bytearray) -> Reply:
    """A head beyond the limit: blame the part that is too long."""
    if b"\r\n" not in head:
        return refuse("uri_too_long", f"a request target has at most {MAX_TARGET_BYTES} bytes")
    return refuse("headers_too_large", "the header section is larger than this gateway accepts")


def _check_framing(request: Request) -> Reply | None:
    if request.chunked and request.length is not None:
        return _bad("Transfer-Encoding and Content-Length stand together")  # RFC 9112 section 6.1
    if request.chunked and request.minor == 0:
        return _bad("HTTP/1.0 has no Transfer-Encoding")
    if not request.authority and request.minor > 0:
        return _bad("the Host header is missing")  # RFC 9112 section 3.2
    if request.block.count(b"\r\n") > MAX_FIELDS:
        return refuse("headers_too_large", f"a request has at most {MAX_FIELDS} header fields")
    if request.via.count(b"coalmine") >= MAX_VISITS:
        return refuse("loop_detected", "the request has come through this gateway before")
    if request.upgrade and (request.minor == 0 or request.has_body):
        request.upgrade = b""  # RFC 9110 section 7.8: ignored in HTTP/1.0; a body and a tunnel do not mix
    return None


# One gateway in front of another is legitimate; the third visit is a loop.
MAX_VISITS = 2


def _read_target(request: Request, target: bytes) -> Reply | None:
    if len(target) > MAX_TARGET_BYTES:
        return refuse("uri_too_long", f"a request target has at most {MAX_TARGET_BYTES} bytes")
    if target[:1] != b"/":
        target_or_reply = _read_other_form(request, target)
        if isinstance(target_or_reply, Reply):
            return target_or_reply
        target = target_or_reply
    request.host = grammar.parse_authority(request.authority) or ""
    text = target.decode("ascii")
    if "#" in text:
        return _bad("a request target has no fragment")
    path, question, query = text.partition("?")
    request.query = query if question else None
    try:
        request.path = normalize_path(path)
    except ValueError as error:
        return _bad(f"the path is not valid: {error}")
    return None


def _read_other_form(request: Request, target: bytes) -> bytes | Reply:
    """absolute-form (RFC 9112 section 3.2.2): the authority of the target counts, Host does not."""
    if request.verb == b"CONNECT":
        return refuse("method_not_implemented", "this gateway opens no tunnels")
    if target == b"*":
        return Reply(200) if request.verb == b"OPTIONS" else _bad("only OPTIONS has the target *")
    scheme, separator, rest = target.partition(b"://")
    if not separator or scheme.lower() not in (b"http", b"https"):
        return _bad("a request target is a path, or an http:// URL")
    end = min((at for at in (rest.find(b"/"), rest.find(b"?")) if at >= 0), default=len(rest))
    if grammar.parse_authority(rest[:end]) is None:
        return _bad("the authority of the request target is not valid")
    request.authority = rest[:end]
    return rest[end:] if rest[end : end + 1] == b"/" else b"/" + rest[end:]


# One reader per field of READ_FROM_REQUESTS; each answers what is wrong, or None.


def _read_host(request: Request, value: bytes) -> str | None:
    if request.authority:
        return "Host stands twice"
    value = value.rstrip(b" \t")
    if grammar.parse_authority(value) is None:
        return "the Host header is not a host name"
    request.authority = value
    return None


def _read_length(request: Request, value: bytes) -> str | None:
    if request.length is not None:
        return "Content-Length stands twice"  # RFC 9112 section 6.3 lets equal ones pass; nobody needs them
    if not grammar.LENGTH.fullmatch(value.rstrip(b" \t")):
        return "Content-Length is not a number of bytes"
    request.length = int(value)
    return None


def _read_transfer_encoding(request: Request, value: bytes) -> str | None:
    if request.chunked or value.rstrip(b" \t").lower() != b"chunked":
        return "the only Transfer-Encoding understood is a single chunked"  # RFC 9112 section 6.1
    request.chunked = True
    return None


def split_list(value: bytes) -> list[bytes]:
    """The members of a comma list, lower-case (RFC 9110 section 5.6.1)."""
    return [member for member in (part.strip(b" \t") for part in value.lower().split(b",")) if member]


def _read_connection(request: Request, value: bytes) -> str | None:
    for option in split_list(value):
        if option == b"close":
            request.close = True
        elif option == b"keep-alive":
            request.keep_alive = True
        else:
            request.listed += (option,)
    return None


def _read_upgrade(request: Request, value: bytes) -> str | None:
    protocol = value.strip(b" \t").lower()
    if protocol in TUNNELLED:
        request.upgrade = protocol
    return None


def _read_expect(request: Request, value: bytes) -> str | None:
    if value.strip(b" \t").lower() == b"100-continue" and request.minor > 0:
        request.expects_continue = True
    return None


def _read_forwarded_for(request: Request, value: bytes) -> str | None:
    request.forwarded_for = request.forwarded_for + b", " + value if request.forwarded_for else value
    return None


def _read_request_id(request: Request, value: bytes) -> str | None:
    value = value.rstrip(b" \t")
    if grammar.REQUEST_ID.fullmatch(value):
        request.request_id = value
    return None


def _read_via(request: Request, value: bytes) -> str | None:
    request.via = request.via + b", " + value if request.via else value
    return None


def _read_max_forwards(request: Request, value: bytes) -> str | None:
    value = value.rstrip(b" \t")
    if not grammar.LENGTH.fullmatch(value):
        return "Max-Forwards is not a number"
    request.max_forwards = int(value)
    return None


def _ignore(request: Request, value: bytes) -> str | None:
    return None


_READERS: dict[bytes, Callable[[Request, bytes], str | None]] = {
    **dict.fromkeys(READ_FROM_REQUESTS, _ignore),
    b"host": _read_host,
    b"content-length": _read_length,
    b"transfer-encoding": _read_transfer_encoding,
    b"connection": _read_connection,
    b"upgrade": _read_upgrade,
    b"expect": _read_expect,
    b"x-forwarded-for": _read_forwarded_for,
    b"x-request-id": _read_request_id,
    b"via": _read_via,
    b"max-forwards": _read_max_forwards,
}
