"""Settings: flags win over the environment, which wins over defaults; what is wrong is said by name."""

from __future__ import annotations

import os
from typing import Any

import pytest

from coalmine.errors import StartupError
from coalmine.settings import SETTINGS, Settings, is_loopback, parse_address, read


def test_nothing_given_is_the_defaults() -> None:
    assert read({}, {}) == Settings()


def test_a_flag_wins_over_the_environment() -> None:
    assert read({"proxy": "127.0.0.1:1"}, {"COALMINE_PROXY": "127.0.0.1:2"}).proxy == "127.0.0.1:1"


def test_an_absent_flag_leaves_the_environment() -> None:
    assert read({"proxy": None}, {"COALMINE_PROXY": "127.0.0.1:2"}).proxy == "127.0.0.1:2"


@pytest.mark.parametrize(
    ("variable", "text", "name", "value"),
    [
        ("COALMINE_WORKERS", "3", "workers", 3),
        ("COALMINE_GRACE_SECONDS", "2.5", "grace_seconds", 2.5),
        ("COALMINE_DISCOVERY", "off", "discovery", False),
        ("COALMINE_DISCOVERY", " Yes ", "discovery", True),
        ("COALMINE_ACCESS_LOG", "-", "access_log", "-"),
        ("COALMINE_ADMIN_TOKEN", "1", "admin_token", "1"),
        ("COALMINE_ADMIN_HOSTS", "a,b", "admin_hosts", "a,b"),
    ],
)
def test_the_environment_is_cast_to_the_type_of_the_default(variable: str, text: str, name: str, value: Any) -> None:
    assert getattr(read({}, {variable: text}), name) == value


@pytest.mark.parametrize(
    ("environ", "part"),
    [
        ({"COALMINE_WORKERS": "many"}, "COALMINE_WORKERS='many' is not a number"),
        ({"COALMINE_DISCOVERY": "perhaps"}, "neither true nor false"),
        ({"COALMINE_WORKERS": "-1"}, "--workers is -1"),
        ({"COALMINE_DISCOVERY_MODE": "all"}, "--discovery-mode is 'all'; it should be allow or deny"),
        ({"COALMINE_PROXY": "8080"}, "--proxy is '8080'"),
        ({"COALMINE_ADMIN": "localhost:99999"}, "host:port"),
        ({"COALMINE_ADMIN": "localhost:٣"}, "host:port"),
        ({"COALMINE_TRUSTED_PROXIES": "10.0.0.0/8, ten"}, "--trusted-proxies has 'ten'"),
    ],
)
def test_a_wrong_value_is_refused_by_name(environ: dict[str, str], part: str) -> None:
    with pytest.raises(StartupError) as error:
        read({}, environ)
    assert part in error.value.detail


FILED = {"workers": 3, "grace_seconds": 2, "discovery": False, "admin_token": "x", "proxy": "127.0.0.1:3"}


def test_a_file_wins_over_the_defaults_and_loses_to_everything_else() -> None:
    settings = read({"workers": 1}, {"COALMINE_PROXY": "127.0.0.1:2"}, FILED)
    assert (settings.workers, settings.proxy) == (1, "127.0.0.1:2")
    assert (settings.grace_seconds, settings.discovery, settings.admin_token) == (2.0, False, "x")


@pytest.mark.parametrize(
    ("filed", "part", "hint"),
    [
        ({"worker": 1}, "the settings file has 'worker', which is no setting", "did you mean workers?"),
        ({"settings_file": "x"}, "the settings file has 'settings_file', which is no setting", None),
        ({"workers": "1"}, "the settings file has workers = '1'; it should be a whole number", None),
        ({"workers": True}, "the settings file has workers = True; it should be a whole number", None),
        ({"grace_seconds": "1"}, "it should be a number", None),
        ({"discovery": 1}, "it should be true or false", None),
        ({"proxy": 8080}, "it should be a text", None),
        ({"workers": -1}, "--workers is -1", None),
    ],
)
def test_a_wrong_value_in_a_file_is_refused_by_name(filed: dict[str, Any], part: str, hint: str | None) -> None:
    with pytest.raises(StartupError) as error:
        read({}, {}, filed)
    assert part in error.value.detail
    assert error.value.hint == hint


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:0", ("127.0.0.1", 0)),
        ("[::1]:80", ("::1", 80)),
        (":8080", ("0.0.0.0", 8080)),
        ("localhost:1", ("localhost", 1)),
    ],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("example.com", False),
    ],
)
def test_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_no_workers_given_means_one_per_core() -> None:
    assert Settings().worker_count == (os.cpu_count() or 1)
    assert Settings(workers=3).worker_count == 3


def test_flags_and_variables_follow_the_name() -> None:
    row = next(row for row in SETTINGS if row.name == "max_header_bytes")
    assert (row.flag, row.variable) == ("--max-header-bytes", "COALMINE_MAX_HEADER_BYTES")


def test_trusted_proxies_are_networks_or_addresses() -> None:
    assert read({}, {}).trusted_networks == ()
    settings = read({"trusted_proxies": " 10.1.2.3/8,, ::1 "}, {})
    assert settings.trusted_networks == ("10.0.0.0/8", "::1/128")
