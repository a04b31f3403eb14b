"""What mutation begins with: whole messages of every kind, and the pieces that parsers stumble over."""

from __future__ import annotations

_HOST = b"Host: gateway.test\r\n"


def _request(line: bytes, *fields: bytes, body: bytes = b"") -> bytes:
    return line + b" HTTP/1.1\r\n" + _HOST + b"".join(field + b"\r\n" for field in fields) + b"\r\n" + body


REQUESTS: list[bytes] = [
    _request(b"GET /a/b?c=d"),
    _request(b"HEAD /head"),
    _request(b"OPTIONS *"),
    _request(b"OPTIONS *", b"Content-Length: 5", body=b"hello"),
    _request(b"OPTIONS /last", b"Max-Forwards: 0", b"Content-Length: 2", body=b"hi"),
    _request(b"DELETE /a/%2e%2e/b%2Fc//d", b"Accept: */*", b"Cookie: a=b", b"Cookie: c=d"),
    _request(b"POST /length", b"Content-Length: 5", body=b"hello"),
    _request(b"PUT /none", b"Content-Length: 0"),
    _request(b"POST /chunks", b"Transfer-Encoding: chunked", body=b"5\r\nhello\r\n3;a=b\r\nabc\r\n0\r\n\r\n"),
    _request(b"POST /trailer", b"Transfer-Encoding: chunked", b"Trailer: X-T", body=b"1\r\nx\r\n0\r\nX-T: 1\r\n\r\n"),
    _request(b"GET http://other.test/abs?x"),
    _request(b"GET /ws", b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: abc"),
    _request(b"POST /expect", b"Expect: 100-continue", b"Content-Length: 2", body=b"hi"),
    _request(b"GET /hops", b"Connection: close, X-A", b"X-A: 1", b"TE: trailers", b"Keep-Alive: timeout=3"),
    _request(b"GET /claims", b"Forwarded: for=1.1.1.1", b"X-Forwarded-For: 1.1.1.1", b"Via: 1.0 a", b"Max-Forwards: 3"),
    b"GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"POST /old HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc",
    b"\r\n" + _request(b"GET /blank"),
    _request(
        b"GET /smuggle", b"Content-Length: 4", b"Transfer-Encoding: chunked", body=b"0\r\n\r\nGET /ghost HTTP/1.1\r\n"
    ),
]

_ANSWERS = [
    b"Content-Length: 2\r\n\r\nok",
    b"Content-Length: 0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n2;x\r\nok\r\n0\r\nX-T: 1\r\n\r\n",
    b"Connection: close\r\n\r\nuntil the end",
    b"Connection: X-A, close\r\nX-A: 1\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\nContent-Length: 1\r\n\r\nx",
    b"Content-Length: 3\r\nKeep-Alive: timeout=5\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\nabc",
]
ANSWERS: list[bytes] = [
    *(b"HTTP/1.1 200 OK\r\n" + rest for rest in _ANSWERS),
    *(b"HTTP/1.0 200 OK\r\n" + rest for rest in _ANSWERS[:2]),
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\nETag: x\r\n\r\n",
    b"HTTP/1.1 404\r\nContent-Length: 1\r\n\r\nx",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: </a>\r\n\r\n"
    + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x02hi",
    b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 4\r\n\r\nbusy",
]

# Inserted and put in place of one another.
PIECES: list[bytes] = [
    b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\n\n", b"\r\r\n", b" ", b"\t", b"\x0b", b"\x0c", b"\0", b"\x7f", b"\x80",
    b"\xa0", b"\xff", b":", b" :", b";", b",", b"=", b'"', b"\\", b"#", b"?", b"%", b"%00", b"%2e", b"%2F", b"%5c",
    b"..", b"/", b"//", b"/../", b"..;/", b"0", b"1", b"5", b"f", b"0x5", b"+5", b"-1", b"05", b"5_0",
    b"99999999999999999999", b"ffffffffffffffff", b"7fffffffffffffff", b"0\r\n\r\n", b"5\r\nhello\r\n",
    b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: identity\r\n", b"Transfer-Encoding: gzip, chunked\r\n", b"Content_Length: 5\r\n",
    b"content-length:7\r\n", b"Host: a\r\n", b"Connection: close\r\n", b"Connection: keep-alive\r\n",
    b"Connection: Content-Length\r\n", b"Connection: Upgrade\r\nUpgrade: websocket\r\n",
    b"Expect: 100-continue\r\n", b"Trailer: a\r\n", b"TE: trailers\r\n", b" folded\r\n", b"\tfolded\r\n",
    b"HTTP/1.1", b"HTTP/1.0", b"HTTP/1.2", b"HTTP/0.9", b"HTTP/2.0", b"http/1.1", b"GET ", b"POST ", b"HEAD ",
    b"CONNECT ", b"TRACE ", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"http://", b"https://", b"u@", b"[::1]", b":80",
    b":99999", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 \r\n\r\n", b"200", b"204", b"304", b"101", b"chunked",
    b"CHUNKED", b"\xe2\x84\xaa", b"\xd9\xa5",
]  # fmt: skip
