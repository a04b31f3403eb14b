"""The proxies: how each is found, set up for one core, and told to rewrite /service-500/... to /api/...

The others do what they do best: they have one route where Coalmine has a thousand, change the path (and the method,
where they can: Envoy cannot), write nothing, keep connections to the upstream, with buffers and limits as their own
manuals advise for such loads.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.processes import PROXY_CORE, Process, pin, running
from bench.proxy.finding import describe_origin, find, find_version, library_environ
from bench.proxy.gateway import MAX_CONNECTIONS, NEAR_ROUTE, ROUTES, Gateway, make_routes
from bench.proxy.interpreters import ENVIRONMENT, look_at
from bench.proxy.upstream import free_port, wait_for
from coalmine import __version__

PATH = f"/service-{NEAR_ROUTE}/pets/7"
PREFIX = f"/service-{NEAR_ROUTE}/"
# what the functions that Coalmine calls ask for: GET pets/7 becomes POST, POST orders becomes PUT
METHODS = {"pets/": "POST", "orders": "PUT"}


@dataclass(frozen=True)
class Proxy:
    """One that runs."""

    name: str
    process: Process
    port: int
    gateway: Gateway | None = None  # of ours


@dataclass(frozen=True)
class Peer:
    name: str
    program: str
    # a folder of its own, its port, the upstream's port, how many routes: the command
    set_up: Callable[[Path, int, int, int], list[str]]
    environ: tuple[tuple[str, str], ...] = ()

    def is_there(self) -> bool:
        return find(self.program) is not None

    def version(self) -> str:
        return find_version(self.program)

    def origin(self) -> str:
        return describe_origin(self.program)

    def start(self, folder: Path, upstream: int, stack: ExitStack, *, routes: int = 1) -> Proxy:
        """RuntimeError where it does not start."""
        port = free_port()
        command = self.set_up(folder, port, upstream, routes)
        environ = {**library_environ(), "HOME": str(folder), **dict(self.environ)}
        process = stack.enter_context(running(pin(PROXY_CORE, command), environ=environ, folder=folder))
        wait_for(process, port, PATH if routes == 1 else "/service-0/pets/7")
        return Proxy(self.name, process, port)


@dataclass(frozen=True)
class Ours(Peer):
    python: str = sys.executable

    def is_there(self) -> bool:
        return Path(self.python).exists()

    def version(self) -> str:
        return __version__

    def origin(self) -> str:
        found = look_at(Path(self.python))
        return found.describe() if found else "an interpreter that does not answer"

    def start(self, folder: Path, upstream: int, stack: ExitStack, *, routes: int = ROUTES) -> Proxy:
        gateway = Gateway(folder, free_port(), cores=PROXY_CORE, python=self.python)
        process = gateway.start(stack)
        gateway.define(upstream, make_routes(routes))
        wait_for(process, gateway.port, "/service-0/pets/7")
        return Proxy(self.name, process, gateway.port, gateway)


def _set_up_nginx(folder: Path, port: int, upstream: int, _: int) -> list[str]:
    config = folder / "nginx.conf"
    locations = "".join(
        f"  location {PREFIX}{path} {{ proxy_method {method}; proxy_pass http://up/api/{path}; }}\n"
        for path, method in METHODS.items()
    )
    config.write_text(
        f"daemon off; worker_processes 1; error_log stderr crit; pid {folder}/pid;\n"
        f"events {{ worker_connections {MAX_CONNECTIONS + 2_000}; multi_accept on; }}\n"
        "http { access_log off; keepalive_requests 1000000000;\n"
        f" client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;\n"
        " proxy_buffers 8 128k; proxy_busy_buffers_size 256k; proxy_max_temp_file_size 0;\n"
        ' proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;\n'
        " proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n"
        f" upstream up {{ server 127.0.0.1:{upstream}; keepalive 1024; keepalive_requests 1000000000; }}\n"
        f" server {{ listen 127.0.0.1:{port} backlog=4096;\n{locations}"
        f"  location {PREFIX} {{ proxy_pass http://up/api/; }} }} }}\n"
    )
    return [find("nginx") or "nginx", "-e", "stderr", "-p", str(folder), "-c", str(config)]


def _set_up_haproxy(folder: Path, port: int, upstream: int, _: int) -> list[str]:
    config = folder / "haproxy.cfg"
    methods = "".join(
        f" http-request set-method {method} if {{ path_beg {PREFIX}{path} }}\n" for path, method in METHODS.items()
    )
    config.write_text(
        # its 16 KB of buffer cost half as much again for a stream
        f"global\n nbthread 1\n no strict-limits\n maxconn {MAX_CONNECTIONS}\n tune.bufsize 65536\n"
        "defaults\n mode http\n timeout connect 5s\n timeout client 75s\n timeout server 60s\n"
        " option http-keep-alive\n option forwardfor\n http-reuse always\n"
        f"frontend in\n bind 127.0.0.1:{port} backlog 4096\n{methods}"
        f" http-request set-path /api/%[path,bytes({len(PREFIX)})] if {{ path_beg {PREFIX} }}\n"
        f" default_backend up\nbackend up\n server one 127.0.0.1:{upstream}\n"
    )
    return [find("haproxy") or "haproxy", "-db", "-f", str(config)]


def _set_up_envoy(folder: Path, port: int, upstream: int, routes: int) -> list[str]:
    prefixes = [PREFIX] if routes == 1 else [f"/service-{number}/" for number in range(routes)]
    config = folder / "envoy.json"
    config.write_text(json.dumps(_configure_envoy(port, upstream, prefixes)))
    options = ["--concurrency", "1", "--disable-hot-restart", "-l", "error"]
    return [find("envoy") or "envoy", "-c", str(config), *options]


def _configure_envoy(port: int, upstream: int, prefixes: list[str]) -> dict[str, Any]:
    def address(number: int) -> dict[str, Any]:
        return {"socket_address": {"address": "127.0.0.1", "port_value": number}}

    extensions = "type.googleapis.com/envoy.extensions.filters"
    router = f"{extensions}.http.router.v3.Router"
    routes = [
        {"match": {"prefix": prefix}, "route": {"cluster": "up", "prefix_rewrite": "/api/"}} for prefix in prefixes
    ]
    manager = {
        "@type": f"{extensions}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "in",
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": router}}],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address(upstream)}}]}]
    limits = dict.fromkeys(("max_connections", "max_pending_requests", "max_requests"), MAX_CONNECTIONS)
    cluster = {
        "name": "up",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "up", "endpoints": endpoints},
        "circuit_breakers": {"thresholds": [limits]},
    }
    listener = {"name": "in", "address": address(port), "filter_chains": [{"filters": filters}]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def _set_up_caddy(folder: Path, port: int, upstream: int, _: int) -> list[str]:
    config = folder / "Caddyfile"
    methods = "".join(f"  @{method} path /{path}*\n  method @{method} {method}\n" for path, method in METHODS.items())
    config.write_text(
        "{\n admin off\n auto_https off\n log {\n  output discard\n }\n}\n"
        f"http://127.0.0.1:{port} {{\n handle_path {PREFIX}* {{\n{methods}  rewrite * /api{{uri}}\n"
        f"  reverse_proxy 127.0.0.1:{upstream} {{\n   transport http {{\n    keepalive_idle_conns_per_host 1024\n"
        "   }\n  }\n }\n}\n"
    )
    return [find("caddy") or "caddy", "run", "--config", str(config), "--adapter", "caddyfile"]


OURS = Ours("Coalmine", "python", lambda *_: [])
# the same on the distribution's interpreter, see ``bench.proxy.interpreters``; headline figures are those of OURS
OPTIMISED = Ours("Coalmine (PGO)", "python", lambda *_: [], python=str(ENVIRONMENT / "bin" / "python"))
PEERS: tuple[Peer, ...] = (
    OURS,
    OPTIMISED,
    Peer("nginx", "nginx", _set_up_nginx),
    Peer("HAProxy", "haproxy", _set_up_haproxy),
    Peer("Envoy", "envoy", _set_up_envoy),
    Peer("Caddy", "caddy", _set_up_caddy, (("GOMAXPROCS", "1"),)),
)
