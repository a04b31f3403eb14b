"""How an exchange stands. One is made per request, so what is rare is a class attribute until an exchange has it."""

from __future__ import annotations

import asyncio

from coalmine.routing.decision import Forward, Reply
from proxy.embedded import retry
from proxy.embedded.endpoints import Endpoint
from proxy.embedded.lane import Lane
from proxy.embedded.sending import BodySink
from proxy.embedded.upstream import UpstreamConnection


class Standing:
    forward: Forward | None = None
    reply: Reply | None = None
    lane: Lane
    endpoint: Endpoint | None = None
    upstream: UpstreamConnection | None = None
    sink: BodySink | None = None  # where the request's body goes; None: nowhere
    status = 0
    sent_at = 0.0
    upstream_seconds: float | None = None
    received = sent = 0  # bytes of content, of the request and of the answer
    tries = 0  # how often an endpoint was asked
    request_done = True
    over = False
    tunnelling = False
    half_closed = False  # one side of the tunnel has ended
    _withheld = False  # the client waits for 100 (Continue) before it sends its body
    _begun = False  # a byte of the final answer has gone to the client
    _close = False  # the client's connection ends with this exchange
    _fresh = False  # no pooled connection for the next try
    _attempt: asyncio.Task[None] | None = None  # to connect
    budget: retry.RetryBudget | None = None  # of the upstream, once this request has a place there
    _retrying = False
    _limit = 0.0  # until when the response head must have come
    _timer: asyncio.TimerHandle | None = None
