"""The embedded engine: serves a snapshot over HTTP/1.1 on one event loop.

Rule 1: a snapshot is compiled whole, then served by one assignment; requests in flight keep the one they began with.
Rule 2: nothing here waits: all work hangs on callbacks of the protocol objects.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
import time
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from coalmine.errors import Problem
from coalmine.feed.slices import forget, run_in_slices
from coalmine.feed.stats import RouteKey
from coalmine.routing.decision import Reply
from coalmine.routing.limit import RateLimits
from coalmine.routing.snapshot import EMPTY, Snapshot
from coalmine.routing.source import TrustedProxies
from coalmine.routing.steps import finish
from coalmine.routing.table import CompiledRoute, RouteTable
from proxy.embedded.access_log import AccessLog
from proxy.embedded.certificates import Certificates
from proxy.embedded.client import ClientConnection
from proxy.embedded.connector import Connector, close_distrusted
from proxy.embedded.endpoints import Cluster, update_clusters
from proxy.embedded.exchange import Exchange
from proxy.embedded.fields import FirstFields
from proxy.embedded.health import HealthChecks
from proxy.embedded.lane import Lanes, labels_of
from proxy.embedded.listener import TlsListener
from proxy.embedded.log_lines import Entry
from proxy.embedded.options import EngineOptions
from proxy.embedded.outbox import Outbox
from proxy.embedded.places import Places
from proxy.embedded.replies import answer_request, format_reply
from proxy.embedded.request import Request
from proxy.embedded.spans import Telemetry
from proxy.embedded.stats import Counters, Labels, Stats
from proxy.embedded.timeouts import Clock, Sweep
from proxy.embedded.upstream import close_expired
from proxy.embedded.ways import Ways

# Connections beyond the limit that may stand around at once to be told so. Where there are more, the first of them goes
# to make room for the next: it has had the longest time to read its answer.
MAX_TURNED_AWAY = 256
# Connections that may wait to be accepted; the kernel takes less where net.core.somaxconn says so.
BACKLOG = 4_096
# uvloop accepts one connection per turn of the loop from each server that it has, and a turn is long when sixty others
# are busy. Several servers on one socket accept as many, and a turn's cost is shared: under load a connection per
# request costs a fifth less than with one server. Eight would save some percent more; but all wake up for a single
# connection, and for the others the kernel says that there is none, at ten microseconds each (measured).
ACCEPTED_PER_TURN = 4
# How long idle connections stay open when the engine stops, for a request that is on its way already: closing under it
# would lose it. Clients that are busy send their next one within this time, and its answer says that it is the last.
PATIENCE_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Served:
    """What one snapshot became; replaced as a whole."""

    version: str
    table: RouteTable
    clusters: dict[str, Cluster]
    lanes: Lanes
    ways: Ways


class Engine:
    """``draw`` gives chance in [0, 1), ``now`` a monotonic time in seconds."""

    def __init__(
        self,
        options: EngineOptions | None = None,
        *,
        draw: Callable[[], float] = random.random,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.options = options or EngineOptions()
        self.draw = draw
        self.clock = Clock(now)
        self.draining = False
        self.trusted = TrustedProxies(self.options.trusted_proxies)
        self.limits = RateLimits(self.clock.read, workers=self.options.workers)
        self.stats_store = Stats()
        self.counters = self.stats_store.counters
        self.sweep = Sweep(self.clock, self._look_after)
        self.outbox = Outbox()
        self.first_fields = FirstFields()
        self.connector = Connector(self.options, self.counters, self.clock, self.outbox)
        self.health = HealthChecks(self.connector, self.sweep, self.counters, draw)
        self.served = self._make_served(RouteTable.compile(EMPTY), {})
        self.places = Places(self.options)
        self.mirrors = 0  # under way
        self._clients: set[ClientConnection] = set()
        self._turned_away: dict[ClientConnection, None] = {}  # in the order in which they came
        self._servers: list[asyncio.Server] = []
        self._listening: list[tuple[socket.socket, Callable[[], asyncio.Protocol]]] = []
        self._tls: TlsListener | None = None
        self._log: AccessLog | None = None
        if self.options.access_log:
            self._log = AccessLog(self.options.access_log, self.counters, queries=self.options.access_log_query)
        self.telemetry = make_telemetry(self.counters) if self.options.traces else None
        self.fast = self._log is None and self.telemetry is None  # neither asks for more than is counted
        # Unique without asking the kernel each time: chance per process, then a count.
        self._id_prefix = os.urandom(8).hex().encode()
        self._id_count = 0

    # The contract

    def apply(self, snapshot: Snapshot) -> None:
        """Serve ``snapshot`` from the next request on."""
        finish(self._apply_by_steps(snapshot))

    async def apply_gently(self, snapshot: Snapshot) -> None:
        """``apply``, one at a time, with turns for the requests that come meanwhile."""
        await run_in_slices(self._apply_by_steps(snapshot))

    def _apply_by_steps(self, snapshot: Snapshot) -> Generator[None, None, None]:
        if snapshot.version == self.served.version:
            return
        table = yield from RouteTable.compile_by_steps(snapshot, self.served.table)
        last, before = self.served, list_routes(self.served.table)
        self.served = self._make_served(table, self.served.clusters)
        kept: set[tuple[str, str]] = set()
        for route in list_routes(table):
            kept.add((route.served.definition.virtual_service, route.name))
            yield
        self.limits.keep({name for _, name in kept})
        yield from forget(before)
        yield from forget(last.ways.known)
        yield from forget(last.ways.families)
        yield from forget(last.lanes.known)

    def _make_served(self, table: RouteTable, clusters: dict[str, Cluster]) -> Served:
        clusters = update_clusters(clusters, table.snapshot.upstreams)
        self.health.plan(clusters.values())
        lanes = Lanes(clusters, self.stats_store, self.options.upstream_timeout_seconds)
        return Served(table.version, table, clusters, lanes, Ways(table, lanes))

    async def serve(self, sock: socket.socket) -> None:
        """Accept connections on ``sock``, a bound stream socket; returns once it does."""
        await self._listen(sock, lambda: ClientConnection(self))

    async def serve_tls(self, sock: socket.socket, certificates: Certificates) -> None:
        """As ``serve``, over TLS."""
        self._tls = TlsListener(self, certificates)
        await self._listen(sock, self._tls.accept)

    async def _listen(self, sock: socket.socket, accept: Callable[[], asyncio.Protocol]) -> None:
        loop = asyncio.get_running_loop()
        self.sweep.start(loop)
        self._listening.append((sock, accept))
        for one in [sock, *(sock.dup() for _ in range(ACCEPTED_PER_TURN - 1))]:
            self._servers.append(await loop.create_server(accept, sock=one, backlog=BACKLOG))

    def reload_certificates(self) -> str | None:
        """Read the files of the TLS listener now; why they could not be used, if so: then the old ones are kept."""
        return self._tls.certificates.reload() if self._tls is not None else None

    async def retire(self, seconds: float) -> None:
        """Accept nothing more, and wait until every client has gone; at most ``seconds``.

        Others accept from the same socket. A connection that idles is not closed for it: its next answer says that it
        closes, and its client loses nothing. It ends by its own limit, as it would have without us.
        """
        self._stop_accepting()
        await self._wait_for_clients(self.clock.read() + seconds)

    async def drain(self, grace_seconds: float) -> None:
        """Accept nothing more, let requests in flight finish, then end what is left."""
        if not self.draining:
            await self._accept_waiting()
        self._stop_accepting()
        end = self.clock.read() + grace_seconds
        await self._wait_for_clients(min(end, self.clock.read() + PATIENCE_SECONDS))
        await self._wait_for_clients(end, close_idle=True)
        for client in list(self._clients):
            client.transport.abort()
        if self._tls is not None:
            self._tls.abort()
        self.health.stop()
        await self.connector.close()
        self.sweep.stop()
        if self._log is not None:
            self._log.close()
        if self.telemetry is not None:
            await asyncio.to_thread(self.telemetry.close)

    def _stop_accepting(self) -> None:
        self.draining = True
        for server in self._servers:
            server.close()

    async def _accept_waiting(self) -> None:
        """Those that are connected already and wait to be accepted: closing the socket would reset them."""
        loop = asyncio.get_running_loop()
        for sock, accept in self._listening:
            with suppress(OSError):  # BlockingIOError: nobody waits any more
                while True:
                    connected, _ = sock.accept()
                    await loop.connect_accepted_socket(accept, connected)

    async def _wait_for_clients(self, end: float, *, close_idle: bool = False) -> None:
        while (self._clients or (self._tls and self._tls.handshakes)) and self.clock.read() < end:
            if close_idle:
                for client in list(self._clients):
                    client.stop_when_idle()
            await asyncio.sleep(0.02)

    def stats(self) -> dict[str, Any]:
        """Plain data; every number under ``requests`` and ``counters`` adds up across workers."""
        return {
            "version": self.served.version,
            "requests": self.stats_store.dump(),
            "gauges": self._gauges(),
            "counters": self.counters.dump(),
            "certificates": self._tls.certificates.tell() if self._tls is not None else [],
            "problems": list(map(asdict, self._list_problems())),
        }

    async def tell(self, counters: Mapping[str, Any], *, whole: bool, fold: Collection[RouteKey] = ()) -> str:
        """JSON of what has changed since the last call, or of the ``whole``, for ``coalmine.feed.stats.Told``.

        ``counters`` are somebody else's. Routes of ``fold`` are counted together from now on.
        """
        if fold:
            self.stats_store.fold(fold)
        gauges = {**self._gauges(), "certificate_expiry_timestamp_seconds": self._tell_certificates()}
        return await run_in_slices(self.stats_store.tell_by_steps(counters, gauges, self._list_problems(), whole=whole))

    def _tell_certificates(self) -> dict[str, int]:
        """Until when each is valid, by its file, in seconds since the epoch."""
        return {} if self._tls is None else {one["file"]: one["not_after"] for one in self._tls.certificates.tell()}

    def _gauges(self) -> dict[str, int]:
        endpoints = [endpoint for cluster in self.served.clusters.values() for endpoint in cluster.endpoints]
        now = self.clock.read()
        return {
            "client_connections": len(self._clients),
            "requests_in_flight": sum(client.busy for client in self._clients),
            "upstream_connections": len(self.connector.live),
            "upstream_connections_idle": sum(len(endpoint.idle) for endpoint in endpoints),
            "endpoints_unhealthy": sum(endpoint.down for endpoint in endpoints),
            "endpoints_ejected": sum(endpoint.ejected_until > now for endpoint in endpoints),
        }

    def _list_problems(self) -> Iterator[Problem]:
        """What is wrong here and now, and no definition can tell: files that cannot be used."""
        if self._tls is not None:
            yield from self._tls.certificates.list_problems()
        for cluster in self.served.clusters.values():
            fault = next((one.tls.problem for one in cluster.endpoints if one.tls is not None and one.tls.problem), "")
            if fault:
                yield Problem("tls_files_unusable", f"upstreams/{cluster.name}", fault)

    # For the connections

    def count_clients(self) -> int:
        return len(self._clients)

    def admit(self, client: ClientConnection) -> bool:
        """Count a new connection; False: there are too many, tell it so."""
        self.counters.connections += 1
        if len(self._clients) < self.options.max_connections:
            self._clients.add(client)
            self.sweep.watched.add(client)
            return True
        self.counters.connections_refused += 1
        if len(self._turned_away) >= MAX_TURNED_AWAY:
            first = next(iter(self._turned_away))
            self.leave(first)
            first.transport.close()
        self._turned_away[client] = None
        self.sweep.watched.add(client)
        return False

    def leave(self, client: ClientConnection) -> None:
        self._clients.discard(client)
        self._turned_away.pop(client, None)
        self.sweep.watched.discard(client)

    def identify(self, request: Request) -> bytes:
        """The request's id: the client's, or one that is made."""
        if not request.request_id:
            request.request_id = request.fields.request_id or self.make_id()
        return request.request_id

    def make_id(self) -> bytes:
        self._id_count += 1
        return b"%b%012x" % (self._id_prefix, self._id_count)

    def refuse(self, reply: Reply, source: str) -> bytes:
        """The answer to a message that is not a request: it has no route, so it is counted by its status alone."""
        self.counters.bad_requests += 1
        self.count_reply(reply)
        answer = format_reply(reply, close=True, date=self.sweep.date)
        labels, sent = ("", "", "", "", reply.status), count_content(answer)
        self.stats_store.find(labels).add(0.0, sent=sent)
        if self._log is not None and self._log.has_room():
            self._log.add(Entry(time.time(), None, source, labels, 0.0, None, 0, sent, 0, None, reply.code, ""))
        return answer

    def answer(self, exchange: Exchange, reply: Reply, *, close: bool) -> bytes:
        """The gateway's own answer."""
        self.count_reply(reply)
        answer = answer_request(exchange.request, reply, close=close, date=self.sweep.date)
        exchange.sent = count_content(answer)
        return answer

    def count_reply(self, reply: Reply) -> None:
        if reply.code is not None:
            self.counters.problem_replies[reply.code] += 1

    def record(self, exchange: Exchange) -> None:
        """Count a finished exchange; the clock was read when its last event came."""
        seconds = self.clock.last - exchange.started
        forward = exchange.forward
        if forward is not None:
            series = exchange.lane.series(forward, exchange.status)
        else:
            series = self.stats_store.find(_labels(exchange))
        series.add(seconds, exchange.upstream_seconds, exchange.received, exchange.sent)
        if self._log is not None and self._log.has_room():
            self._log.add(_make_entry(exchange, seconds))
        if exchange.trace is not None:
            exchange.trace.end(forward, exchange.reply, _labels(exchange), exchange.received, exchange.sent)

    def _look_after(self, now: float) -> None:
        """What the sweep does now and then: check endpoints, close connections that may not idle on."""
        if self._tls is not None:
            self._tls.certificates.look(now)
        self.health.start_due(now)
        for cluster in self.served.clusters.values():
            for endpoint in cluster.endpoints:
                close_expired(endpoint, now)
                close_distrusted(endpoint)


def make_telemetry(counters: Counters) -> Telemetry:
    """Imported only where traces are wanted: it is an extra, and large."""
    from proxy.embedded.telemetry import OpenTelemetry

    return OpenTelemetry(counters)


def count_content(answer: bytes) -> int:
    return len(answer) - answer.index(b"\r\n\r\n") - 4


def list_routes(table: RouteTable) -> list[CompiledRoute]:
    return [route for service in table.virtual_services for route in service.routes]


def _labels(exchange: Exchange) -> Labels:
    forward = exchange.forward
    if forward is not None:
        return labels_of(forward, exchange.status)
    reply = exchange.reply
    if reply is None or reply.route is None:
        return "", "", "", "", exchange.status
    route = reply.route.definition
    if reply.destination is None:
        return route.virtual_service, route.name, "", "", reply.status
    function, upstream = reply.destination.function or "", reply.destination.upstream
    return route.virtual_service, route.name, function, upstream, reply.status


def _make_entry(exchange: Exchange, seconds: float) -> Entry:
    request, endpoint, reply = exchange.request, exchange.endpoint, exchange.reply
    return Entry(
        time.time(),
        request,
        request.source,
        _labels(exchange),
        seconds,
        exchange.upstream_seconds,
        exchange.received,
        exchange.sent,
        exchange.tries,
        None if endpoint is None else endpoint.origin,
        None if reply is None else reply.code,
        "" if exchange.trace is None else f"{exchange.trace.trace_id:032x}",
    )
