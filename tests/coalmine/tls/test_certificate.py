"""Reading what a certificate says about itself."""

from __future__ import annotations

import ssl
from contextlib import suppress
from datetime import UTC, datetime

import pytest
import trustme

from coalmine.tls import Certificate, parse_certificate
from coalmine.tls.certificate import names_for

ECDSA, RSA = "2a8648ce3d0201", "2a864886f70d010101"  # RFC 5480 section 2.1.1, RFC 3279 section 2.3.1


def make(
    *names: str, until: datetime = datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC), key_type: str = "ECDSA"
) -> bytes:
    begin, kind = datetime(2020, 2, 29, 1, 2, 3, tzinfo=UTC), trustme.KeyType[key_type]
    leaf = trustme.CA().issue_cert(*names, not_before=begin, not_after=until, key_type=kind)
    return ssl.PEM_cert_to_DER_cert(leaf.cert_chain_pems[0].bytes().decode())


def test_names_addresses_and_times_are_read() -> None:
    read = parse_certificate(make("A.test", "*.b.test", "127.0.0.1", "::1"))
    assert read == Certificate(
        ("a.test", "*.b.test", "127.0.0.1", "::1"),
        datetime(2020, 2, 29, 1, 2, 3, tzinfo=UTC),
        datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC),
        ECDSA,
    )


def test_the_kind_of_its_key_is_read() -> None:
    assert parse_certificate(make("a.test", key_type="RSA")).key_kind == RSA


def test_years_from_2050_are_written_in_another_form_and_read_alike() -> None:
    until = datetime(2050, 1, 1, tzinfo=UTC)
    assert parse_certificate(make("a.test", until=until)).not_after == until


@pytest.mark.parametrize(
    ("host", "covered"),
    [
        ("a.test", True),
        ("A.TEST", True),
        ("a.test.", True),
        ("x.b.test", True),
        ("b.test", False),
        ("x.y.b.test", False),
        ("test", False),
        ("", False),
    ],
)
def test_a_wildcard_stands_for_one_label(host: str, covered: bool) -> None:
    assert (not {"a.test", "*.b.test"}.isdisjoint(names_for(host))) is covered


def test_garbled_bytes_are_a_value_error_and_nothing_worse() -> None:
    whole = make("a.test")
    for at in range(0, len(whole), 3):
        for damaged in (whole[:at], whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :]):
            with suppress(ValueError):
                parse_certificate(damaged)
