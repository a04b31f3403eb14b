"""What an exchange becomes when both sides have switched protocols (WebSocket): bytes, both ways.

Rule 1: each side may end on its own (half-close, RFC 9293 section 3.6); the other one still has its say, for a while.
Rule 2: nobody knows how long a tunnel may be silent, so only a long silence ends one (``tunnel_idle_seconds``); a peer
that has vanished does so sooner.
"""

from __future__ import annotations

import math
import socket
from typing import TYPE_CHECKING

from proxy.embedded.forwarding import write_tunnel_head
from proxy.embedded.outbox import Outlet
from proxy.embedded.places import leave_place
from proxy.embedded.response import Response

if TYPE_CHECKING:
    from proxy.embedded.exchange import Exchange

# When the kernel asks a silent peer whether it is still there, how often, and how many times before it gives up.
_KEEP_ALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}


def open_tunnel(exchange: Exchange, response: Response, data: bytes) -> None:
    """``data`` came behind the 101."""
    upstream, forward, protocol = exchange.upstream, exchange.forward, exchange.request.upgrade
    assert upstream is not None and forward is not None
    exchange.engine.counters.tunnels += 1
    leave_place(exchange)
    arm_tunnel(exchange)
    exchange.client.write(write_tunnel_head(response, forward, exchange.lane, protocol) + data)
    ahead = exchange.client.take_ahead()
    exchange.sent, exchange.received = len(data), len(ahead)
    upstream.write(ahead)
    _keep_alive(exchange.client.transport)
    _keep_alive(upstream.transport)


def arm_tunnel(exchange: Exchange) -> None:
    """Something has passed: the tunnel may be silent for another while."""
    engine = exchange.engine
    options = engine.options
    seconds = options.idle_timeout_seconds if exchange.half_closed else options.tunnel_idle_seconds or math.inf
    exchange.client.deadline = engine.clock.read() + seconds


def _keep_alive(transport: Outlet) -> None:
    connected = transport.get_extra_info("socket")
    if connected is not None:
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEP_ALIVE.items():
            if hasattr(socket, name):  # Linux has all of them
                connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def pass_end(exchange: Exchange, receiver: Outlet) -> bool:
    """One side sends no more: tell the other. Whether the tunnel goes on, the other way."""
    if receiver.is_closing() or not receiver.can_write_eof() or exchange.half_closed:
        return False  # TLS has no half; or it is the second end
    receiver.write_eof()
    exchange.half_closed = True
    arm_tunnel(exchange)
    return True
