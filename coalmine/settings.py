"""Every setting is one row of one table: it gives the flag, the environment variable, the default and the docs.

The environment is passed in (``read``), once, by the composition root. This file performs no I/O.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from coalmine.errors import StartupError, nearest


@dataclass(frozen=True, slots=True)
class Setting:
    """``name`` gives the flag (``--max-body-bytes``) and the variable (``COALMINE_MAX_BODY_BYTES``)."""

    name: str
    default: str | int | float | bool | None
    help: str

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        return "COALMINE_" + self.name.upper()


SETTINGS: tuple[Setting, ...] = (
    Setting("settings_file", "", "TOML file with settings, read at start and at every reload; flags and variables win"),
    Setting("proxy", "127.0.0.1:8080", "address the proxy listens on, host:port; port 0 takes a free one"),
    Setting(
        "proxy_tls",
        "",
        "address the proxy also listens on for https, host:port, such as 127.0.0.1:8443; needs a certificate",
    ),
    Setting(
        "tls_certificate",
        "",
        "PEM file of the certificate for https, its chain behind it; several, chosen by SNI: comma separated, the"
        " first one is for all other names",
    ),
    Setting(
        "tls_key",
        "",
        "PEM file of its private key, not encrypted; several: in the order of the certificates; absent: the key is in"
        " the file of the certificate",
    ),
    Setting(
        "tls_client_ca",
        "",
        "PEM file of authorities: https clients must show a certificate that one of them has signed",
    ),
    Setting(
        "admin", "127.0.0.1:8081", "address the admin API listens on, host:port; not loopback needs an admin token"
    ),
    Setting(
        "database",
        "sqlite:///coalmine.db",
        "the catalog, a SQLite URL (relative: sqlite:///name.db, absolute: sqlite:////path)",
    ),
    Setting("revisions", 200, "how many revisions are kept, for looking back and for rollback"),
    Setting("document_revisions", 10, "how many revisions of the documents of each upstream are kept"),
    Setting("workers", 0, "proxy processes; 0 is one per core"),
    Setting(
        "admin_token",
        None,
        "bearer token of the admin API; required unless it listens on loopback (prefer the variable: flags show in ps)",
    ),
    Setting("admin_read_token", None, "a second bearer token of the admin API, which may read and sees no credentials"),
    Setting("admin_through_proxy", False, "let upstreams lead to the admin API of this gateway itself"),
    Setting(
        "admin_hosts", "", "host names besides the listening address that the admin API answers to, comma separated"
    ),
    Setting("discovery", True, "probe upstreams for their documents"),
    Setting(
        "discovery_mode",
        "deny",
        "which upstreams are probed where their definition does not say: deny (all but those labelled"
        " coalmine.discovery=disabled) or allow (only those labelled coalmine.discovery=enabled)",
    ),
    Setting("probe_timeout_seconds", 10.0, "longest time for fetching one document, everything included"),
    Setting("max_document_bytes", 16 * 1024 * 1024, "largest document that is read, after decompression"),
    Setting(
        "allow_link_local", False, "let probes and requests reach link-local addresses (cloud metadata lives there)"
    ),
    Setting(
        "trusted_proxies",
        "",
        "networks of proxies in front, comma separated; X-Forwarded-For tells the client's address when they connect",
    ),
    Setting("max_header_bytes", 65_536, "largest request or response head the proxy accepts"),
    Setting("max_read_body_bytes", 1_048_576, "largest body the proxy reads in order to find a parameter in it"),
    Setting(
        "max_replay_body_bytes",
        65_536,
        "largest body that is kept while it is passed on, for a retry; a mirror gets larger ones as they come",
    ),
    Setting("header_timeout_seconds", 30.0, "longest time for a request head to arrive"),
    Setting("idle_timeout_seconds", 75.0, "longest time a keep-alive connection may idle"),
    Setting(
        "upstream_timeout_seconds",
        60.0,
        "longest wait for an upstream's answer to begin, and between its parts, where the route says nothing",
    ),
    Setting("connect_timeout_seconds", 5.0, "longest time to connect to an endpoint"),
    Setting(
        "tunnel_idle_seconds",
        3600.0,
        "longest time in which nothing passes a tunnel (a WebSocket), either way; 0 is no limit",
    ),
    Setting("max_connections", 10_000, "client connections one worker accepts"),
    Setting("max_requests", 5_000, "requests one worker has in flight; more are answered 503 at once; 0 is no limit"),
    Setting("grace_seconds", 10.0, "how long requests in flight may finish after a stop signal"),
    Setting(
        "drain_seconds", 300.0, "how long a worker that a reload has replaced may finish what it has begun, tunnels too"
    ),
    Setting("hang_seconds", 30.0, "a process that shows no sign of life for so long is replaced; 0 is never"),
    Setting("access_log", "", "file for one JSON line per proxied request; - is standard output"),
    Setting(
        "access_log_query",
        "names",
        "what the access log has of query strings: names (values may be secrets), full or none",
    ),
    Setting(
        "traces",
        False,
        "send OpenTelemetry traces, as the OTEL_ variables say (by default to localhost:4318); needs coalmine[otel]",
    ),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings, typed; one field per row of ``SETTINGS``."""

    settings_file: str = ""
    proxy: str = "127.0.0.1:8080"
    proxy_tls: str = ""
    tls_certificate: str = ""
    tls_key: str = ""
    tls_client_ca: str = ""
    admin: str = "127.0.0.1:8081"
    database: str = "sqlite:///coalmine.db"
    revisions: int = 200
    document_revisions: int = 10
    workers: int = 0
    admin_token: str | None = None
    admin_read_token: str | None = None
    admin_through_proxy: bool = False
    admin_hosts: str = ""
    discovery: bool = True
    discovery_mode: str = "deny"
    probe_timeout_seconds: float = 10.0
    max_document_bytes: int = 16 * 1024 * 1024
    allow_link_local: bool = False
    trusted_proxies: str = ""
    max_header_bytes: int = 65_536
    max_read_body_bytes: int = 1_048_576
    max_replay_body_bytes: int = 65_536
    header_timeout_seconds: float = 30.0
    idle_timeout_seconds: float = 75.0
    upstream_timeout_seconds: float = 60.0
    connect_timeout_seconds: float = 5.0
    tunnel_idle_seconds: float = 3600.0
    max_connections: int = 10_000
    max_requests: int = 5_000
    grace_seconds: float = 10.0
    drain_seconds: float = 300.0
    hang_seconds: float = 30.0
    access_log: str = ""
    access_log_query: str = "names"
    traces: bool = False

    @property
    def trusted_networks(self) -> tuple[str, ...]:
        """The networks of ``trusted_proxies``; raises StartupError."""
        return tuple(map(_check_network, filter(None, map(str.strip, self.trusted_proxies.split(",")))))

    @property
    def worker_count(self) -> int:
        return self.workers or os.cpu_count() or 1


_MODES = ("allow", "deny")
_QUERIES = ("names", "full", "none")
_KINDS: dict[type, str] = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
_BOOLEANS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


def read(given: Mapping[str, Any], environ: Mapping[str, str], filed: Mapping[str, Any] | None = None) -> Settings:
    """Settings from given values (flags; None is absent), else the environment, else a file's values, else defaults."""
    values = _check_filed(filed or {})
    for setting in SETTINGS:
        if given.get(setting.name) is not None:
            values[setting.name] = given[setting.name]
        elif setting.variable in environ:
            values[setting.name] = _cast(setting, environ[setting.variable])
    _check(values)
    settings = Settings(**values)
    _ = settings.trusted_networks  # refused now, and not by every worker
    return settings


def _cast(setting: Setting, text: str) -> Any:
    kind = type(setting.default)
    if kind is bool:
        if text.strip().lower() not in _BOOLEANS:
            raise StartupError(f"{setting.variable}={text!r} is neither true nor false")
        return _BOOLEANS[text.strip().lower()]
    if setting.default is None or kind is str:
        return text
    try:
        return float(text) if kind is float else int(text)
    except ValueError:
        raise StartupError(f"{setting.variable}={text!r} is not a number") from None


def _check_filed(filed: Mapping[str, Any]) -> dict[str, Any]:
    """What a settings file says, each value of the type that its setting has; raises StartupError."""
    known = {setting.name: setting for setting in SETTINGS if setting.name != "settings_file"}
    values: dict[str, Any] = {}
    for name, value in filed.items():
        if name not in known:
            near = nearest(name, known)
            raise StartupError(
                f"the settings file has {name!r}, which is no setting", hint=f"did you mean {near}?" if near else None
            )
        kind = str if known[name].default is None else type(known[name].default)
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            raise StartupError(f"the settings file has {name} = {value!r}; it should be {_KINDS[kind]}")
        values[name] = value
    return values


def _check_network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        raise StartupError(
            f"--trusted-proxies has {text!r}; it should be networks or addresses, such as 10.0.0.0/8,192.0.2.7"
        ) from None


def _check(values: Mapping[str, Any]) -> None:
    for setting in SETTINGS:
        value = values.get(setting.name)
        if isinstance(value, int | float) and not isinstance(value, bool) and value < 0:
            raise StartupError(f"{setting.flag} is {value}; it cannot be negative")
    mode = values.get("discovery_mode", "deny")
    if mode not in _MODES:
        raise StartupError(f"--discovery-mode is {mode!r}; it should be {' or '.join(_MODES)}")
    queries = values.get("access_log_query", "names")
    if queries not in _QUERIES:
        raise StartupError(f"--access-log-query is {queries!r}; it should be {', '.join(_QUERIES)}")
    for name in ("proxy", "proxy_tls", "admin"):
        if values.get(name):
            parse_address(values[name], flag="--" + name.replace("_", "-"))
    _check_tls(values)


def _check_tls(values: Mapping[str, Any]) -> None:
    if values.get("proxy_tls") and not values.get("tls_certificate"):
        hint = "name the files of one: --tls-certificate FILE --tls-key FILE"
        raise StartupError("--proxy-tls needs a certificate", hint=hint)
    for name in ("tls_certificate", "tls_key", "tls_client_ca"):
        if values.get(name) and not values.get("proxy_tls"):
            flag = "--" + name.replace("_", "-")
            hint = "say where to listen for https: --proxy-tls 127.0.0.1:8443"
            raise StartupError(f"{flag} is given, and nothing listens for https", hint=hint)


def parse_address(text: str, *, flag: str = "address") -> tuple[str, int]:
    """``host:port`` or ``[v6]:port`` or ``:port`` (every interface); raises StartupError."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise StartupError(f"{flag} is {text!r}; it should be host:port, such as 127.0.0.1:8080")
    return host.removeprefix("[").removesuffix("]") or "0.0.0.0", int(port)  # noqa: S104  the user asked for it


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


# The table and the dataclass say the same; a disagreement is a mistake of ours, found at import.
assert [(row.name, row.default) for row in SETTINGS] == [(field.name, field.default) for field in fields(Settings)]
