"""Reading a response head: ``parse_response`` gives a Response or raises FramingError; as strict as for requests.

This file performs no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from proxy.embedded import grammar
from proxy.embedded.body import BodyReader, ChunkedReader, CloseReader, FramingError, LengthReader
from proxy.embedded.headers import READ_FROM_RESPONSES, compile_scan, remove_listed
from proxy.embedded.options import MAX_FIELDS

if TYPE_CHECKING:
    from proxy.embedded.lane import Lane

_SCAN = compile_scan(READ_FROM_RESPONSES)
_DATE = re.compile(rb"\r\n[dD][aA][tT][eE]:")


class Response:
    """A response head; ``fields`` is the block without those in READ_FROM_RESPONSES.

    ``simple``: the length of its content is told, and its connection goes on. ``written`` is kept by ``forwarding``.
    """

    status = 0
    reason = b""
    fields = b""
    minor = 1
    length: int | None = None
    chunked = False
    close = False
    keep_alive = False
    idle_seconds: int | None = None  # what Keep-Alive: timeout= announces
    upgrade = b""
    dated = True
    listed: tuple[bytes, ...] = ()
    simple = False
    written: tuple[Lane | None, bool, bytes] | None = None

    def has_body(self, method: str) -> bool:
        """Whether content follows in an answer to ``method`` (RFC 9112 section 6.3)."""
        return method != "HEAD" and self.status != 204 and self.status != 304

    def body_reader(self, method: str) -> BodyReader | None:
        """None: there is no body."""
        if not self.has_body(method):
            return None
        if self.chunked:
            return ChunkedReader()
        if self.length is not None:
            return LengthReader(self.length) if self.length else None
        return CloseReader()

    @property
    def announces_too_much(self) -> bool:
        """A 204 that speaks of content (RFC 9112 section 6.1, RFC 9110 section 8.6: must not) may send some, later."""
        return self.status == 204 and (self.chunked or bool(self.length))

    @property
    def persistent(self) -> bool:
        return not self.close and (self.minor > 0 or self.keep_alive)


def parse_response(raw: bytes) -> Response:
    """``raw`` is one head, its empty line included."""
    match = grammar.RESPONSE_HEAD.fullmatch(raw)
    if match is None:
        raise FramingError("the response head is not valid HTTP/1.1")
    minor, status, reason, block = match.groups()
    response = Response()
    response.status = int(status)
    response.reason = reason or b""
    if minor == b"0":
        response.minor = 0
    parts = _SCAN.split(block)  # other fields, name, value, other fields, name, value, ...
    for index in range(1, len(parts), 3):
        _READERS[parts[index].lower()](response, parts[index + 1])
    response.fields = remove_listed(b"".join(parts[::3]), response.listed)
    _check_framing(response, block)
    response.dated = _DATE.search(response.fields) is not None
    final = response.status >= 200  # RFC 9110 section 15.2: others have no content, whatever length they tell of
    response.simple = bool(response.length) and final and response.dated and response.persistent
    response.simple &= response.has_body("GET")
    return response


def _check_framing(response: Response, block: bytes) -> None:
    if response.chunked and (response.length is not None or response.minor == 0):
        raise FramingError("Transfer-Encoding stands beside Content-Length, or in HTTP/1.0")
    if block.count(b"\r\n") > MAX_FIELDS:
        raise FramingError("the response has too many header fields")


def _read_length(response: Response, value: bytes) -> None:
    if response.length is not None or not grammar.LENGTH.fullmatch(value.rstrip(b" \t")):
        raise FramingError("Content-Length stands twice or is not a number of bytes")
    response.length = int(value)


def _read_transfer_encoding(response: Response, value: bytes) -> None:
    if response.chunked or value.rstrip(b" \t").lower() != b"chunked":
        raise FramingError("the only Transfer-Encoding understood is a single chunked")
    response.chunked = True


def _read_connection(response: Response, value: bytes) -> None:
    for option in grammar.split_list(value):
        if option == b"close":
            response.close = True
        elif option == b"keep-alive":
            response.keep_alive = True
        else:
            response.listed += (option,)


def _read_keep_alive(response: Response, value: bytes) -> None:
    for parameter in grammar.split_list(value):
        name, _, number = parameter.partition(b"=")
        if name == b"timeout" and number.isdigit() and len(number) < 6:
            response.idle_seconds = int(number)


def _read_upgrade(response: Response, value: bytes) -> None:
    response.upgrade = value.strip(b" \t").lower()


def _ignore(response: Response, value: bytes) -> None:
    return


_READERS: Mapping[bytes, Callable[[Response, bytes], None]] = {
    **dict.fromkeys(READ_FROM_RESPONSES, _ignore),
    b"content-length": _read_length,
    b"transfer-encoding": _read_transfer_encoding,
    b"connection": _read_connection,
    b"keep-alive": _read_keep_alive,
    b"upgrade": _read_upgrade,
}
