"""What a certificate says about itself (X.509, RFC 5280), read from its DER bytes.

Only what operators ask: for whom it is, from when and until when. Whether somebody vouches for it is OpenSSL's
business; the standard library decodes certificates only on connections that it has verified. No I/O here.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

# Tags (X.690 section 8.1.2).
_SEQUENCE, _BOOLEAN, _OCTET_STRING, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0x01, 0x04, 0x17, 0x18
_VERSION, _EXTENSIONS, _DNS_NAME, _IP_ADDRESS = 0xA0, 0xA3, 0x82, 0x87
_SUBJECT_ALT_NAME = bytes.fromhex("551d11")  # 2.5.29.17, RFC 5280 section 4.2.1.6


@dataclass(frozen=True, slots=True)
class Certificate:
    """``names`` are those a client may ask for: host names in lower case (``*.`` in front of some) and addresses.

    ``key_kind`` tells RSA from ECDSA and others: the algorithm's identifier (RFC 5280 section 4.1.2.7), in hexadecimal.
    """

    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    key_kind: str


def names_for(host: str) -> tuple[str, str]:
    """What a certificate for ``host`` has among its names: that itself, or a wildcard for its leftmost label
    (RFC 6125 section 6.4.3)."""
    host = host.lower().rstrip(".")
    return host, f"*.{host.partition('.')[2]}"


def parse_certificate(der: bytes) -> Certificate:
    """Raises ValueError for what is no certificate."""
    try:
        return _read(der)
    except (IndexError, OverflowError) as error:
        raise ValueError(f"it ends too early or is garbled: {error}") from None


def _read(der: bytes) -> Certificate:
    certificate = _only(der, _SEQUENCE)
    fields = list(_items(_first(certificate)[1]))
    if fields[0][0] == _VERSION:
        del fields[0]
    # serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo, ... (RFC 5280 section 4.1)
    not_before, not_after = (_read_time(tag, value) for tag, value in _items(fields[3][1]))
    extensions = next((value for tag, value in fields[6:] if tag == _EXTENSIONS), b"")
    algorithm, _ = _items(fields[5][1])  # and the key itself
    return Certificate(tuple(_list_names(extensions)), not_before, not_after, _first(algorithm[1])[1].hex())


def _list_names(extensions: bytes) -> Iterator[str]:
    for _, extension in _items(_only(extensions, _SEQUENCE)) if extensions else ():
        parts = [(tag, value) for tag, value in _items(extension) if tag != _BOOLEAN]
        if parts[0][1] != _SUBJECT_ALT_NAME:
            continue
        for tag, value in _items(_only(parts[1][1], _SEQUENCE)):
            if tag == _DNS_NAME:
                yield value.decode("ascii", "replace").lower()
            elif tag == _IP_ADDRESS:
                yield str(ipaddress.ip_address(value))


def _read_time(tag: int, value: bytes) -> datetime:
    """RFC 5280 section 4.1.2.5: always with seconds and Z; two digits of a year mean 1950 to 2049."""
    text = value.decode("ascii")
    if tag == _UTC_TIME:
        text = ("19" if text >= "50" else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError("its validity is no pair of times")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _only(data: bytes, tag: int) -> bytes:
    """The content of the one item that ``data`` is."""
    found, value = _first(data)
    if found != tag:
        raise ValueError("it is no certificate")
    return value


def _first(data: bytes) -> tuple[int, bytes]:
    """Raises IndexError where there is none."""
    for item in _items(data):
        return item
    raise IndexError("there is nothing in it")


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tags and contents, one after the other (X.690 section 8.1)."""
    at = 0
    while at < len(data):
        tag, length, at = data[at], data[at + 1], at + 2
        if length & 0x80:
            size = length & 0x7F
            length, at = int.from_bytes(data[at : at + size], "big"), at + size
        if at + length > len(data):
            raise IndexError("a part is longer than the whole")
        yield tag, data[at : at + length]
        at += length
