"""Endpoints that fail leave and come back: by their answers and by checks, over sockets, on a clock of the test's."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import pytest

from coalmine.model import Definitions, Upstream
from proxy.embedded import health
from proxy.embedded.endpoints import FIRST_EJECTION
from tests.proxy.support.client import RawClient, eventually, request
from tests.proxy.support.gateway import Gateway, define, route
from tests.proxy.support.upstream import Peer, RawUpstream, Script, Seen, answer, free_port, ok, reset, silent

FAILS = answer(ok(b"", status="500 Oops"))
ONE = {"path": "/up", "interval_seconds": 1, "healthy_after": 1, "unhealthy_after": 1}


class Hands:
    """A clock that also moves when the test moves it."""

    def __init__(self) -> None:
        self.moved = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.moved


def checked(check: dict[str, Any] | None, *endpoints: str) -> Definitions:
    upstream = Upstream.model_validate({"name": "up", "endpoints": endpoints, "health_check": check})
    return replace(define(route()), upstreams=(upstream,))


def ask_often(client: RawClient, times: int = 10) -> Counter[int]:
    return Counter(client.ask(request()).status for _ in range(times))


def gauge(gateway: Gateway, name: str) -> int:
    return int(gateway.stats()["gauges"][name])


def test_an_ejected_endpoint_comes_back_after_a_while_and_goes_again_at_once() -> None:
    clock = Hands()
    with RawUpstream() as good, RawUpstream(FAILS) as bad:
        with Gateway(define(route(), up=(good.origin, bad.origin)), now=clock) as gateway, gateway.client() as client:
            assert ask_often(client, 20)[500] == 5
            clock.moved += FIRST_EJECTION + 0.1
            assert ask_often(client, 20)[500] == 1  # on trial, and out again, twice as long
            clock.moved += FIRST_EJECTION + 0.1
            assert ask_often(client, 20)[500] == 0
            bad.script = answer(ok(b"mended"))
            clock.moved += FIRST_EJECTION + 0.1
            assert ask_often(client, 20) == {200: 20}
            assert gauge(gateway, "endpoints_ejected") == 0
            assert gateway.stats()["counters"]["ejections"] == 2
        assert len([seen for seen in bad.seen if seen.complete]) == 6 + 10


def test_when_all_fail_half_of_them_stay() -> None:
    with (
        RawUpstream(FAILS) as one,
        RawUpstream(FAILS) as two,
        Gateway(define(route(), up=(one.origin, two.origin))) as gateway,
        gateway.client() as client,
    ):
        assert ask_often(client, 40) == {500: 40}
        assert gauge(gateway, "endpoints_ejected") == 1


def healthy_if(flag: list[int], status: str) -> Script:
    """Answers checks by the flag, and everything else with 200."""

    def script(peer: Peer, seen: Seen) -> None:
        peer.send(ok(b"", status=status) if seen.target == "/up" and flag[0] else ok(b"ok"))

    return script


@contextmanager
def checking(script: Script, **more: Any) -> Iterator[tuple[Gateway, Hands, RawUpstream]]:
    clock = Hands()
    with RawUpstream() as other, RawUpstream(script) as upstream:
        definitions = checked({**ONE, **more}, other.origin, upstream.origin)
        with Gateway(definitions, now=clock, draw=lambda: 0.5) as gateway:
            yield gateway, clock, upstream


def pass_time(clock: Hands, until: Any) -> bool:
    """Let a second pass, again and again, until something is so."""

    def step() -> bool:
        clock.moved += 0.5
        return bool(until())

    return eventually(step)


def test_checks_take_an_endpoint_out_and_bring_it_back_without_a_request() -> None:
    sick = [1]
    with checking(healthy_if(sick, "503 Sick")) as (gateway, clock, upstream), gateway.client() as client:
        assert pass_time(clock, lambda: gauge(gateway, "endpoints_unhealthy") == 1)
        upstream.seen.clear()
        assert ask_often(client) == {200: 10}
        assert all(seen.target == "/up" for seen in upstream.seen)
        sick[0] = 0
        assert pass_time(clock, lambda: gauge(gateway, "endpoints_unhealthy") == 0)
        ask_often(client)
        assert "/" in {seen.target for seen in upstream.seen}


def test_a_check_is_a_request_of_its_own() -> None:
    with checking(answer(ok(b"up"))) as (_gateway, clock, upstream):
        assert pass_time(clock, lambda: len(upstream.seen) >= 2)
        first, second = upstream.seen[:2]
        assert (first.method, first.target, first.values("host")) == ("GET", "/up", [f"127.0.0.1:{upstream.port}"])
        assert first.values("user-agent") == ["coalmine-health-check"]
        assert first.connection != second.connection


BAD: list[tuple[str, Script, dict[str, Any]]] = [
    ("another status", answer(ok(b"")), {"expected_status": 204}),
    ("silence", silent, {"timeout_seconds": 0.2}),
    ("a reset", reset, {}),
    ("nonsense", answer(b"SSH-2.0\r\n\r\n"), {}),
    ("another protocol", answer(b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"), {}),
]


@pytest.mark.parametrize(("script", "more"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_a_check_fails_on(script: Script, more: dict[str, Any]) -> None:
    if "expected_status" in more:
        more = {**more, "path": "/other"}
    with checking(script, **more) as (gateway, clock, _upstream):
        assert pass_time(clock, lambda: gauge(gateway, "endpoints_unhealthy") >= 1)


def test_nobody_there_fails_a_check_and_it_takes_as_many_as_it_says() -> None:
    clock = Hands()
    policy = {**ONE, "unhealthy_after": 3}
    with RawUpstream() as upstream:
        definitions = checked(policy, upstream.origin, f"http://127.0.0.1:{free_port()}")
        with Gateway(definitions, now=clock, draw=lambda: 0.5) as gateway:
            failed = lambda: gateway.stats()["counters"]["health_checks_failed"]  # noqa: E731
            assert pass_time(clock, lambda: failed() == 2)
            assert gauge(gateway, "endpoints_unhealthy") == 0
            assert pass_time(clock, lambda: failed() >= 3)
            assert gauge(gateway, "endpoints_unhealthy") == 1


def test_a_snapshot_without_the_check_ends_it_and_forgets() -> None:
    sick = [1]
    with checking(healthy_if(sick, "503 Sick")) as (gateway, clock, upstream):
        assert pass_time(clock, lambda: gauge(gateway, "endpoints_unhealthy") == 1)
        gateway.apply(checked(None, upstream.origin, "http://127.0.0.1:1"))
        assert gauge(gateway, "endpoints_unhealthy") == 0
        count = gateway.stats()["counters"]["health_checks"]
        clock.moved += 10
        time.sleep(0.7)
        assert gateway.stats()["counters"]["health_checks"] == count


def test_a_snapshot_with_the_same_check_goes_on_with_it() -> None:
    sick = [1]
    with checking(healthy_if(sick, "503 Sick")) as (gateway, clock, upstream):
        assert pass_time(clock, lambda: gauge(gateway, "endpoints_unhealthy") == 1)
        gateway.apply(checked(ONE, upstream.origin))
        assert gauge(gateway, "endpoints_unhealthy") == 1


def test_only_so_many_checks_run_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "MAX_CHECKS", 2)
    with ExitStack() as stack:
        origins = [stack.enter_context(RawUpstream(silent)).origin for _ in range(5)]
        policy = {**ONE, "timeout_seconds": 0.2}
        gateway = stack.enter_context(Gateway(checked(policy, *origins), draw=lambda: 0.0))
        running = set()

        def all_are_down() -> bool:
            running.add(len(gateway.engine.health.running))
            return gauge(gateway, "endpoints_unhealthy") == 5

        assert eventually(all_are_down)
        assert max(running) == 2
