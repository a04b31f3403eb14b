# ruff: noqa: E501  one row, one line

from __future__ import annotations

import asyncio
import ipaddress

import pytest

from discovery.addresses import AddressRefusedError, check, find_refusal, resolve

FINE = [
    "127.0.0.1",
    "::1",
    "10.0.0.1",
    "192.168.1.1",
    "172.16.0.1",
    "fd00::1",
    "8.8.8.8",
    "2001:4860:4860::8888",
    "::ffff:10.0.0.1",
]
REFUSED = [
    "169.254.169.254", "169.254.0.1", "fe80::1", "::ffff:169.254.169.254", "::169.254.169.254", "64:ff9b::169.254.169.254",
    "64:ff9b:1::a9fe:a9fe", "2002:a9fe:a9fe::1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254",
    "::ffff:100.100.100.200", "224.0.0.1", "ff02::1", "255.255.255.255",
]  # fmt: skip


@pytest.mark.parametrize("address", FINE)
def test_services_live_here(address: str) -> None:
    assert find_refusal(ipaddress.ip_address(address)) is None


@pytest.mark.parametrize("address", REFUSED)
def test_credentials_live_here(address: str) -> None:
    assert find_refusal(ipaddress.ip_address(address)) is not None


def test_a_name_with_several_addresses_keeps_the_harmless_ones() -> None:
    good, bad = ipaddress.ip_address("10.0.0.1"), ipaddress.ip_address("169.254.169.254")
    assert check([bad, good], allow_link_local=False) == [good]
    assert check([bad], allow_link_local=True) == [bad]
    with pytest.raises(AddressRefusedError, match="link-local"):
        check([bad], allow_link_local=False)


@pytest.mark.parametrize("host", ["2852039166", "0xa9fea9fe", "0251.0376.0251.0376"])
def test_odd_spellings_come_out_as_addresses(host: str) -> None:
    found = asyncio.run(resolve(host, 80))
    assert [str(address) for address in found] == ["169.254.169.254"]
