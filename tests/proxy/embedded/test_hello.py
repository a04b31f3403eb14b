"""The first bytes on the TLS port: what is OpenSSL's, what is told in an alert, and what is no TLS."""

from __future__ import annotations

import ssl

import pytest

from proxy.embedded.hello import NO_APPLICATION_PROTOCOL, PROTOCOL_VERSION, judge_hello


def hello(*, alpn: tuple[str, ...] = (), version: ssl.TLSVersion | None = None) -> bytes:
    """What a client of OpenSSL says first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.set_ciphers("ALL:@SECLEVEL=0")
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if version is not None:
        context.minimum_version = context.maximum_version = version
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing).do_handshake()
    return outgoing.read()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ({}, "tls"),
        ({"alpn": ("http/1.1",)}, "tls"),
        ({"alpn": ("h2", "http/1.1")}, "tls"),
        ({"alpn": ("h2",)}, NO_APPLICATION_PROTOCOL),
        ({"alpn": ("http/1.10", "h2")}, NO_APPLICATION_PROTOCOL),
        ({"version": ssl.TLSVersion.TLSv1_3}, "tls"),
        ({"version": ssl.TLSVersion.TLSv1_2}, "tls"),
        ({"version": ssl.TLSVersion.TLSv1_1}, PROTOCOL_VERSION),
        ({"version": ssl.TLSVersion.TLSv1}, PROTOCOL_VERSION),
    ],
)
def test_what_a_client_offers_decides(said: dict[str, object], verdict: object) -> None:
    whole = hello(**said)  # type: ignore[arg-type]
    assert judge_hello(whole) == verdict
    assert {judge_hello(whole[:end]) for end in range(1, len(whole))} == {"wait"}


@pytest.mark.parametrize(
    ("data", "verdict"),
    [
        (b"GET / HTTP/1.1\r\n", "http"),
        (b"\r\n", "http"),
        (b"\x80\x2e\x01", "noise"),
        (b"\x00", "noise"),
        (b"\x16\x03\x01\xff\xff", "tls"),  # longer than a record can be
        (b"\x16\x03\x01\x00\x00", "tls"),
        (b"\x16\x03\x01\x00\x04\x02\x00\x00\x00", "tls"),  # another message
        (b"\x16\x03\x01\x00\x04\x01\x00\x00\xff", "tls"),  # in several records
        (b"\x16\x03\x01\x00\x04\x01\x00\x00\x00", "tls"),  # nothing in it
    ],
)
def test_what_is_no_hello_is_not_ours_to_judge(data: bytes, verdict: object) -> None:
    assert judge_hello(data) == verdict


def test_no_bytes_of_a_hello_make_it_fail() -> None:
    """Every byte changed, every length cut: a verdict, and no exception."""
    whole = hello(alpn=("h2",))
    for at in range(len(whole)):
        for value in (0, 1, 0x7F, 0xFF):
            judge_hello(whole[:at] + bytes([value]) + whole[at + 1 :])
        body = whole[5 : 5 + at]
        judge_hello(whole[:3] + len(body).to_bytes(2, "big") + body)
