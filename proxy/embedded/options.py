"""What the engine may be told, and the limits nobody needs to tell it. This file performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

from coalmine.settings import Settings

Queries = Literal["names", "full", "none"]

# A request target longer than this is no address any more; nginx and Apache stop at 8 KB.
MAX_TARGET_BYTES = 16_384
# Real requests have 10 to 40 fields; parsing cost grows with their number, so it ends somewhere.
MAX_FIELDS = 256
# What a client may have sent ahead (pipelined requests, bytes behind an upgrade) before it has to wait.
MAX_AHEAD_BYTES = 65_536
# Empty lines before a request; who sends more of them sends no requests.
MAX_EMPTY_LINES = 8
# A body nobody wants is read up to here to keep the connection; beyond, closing is cheaper.
MAX_DISCARD_BYTES = 262_144
# After an answer that leaves the request unread the client gets this long to read it before the connection goes
# (RFC 9112 section 9.6: closing at once would reset it and lose the answer).
LINGER_SECONDS = 3.0
# What is recorded for a client that left before its answer was complete (nginx's number for it).
CLIENT_LEFT = 499
# A body that a client withholds (Expect: 100-continue) is called for after this, if the upstream says nothing.
CONTINUE_SECONDS = 1.0
# Shorter than the keep-alive of common servers (Node and uvicorn 5 s, nginx 75 s) costs nothing but a handshake;
# a server that announces less (Keep-Alive: timeout=5) is believed.
UPSTREAM_IDLE_SECONDS = 55.0
# Connections kept idle per endpoint and worker. Fewer than there are requests at once, and most of them connect anew:
# with 256, a thousand clients at once cost twice as much per request as 64 (`make bench`).
MAX_IDLE_PER_ENDPOINT = 1_024


# Of the requests that a worker may have in flight, what one upstream may take where its definition does not say: those
# of an upstream that never answers must leave room for the others.
SHARE_OF_ONE_UPSTREAM = 0.8
# As a number of requests in flight: no limit.
UNLIMITED = 1 << 62


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Limits of one worker, as ``coalmine.settings`` explains them."""

    max_header_bytes: int = 65_536
    max_read_body_bytes: int = 1_048_576
    max_replay_body_bytes: int = 65_536
    header_timeout_seconds: float = 30.0
    idle_timeout_seconds: float = 75.0
    upstream_timeout_seconds: float = 60.0
    connect_timeout_seconds: float = 5.0
    tunnel_idle_seconds: float = 3600.0
    max_connections: int = 10_000
    max_requests: int = 5_000  # 0: no limit
    allow_link_local: bool = False
    trusted_proxies: tuple[str, ...] = ()
    workers: int = 1  # this one and its likes, which share rate limits
    access_log: str = ""
    access_log_query: Queries = "names"
    traces: bool = False

    @property
    def most_requests(self) -> int:
        return self.max_requests or UNLIMITED

    @property
    def most_requests_of_one(self) -> int:
        """To one upstream."""
        return max(1, int(self.max_requests * SHARE_OF_ONE_UPSTREAM)) if self.max_requests else UNLIMITED

    @classmethod
    def from_settings(cls, settings: Settings) -> EngineOptions:
        return cls(
            max_header_bytes=settings.max_header_bytes,
            max_read_body_bytes=settings.max_read_body_bytes,
            max_replay_body_bytes=settings.max_replay_body_bytes,
            header_timeout_seconds=settings.header_timeout_seconds,
            idle_timeout_seconds=settings.idle_timeout_seconds,
            upstream_timeout_seconds=settings.upstream_timeout_seconds,
            connect_timeout_seconds=settings.connect_timeout_seconds,
            tunnel_idle_seconds=settings.tunnel_idle_seconds,
            max_connections=settings.max_connections,
            max_requests=settings.max_requests,
            allow_link_local=settings.allow_link_local,
            trusted_proxies=settings.trusted_networks,
            workers=settings.worker_count,
            access_log=settings.access_log,
            traces=settings.traces,
            access_log_query=cast(Queries, settings.access_log_query),
        )
