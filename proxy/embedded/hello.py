"""The first bytes of a connection to the TLS port: what OpenSSL is asked to answer, and what is answered here.

OpenSSL, as Python and uvloop let it speak, drops a client that it cannot serve without a word, and goes on without ALPN
where RFC 7301 wants an alert. So those few cases are told here, before it begins. This file performs no I/O.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

# RFC 8446 sections 4, 4.2 and 5.1.
_HANDSHAKE, _CLIENT_HELLO = 22, 1
_SUPPORTED_VERSIONS, _ALPN = 43, 16
_TLS_1_2 = 0x0303
_HEADER = 5
# RFC 8446 section 5.1: what a record may hold. A hello that needs several is left to OpenSSL.
_MAX_RECORD = 2**14
# A fatal alert in a record of its own (RFC 8446 section 6), and the two that are sent here.
_ALERT = b"\x15\x03\x01\x00\x02\x02"
PROTOCOL_VERSION = _ALERT + bytes([70])
NO_APPLICATION_PROTOCOL = _ALERT + bytes([120])

Verdict = Literal["wait", "tls", "http", "noise"] | bytes


def judge_hello(data: bytes) -> Verdict:
    """``wait`` for more, ``tls`` is for OpenSSL, ``http`` is in the clear, ``noise`` nothing at all; or an alert."""
    if data[0] != _HANDSHAKE:
        return "http" if data[:1].isalpha() or data[:1] in b"\r\n" else "noise"
    if len(data) < _HEADER:
        return "wait"
    length = int.from_bytes(data[3:5], "big")
    if length > _MAX_RECORD:
        return "tls"
    if len(data) < _HEADER + length:
        return "wait"
    try:
        return _judge_message(data[_HEADER : _HEADER + length])
    except (IndexError, ValueError):
        return "tls"  # whatever is wrong with it, OpenSSL knows best


def _judge_message(message: bytes) -> Verdict:
    """RFC 8446 section 4.1.2."""
    if message[0] != _CLIENT_HELLO or int.from_bytes(message[1:4], "big") != len(message) - 4:
        return "tls"
    version = int.from_bytes(message[4:6], "big")
    at = 38  # behind version and random: session id, cipher suites, compression methods, each with its length
    at += 1 + message[at]
    at += 2 + int.from_bytes(message[at : at + 2], "big")
    at += 1 + message[at]
    extensions = dict(_list_extensions(message[at + 2 :]))
    if max([version, *_list_versions(extensions.get(_SUPPORTED_VERSIONS, b""))]) < _TLS_1_2:
        return PROTOCOL_VERSION
    if _ALPN in extensions and b"http/1.1" not in _list_protocols(extensions[_ALPN]):
        return NO_APPLICATION_PROTOCOL  # RFC 7301 section 3.2
    return "tls"


def _list_extensions(data: bytes) -> Iterator[tuple[int, bytes]]:
    while data:
        size = int.from_bytes(data[2:4], "big")
        yield int.from_bytes(data[:2], "big"), data[4 : 4 + size]
        data = data[4 + size :]


def _list_versions(extension: bytes) -> list[int]:
    """Those of TLS; values such as 0x?a?a are there to keep servers tolerant (RFC 8701)."""
    found = [int.from_bytes(extension[at : at + 2], "big") for at in range(1, len(extension), 2)]
    return [version for version in found if version >> 8 == 3]


def _list_protocols(extension: bytes) -> set[bytes]:
    found, at = set(), 2
    while at < len(extension):
        found.add(extension[at + 1 : at + 1 + extension[at]])
        at += 1 + extension[at]
    return found
