"""The fast path: a request that is there as a whole, is sent on by what its line says, and answered in one piece.

Nearly all requests are of that kind. For them this spares what Exchange is ready for: other tries, bodies that come in
pieces, tunnels, interim answers, answers in pieces.

Rule 1: what happens here is what Exchange would have done. Where anything else comes up, the request grows into an
        Exchange, which goes on from there as if it had had it from the beginning.
Rule 2: a connection has one of these and uses it again, for one request after the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.embedded.exchange import Exchange
from proxy.embedded.fields import NO_FIELDS, RequestFields
from proxy.embedded.forwarding import onward, repeat_response_head
from proxy.embedded.grammar import QUERY
from proxy.embedded.options import MAX_TARGET_BYTES
from proxy.embedded.outbox import Piece
from proxy.embedded.request import Request, parse_line
from proxy.embedded.response import Response
from proxy.embedded.sending import PassOn
from proxy.embedded.upstream import Failure, Sender, UpstreamConnection, take_idle
from proxy.embedded.ways import Crossing, Way

if TYPE_CHECKING:
    from proxy.embedded.client import ClientConnection
    from proxy.embedded.endpoints import Cluster, Endpoint
    from proxy.embedded.engine import Engine

_VERSION = b" HTTP/1.1"
# Stands for all that come here where the head of an answer is written: of those it depends on nothing else.
_ANY = Request("GET")


class FastExchange(Sender):
    """What both connections talk to while nothing out of the ordinary happens."""

    __slots__ = (
        "_body",
        "_client",
        "_cluster",
        "_endpoint",
        "_engine",
        "_fields",
        "_line",
        "_request_id",
        "_started",
        "_upstream",
        "_way",
    )

    request_done = True
    tunnelling = False
    _way: Way
    _cluster: Cluster
    _endpoint: Endpoint
    _upstream: UpstreamConnection | None

    def __init__(self, engine: Engine, client: ClientConnection) -> None:
        self._engine = engine
        self._client = client
        self._line = self._request_id = self._body = b""
        self._fields = NO_FIELDS
        self._started = 0.0

    def begin(self, line: bytes, fields: RequestFields, body: bytes) -> bool:
        """Send the request on that has ``fields`` and ``line``; False: it is none for here, and nothing was done.

        ``body``: empty where ``fields`` announce none.
        """
        if line[-9:] != _VERSION or len(line) > MAX_TARGET_BYTES:
            return False
        start, question, query = line[:-9].partition(b"?")
        if question and QUERY.fullmatch(query) is None:
            return False
        engine = self._engine
        way = engine.served.ways.recall(fields.host, start)
        if way is None or not way.fast or (body and not way.streams):
            return False
        self._line = line
        self._body = body
        self._fields = fields
        return self._send(way.choose(engine.draw) if isinstance(way, Crossing) else way, question + query)

    def _send(self, way: Way, query: bytes) -> bool:
        engine, fields = self._engine, self._fields
        cluster = way.lane.cluster
        places = engine.places
        assert cluster is not None
        budget = cluster.budget
        if places.taken >= places.most or budget.requests >= (cluster.max_requests or places.most_of_one):
            self._body = b""  # a connection that idles keeps nothing
            return False
        places.taken += 1
        budget.requests += 1
        now = self._started = engine.clock.read()
        self._way = way
        self._cluster = cluster
        endpoint = self._endpoint = cluster.pick(now)
        request_id = self._request_id = fields.request_id or engine.make_id()
        self._client.deadline = now + way.lane.patience
        connection = self._upstream = take_idle(endpoint) if endpoint.idle else None
        if connection is None:
            self.grow()
            return True
        engine.counters.upstream_connections_reused += 1
        block = fields.onward or self._write_onward()
        data = way.write_head(query, fields.authority, endpoint.authority, block, request_id, fields.framing)
        connection.send(self, way.method, data + self._body if self._body else data)
        return True

    def _write_onward(self) -> bytes:
        """Once for all requests of a client that repeat its fields."""
        client, fields = self._client, self._fields
        request = Request("GET", host=fields.host, source=client.source, scheme=client.scheme)
        request.fields = fields
        request.authority = fields.authority
        return onward(request)

    def response_whole(self, response: Response, body: Piece) -> None:
        engine, client = self._engine, self._client
        if response.status >= 400 or engine.draining:
            self.grow().response_whole(response, body)
            return
        way = self._way
        lane = way.lane
        self._endpoint.failures = 0
        last = self._fields.close
        client.write_message(repeat_response_head(response, way.forward, lane, _ANY, close=last), body)
        engine.places.taken -= 1
        self._cluster.budget.requests -= 1
        series = lane.series(way.forward, response.status)
        series.add_whole(engine.clock.read() - self._started, len(body))
        if self._body:
            series.request_bytes += len(self._body)
            self._body = b""
        client.exchange_done(self, not last)

    # An answer in one piece is written whole, however slowly the client reads, and no other request begins meanwhile.
    # One in pieces is an exchange's, which looks at the client when it takes over.

    def client_full(self) -> None:
        return

    def client_drained(self) -> None:
        return

    # Whatever else happens is the business of an exchange.

    def grow(self) -> Exchange:
        fields, client = self._fields, self._client
        line = self._line
        request = parse_line(line, len(line), fields, client.source, client.scheme)
        assert isinstance(request, Request)  # the same line has come before, and was one
        request.request_id = self._request_id
        exchange = Exchange(self._engine, client, request)
        client.replace_exchange(exchange)
        exchange.started = exchange.sent_at = self._started
        if self._body:
            self._hand_over_body(exchange)
        else:
            exchange.way, exchange.forward = self._way, self._way.forward_for(request)
        exchange.take_over(self._way.lane, self._endpoint, self._upstream, self._started)
        return exchange

    def _hand_over_body(self, exchange: Exchange) -> None:
        body, self._body = self._body, b""
        exchange.forward = self._way.forward_for(exchange.request)
        exchange.received = len(body)
        exchange.sink = sink = PassOn(self._client, False, self._engine.options.max_replay_body_bytes)
        sink.receive(body, True, b"")
        if self._upstream is not None:
            sink.attach(self._upstream)  # which has it already

    def upstream_failed(self, failure: Failure, detail: str) -> None:
        self.grow().upstream_failed(failure, detail)

    def upstream_full(self) -> None:
        self.grow().upstream_full()

    def upstream_drained(self) -> None:
        self.grow().upstream_drained()

    def upstream_ended(self) -> bool:
        return False  # no tunnel: what the upstream still owes will be missed
