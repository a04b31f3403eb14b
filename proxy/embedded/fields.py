"""The header fields of a request, read once: what they say about framing, the connection, and who asked.

Rule 1: ambiguous means refused (RFC 9112 sections 3.2, 5.1, 6.1, 6.3, 11.2): nothing is guessed, nothing repaired.
Rule 2: a block that was read is a value, good for every request that repeats it: clients mostly send the same fields
        again and again on one connection, so each connection keeps its last; and those that open a connection for each
        request begin it with the same fields (``FirstFields``).
This file performs no I/O.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

from coalmine.errors import CODES
from coalmine.routing.decision import Reply
from proxy.embedded import grammar
from proxy.embedded.headers import CLAIMS, READ_FROM_REQUESTS, compile_scan, remove_listed
from proxy.embedded.options import MAX_FIELDS
from proxy.embedded.trace_context import is_state, parse_parent

# Protocols whose tunnels are carried. h2c is not among them: it would smuggle requests past the routes.
TUNNELLED = frozenset({b"websocket"})
# One gateway in front of another is legitimate; the third visit is a loop.
MAX_VISITS = 2

# Blocks that connections began with lately. Programs that open a connection for each request send few different ones.
MAX_FIRST = 256
LONGEST_FIRST = 1_024  # bytes; with all that is kept with them these are a megabyte

_SCAN = compile_scan(READ_FROM_REQUESTS, underscores=True)


class RequestFields:
    """One block of fields.

    ``rest`` is the block without the fields of READ_FROM_REQUESTS and those that Connection lists; ``onward`` is kept
    by ``forwarding``. ``has_body``: content follows. ``quiet``: none does, and nothing else stands here that the next
    request needs put back. ``usual``: they ask nothing of the request line. ``fast``: and nothing of what comes then.
    ``framing`` is set where that is so but for a length: the field that tells it.
    """

    __slots__ = (
        "_pairs",
        "authority",
        "block",
        "chunked",
        "close",
        "expectation",
        "expects_continue",
        "fast",
        "forwarded",
        "forwarded_for",
        "forwarded_host",
        "forwarded_more",
        "forwarded_proto",
        "framing",
        "has_body",
        "host",
        "keep_alive",
        "length",
        "listed",
        "max_forwards",
        "onward",
        "parents",
        "quiet",
        "request_id",
        "rest",
        "tail",
        "tail_length",
        "takes_trailers",
        "traceparent",
        "tracestate",
        "upgrade",
        "usual",
        "via",
    )

    def __init__(self) -> None:
        self.block = b""
        self.tail = b"\r\n\r\n"  # the block and the empty line
        self.tail_length = 4
        self.rest = b""
        self.authority = b""  # of Host
        self.host = ""  # of Host: lower-case, without port
        self.length: int | None = None  # Content-Length
        self.chunked = False
        self.close = False
        self.keep_alive = False
        self.upgrade = b""  # a protocol of TUNNELLED
        self.expects_continue = False
        self.expectation = b""  # another one, which nobody here can meet
        self.takes_trailers = False
        self.listed: tuple[bytes, ...] = ()  # what else Connection lists
        self.forwarded_for = b""
        self.forwarded_proto = ""
        self.forwarded_host = b""
        self.forwarded_more = b""  # other claims about the client, as a block
        self.forwarded = b""
        self.request_id = b""
        self.via = b""
        self.max_forwards: int | None = None
        self.traceparent = b""  # where it is valid
        self.tracestate = b""
        self.parents = 0  # how many lines of traceparent there are
        self.onward: bytes | None = None
        self.has_body = False
        self.quiet = False
        self.usual = False
        self.fast = False
        self.framing = b""
        self._pairs: Sequence[tuple[bytes, bytes]] | None = None

    @property
    def pairs(self) -> Sequence[tuple[bytes, bytes]]:
        """All fields as pairs, made on demand: most routes look at no header."""
        if self._pairs is None:
            self._pairs = grammar.list_pairs(self.block)
        return self._pairs


NO_FIELDS = RequestFields()


def refuse(code: str, detail: str) -> Reply:
    return Reply(CODES[code].status, code, detail)


def bad_request(detail: str) -> Reply:
    return refuse("bad_request", detail)


def parse_fields(block: bytes) -> RequestFields | Reply:
    """``block``: ``\\r\\nName: value`` repeated, up to the empty line."""
    if grammar.FIELDS.fullmatch(block) is None:
        return bad_request("a header line is not a name, a colon and a value without control characters")
    fields = RequestFields()
    fields.block = block
    fields.tail = block + b"\r\n\r\n"
    fields.tail_length = len(fields.tail)
    parts = _SCAN.split(block)  # other fields, name, value, other fields, name, value, ...
    for index in range(1, len(parts), 3):
        reader = _READERS.get(parts[index].lower())
        if reader is None:
            _read_claim(fields, parts[index], parts[index + 1])
            continue
        fault = reader(fields, parts[index + 1])
        if fault is not None:
            return bad_request(fault)
    if fields.tracestate and not is_state(fields.tracestate):
        fields.tracestate = b""
    fields.rest = remove_listed(b"".join(parts[::3]), fields.listed)
    fields.has_body = fields.chunked or bool(fields.length)
    special = fields.chunked or fields.upgrade or fields.takes_trailers or fields.max_forwards is not None
    fields.quiet = not special and fields.length is None
    fields.usual = bool(fields.authority) and not fields.expectation
    fields.fast = fields.quiet and fields.usual
    if fields.length and fields.usual and not (special or fields.expects_continue):
        fields.framing = b"\r\nContent-Length: %d" % fields.length
    return _refuse_fields(fields) or fields


def _refuse_fields(fields: RequestFields) -> Reply | None:
    if fields.chunked and fields.length is not None:
        return bad_request("Transfer-Encoding and Content-Length stand together")  # RFC 9112 section 6.1
    if fields.block.count(b"\r\n") > MAX_FIELDS:
        return refuse("headers_too_large", f"a request has at most {MAX_FIELDS} header fields")
    if fields.via.count(b"coalmine") >= MAX_VISITS:
        return refuse("loop_detected", "the request has come through this gateway before")
    return None


class FirstFields:
    """The blocks that connections began with; bounded, the oldest goes first.

    By source and scheme, too, because ``forwarding`` keeps with the fields what it says about those.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str, bytes], RequestFields] = OrderedDict()

    def read(self, block: bytes, source: str, scheme: str) -> RequestFields | Reply:
        """As ``parse_fields``."""
        key = source, scheme, block
        known = self._known.get(key)
        if known is not None:
            return known
        fields = parse_fields(block)
        if isinstance(fields, RequestFields) and len(block) <= LONGEST_FIRST:
            if len(self._known) >= MAX_FIRST:
                self._known.popitem(last=False)
            self._known[key] = fields
        return fields


# One reader per field of READ_FROM_REQUESTS; each answers what is wrong, or None.


def _read_host(fields: RequestFields, value: bytes) -> str | None:
    if fields.authority:
        return "Host stands twice"
    value = value.rstrip(b" \t")
    host = grammar.parse_authority(value)
    if host is None:
        return "the Host header is not a host name"
    fields.authority, fields.host = value, host
    return None


def _read_length(fields: RequestFields, value: bytes) -> str | None:
    if fields.length is not None:
        return "Content-Length stands twice"  # RFC 9112 section 6.3 lets equal ones pass; nobody needs them
    if not grammar.LENGTH.fullmatch(value.rstrip(b" \t")):
        return "Content-Length is not a number of bytes"
    fields.length = int(value)
    return None


def _read_transfer_encoding(fields: RequestFields, value: bytes) -> str | None:
    if fields.chunked or value.rstrip(b" \t").lower() != b"chunked":
        return "the only Transfer-Encoding understood is a single chunked"  # RFC 9112 section 6.1
    fields.chunked = True
    return None


def _read_connection(fields: RequestFields, value: bytes) -> str | None:
    for option in grammar.split_list(value):
        if option == b"close":
            fields.close = True
        elif option == b"keep-alive":
            fields.keep_alive = True
        else:
            fields.listed += (option,)
    return None


def _read_upgrade(fields: RequestFields, value: bytes) -> str | None:
    protocol = value.strip(b" \t").lower()
    if protocol in TUNNELLED:
        fields.upgrade = protocol
    return None


def _read_expect(fields: RequestFields, value: bytes) -> str | None:
    for member in grammar.split_list(value):
        if member == b"100-continue":
            fields.expects_continue = True
        else:
            fields.expectation = member
    return None


def _read_forwarded_for(fields: RequestFields, value: bytes) -> str | None:
    fields.forwarded_for = _append(fields.forwarded_for, value)
    return None


def _read_claim(fields: RequestFields, name: bytes, value: bytes) -> None:
    """X-Forwarded-Port and the like; a name with an underscore is none of them and goes nowhere."""
    if b"_" not in name:
        fields.forwarded_more += b"\r\n%b: %b" % (name, value.rstrip(b" \t"))


def _read_forwarded_proto(fields: RequestFields, value: bytes) -> str | None:
    value = value.rstrip(b" \t").lower()
    fields.forwarded_proto = value.decode("ascii") if value in (b"http", b"https") else ""
    return None


def _read_forwarded_host(fields: RequestFields, value: bytes) -> str | None:
    value = value.rstrip(b" \t")
    fields.forwarded_host = b"" if grammar.parse_authority(value) is None else value
    return None


def _read_forwarded(fields: RequestFields, value: bytes) -> str | None:
    value = value.rstrip(b" \t")
    if grammar.FORWARDED.fullmatch(value):
        fields.forwarded = _append(fields.forwarded, value)
    return None


def _read_te(fields: RequestFields, value: bytes) -> str | None:
    fields.takes_trailers = fields.takes_trailers or b"trailers" in grammar.split_list(value)
    return None


def _read_request_id(fields: RequestFields, value: bytes) -> str | None:
    value = value.rstrip(b" \t")
    if grammar.REQUEST_ID.fullmatch(value):
        fields.request_id = value
    return None


def _read_via(fields: RequestFields, value: bytes) -> str | None:
    fields.via = _append(fields.via, value)
    return None


def _append(members: bytes, value: bytes) -> bytes:
    """Lines of one list are one list (RFC 9110 section 5.3)."""
    value = value.rstrip(b" \t")
    return members + b", " + value if members and value else members or value


def _read_max_forwards(fields: RequestFields, value: bytes) -> str | None:
    value = value.rstrip(b" \t")
    if not grammar.LENGTH.fullmatch(value):
        return "Max-Forwards is not a number"
    fields.max_forwards = int(value)
    return None


def _read_traceparent(fields: RequestFields, value: bytes) -> str | None:
    value = value.rstrip(b" \t")
    fields.parents += 1
    fields.traceparent = value if fields.parents == 1 and parse_parent(value) is not None else b""
    return None


def _read_tracestate(fields: RequestFields, value: bytes) -> str | None:
    fields.tracestate = _append(fields.tracestate, value)
    return None


def _ignore(fields: RequestFields, value: bytes) -> str | None:
    return None


_READERS: Mapping[bytes, Callable[[RequestFields, bytes], str | None]] = {
    **dict.fromkeys(READ_FROM_REQUESTS - CLAIMS, _ignore),
    b"host": _read_host,
    b"content-length": _read_length,
    b"transfer-encoding": _read_transfer_encoding,
    b"connection": _read_connection,
    b"upgrade": _read_upgrade,
    b"expect": _read_expect,
    b"te": _read_te,
    b"x-forwarded-for": _read_forwarded_for,
    b"x-forwarded-proto": _read_forwarded_proto,
    b"x-forwarded-host": _read_forwarded_host,
    b"forwarded": _read_forwarded,
    b"x-request-id": _read_request_id,
    b"via": _read_via,
    b"max-forwards": _read_max_forwards,
    b"traceparent": _read_traceparent,
    b"tracestate": _read_tracestate,
}
