"""Whether ``explain`` tells the truth: what it foretells of random requests against what upstreams really receive.

    python -m bench.explain_agrees [--check] [--requests N] [--seed N]

Starts a gateway of its own and recording upstreams, and makes random virtual services, routes and functions: every kind
of matcher, destination, parameter, rewrite, host, header edit, redirect and direct response. Each random request is
explained by ``POST /api/v1/match`` and then sent. What an upstream received must be the request of a destination that
has a share, and of the one that is called certain where one is; what the gateway answered itself must be the reply that
was foretold, by status and code. ``--check`` ends with status 1 where one differs.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import socket
import socketserver
import sys
import threading
from collections import Counter
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

from bench.random_traffic import make_configuration, make_request
from bench.write_to_served import ask, gateway

REQUESTS = 3_000
A_ROUND = 300  # requests to one configuration
SHOWN = 5  # differences that are printed


class Recorder(socketserver.StreamRequestHandler):
    """An upstream that answers with the very request it got."""

    def handle(self) -> None:
        while line := self.rfile.readline():
            fields = []
            while (field := self.rfile.readline().strip()) != b"":
                name, _, value = field.decode("latin-1").partition(":")
                fields.append((name.lower(), value.strip()))
            body = self.rfile.read(int(dict(fields).get("content-length", 0)))
            method, target, _ = line.decode("latin-1").split(" ")
            got = {"method": method, "target": target, "fields": fields, "body": body.decode("latin-1")}
            self.server.last = got  # type: ignore[attr-defined]
            text = json.dumps(got).encode()
            head = b"HTTP/1.1 200 OK\r\nx-recorded: 1\r\ncontent-length: %d\r\n\r\n" % len(text)
            self.wfile.write(head + (b"" if method == "HEAD" else text))


class Upstream(socketserver.ThreadingTCPServer):
    daemon_threads = True
    last: dict[str, Any] | None = None


def send(proxy: int, request: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    """Written by hand: clients of the library would mend what is sent."""
    fields = [["host", request["host"]], ["connection", "close"], *request["headers"]]
    body = request.get("body", "").encode()
    if body:
        fields.append(["content-length", str(len(body))])
    head = f"{request['method']} {request['path']} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in fields)
    with socket.create_connection(("127.0.0.1", proxy), timeout=10) as sock:
        sock.sendall(head.encode() + b"\r\n" + body)
        answer = http.client.HTTPResponse(sock, method=request["method"])
        answer.begin()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


def compare(
    foretold: dict[str, Any], got: tuple[int, dict[str, str], bytes], seen: dict[str, Any], body: str
) -> str | None:
    """What differs, or None. ``seen``: what each upstream received."""
    received = [(name, one) for name, one in seen.items() if one is not None]
    if len(received) > 1:
        return f"several upstreams were asked: {received}"
    outcomes = [one for one in foretold["destinations"] if one["share"] > 0]
    outcomes = [one for one in outcomes if one["certain"]] or outcomes
    if not received:
        replies = [one["reply"] for one in outcomes if one["reply"]] or [foretold["reply"]]
        return (
            None
            if any(reply and same_reply(reply, got) for reply in replies)
            else f"answered {got[0]} {got[2][:200]!r}"
        )
    name, request = received[0]
    wanted = [one["request"] for one in outcomes if one["upstream"] == name and one["request"]]
    faults = [find_fault(one, request, body) for one in wanted]
    return None if None in faults else f"{name} received {request}: {faults}"


def same_reply(reply: dict[str, Any], got: tuple[int, dict[str, str], bytes]) -> bool:
    status, headers, body = got
    code = json.loads(body)["code"] if body and headers.get("content-type") == "application/problem+json" else None
    told = reply["code"] if body else None  # an answer to HEAD has no body to compare
    return (
        status == reply["status"]
        and code == told
        and all(headers.get(k) == v for k, v in reply["headers"] if k == "location")
    )


def find_fault(wanted: dict[str, Any], request: dict[str, Any], body: str) -> str | None:
    parts = urlsplit(wanted["url"])
    target = wanted["url"].partition(parts.netloc)[2]
    fields = request["fields"]
    values: dict[str, list[str]] = {}
    for name, value in fields:
        values.setdefault(name, []).append(value)
    checks = [
        ("method", wanted["method"] == request["method"]),
        ("target", target == request["target"]),
        ("host", [wanted["host"]] == values.get("host")),
        ("body", request["body"] == ("" if wanted["body"] == "none" else body)),
    ]
    set_last = {name.lower(): value for name, value in wanted["set_headers"]}
    added = {name.lower() for name, _ in wanted["add_headers"]}
    checks += [(name, values.get(name, [])[:1] == [value]) for name, value in set_last.items()]
    checks += [(name, values.get(name.lower(), [])[-1:] == [value]) for name, value in wanted["add_headers"]]
    checks += [
        (name, name in set_last or name in added or name not in values)
        for name in map(str.lower, wanted["remove_headers"])
    ]
    return next((f"{name} differs from {wanted}" for name, fits in checks if not fits), None)


def put(connection: http.client.HTTPConnection, configuration: dict[str, Any]) -> tuple[int, bytes]:
    """Without the parameters that are refused: their function does not have them, or nothing binds what they name."""
    status, body = ask(connection, "PUT", "/api/v1/config", configuration)
    while status == 422:
        pointers = {tuple(error["pointer"].split("/")[1:]) for error in json.loads(body)["errors"]}
        refused = [pointer for pointer in pointers if len(pointer) == 6 and pointer[4] == "parameters"]
        if not refused:
            break
        for _, route, _, destination, _, name in refused:
            del configuration["routes"][int(route)]["destinations"][int(destination)]["parameters"][name]
        status, body = ask(connection, "PUT", "/api/v1/config", configuration)
    return status, body


def run_round(
    chance: random.Random, ports: tuple[int, int], upstreams: dict[str, Upstream], count: int, kinds: Counter[str]
) -> list[str]:
    """The differences of ``count`` requests to one configuration."""
    proxy, admin = ports
    connection = http.client.HTTPConnection("127.0.0.1", admin, timeout=60)
    made = make_configuration(chance, {name: one.server_address[1] for name, one in upstreams.items()})
    stages: tuple[dict[str, Any], ...] = ({**made, "routes": [], "virtual_services": made["virtual_services"]}, made)
    for stage in stages:
        status, body = put(connection, stage)
        if status >= 300:
            raise SystemExit(f"the configuration was refused: {status} {body.decode()[:2000]}")
        for name in upstreams:
            ask(connection, "POST", f"/api/v1/upstreams/{name}/probe")
    differences = []
    for _ in range(count):
        request = make_request(chance, made["routes"])
        status, body = ask(connection, "POST", "/api/v1/match", request)
        if status != 200:
            raise SystemExit(f"{request} cannot be explained: {body.decode()}")
        foretold = json.loads(body)
        for one in upstreams.values():
            one.last = None
        got = send(proxy, request)
        fault = compare(foretold, got, {name: one.last for name, one in upstreams.items()}, request.get("body", ""))
        kinds["sent" if "x-recorded" in got[1] else f"answered {got[0]}"] += 1
        if fault is not None:
            foretold_text = f"{foretold['route']} {json.dumps(foretold['destinations'])[:1500]} {foretold['reply']}"
            differences.append(f"{json.dumps(request)}\n    foretold: {foretold_text}\n    {fault}")
    return differences


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--requests", type=int, default=REQUESTS)
    parser.add_argument("--seed", type=int, default=None)
    given = parser.parse_args()
    seed = random.randrange(10**6) if given.seed is None else given.seed
    chance = random.Random(seed)
    kinds: Counter[str] = Counter()
    differences: list[str] = []
    with ExitStack() as stack:
        ports = stack.enter_context(gateway(1))
        upstreams = {name: stack.enter_context(Upstream(("127.0.0.1", 0), Recorder)) for name in ("up-a", "up-b")}
        for one in upstreams.values():
            threading.Thread(target=one.serve_forever, daemon=True).start()
            stack.callback(one.shutdown)
        for done in range(0, given.requests, A_ROUND):
            differences += run_round(chance, ports, upstreams, min(A_ROUND, given.requests - done), kinds)
    print(f"seed {seed}: {given.requests} requests, {len(differences)} not as explained")
    print("  " + ", ".join(f"{count} {kind}" for kind, count in kinds.most_common()))
    for difference in differences[:SHOWN]:
        print(f"  {difference}")
    return int(given.check and bool(differences))


if __name__ == "__main__":
    sys.exit(main())
