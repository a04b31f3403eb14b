"""The case table through the engine, over sockets: the same rows that the pure ``decide`` is held to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, repeat

import pytest

from tests.proxy.support.client import Answer as Answered
from tests.proxy.support.client import RawClient, request
from tests.proxy.support.gateway import Gateway, define
from tests.proxy.support.upstream import RawUpstream, sane
from tests.support.cases import CASES, Answer, Call, Case
from tests.support.dry import has_standing

STANDING = [case for case in CASES if has_standing(case)]


class Bench:
    """A gateway, and a raw upstream for each name in the table."""

    def __init__(self, gateway: Gateway, upstreams: dict[str, RawUpstream]) -> None:
        self.gateway = gateway
        self.upstreams = upstreams

    def run(self, case: Case, *, again: bool = False) -> Answered:
        """``again``: once before, as if for the first time."""
        self.gateway.apply(case.with_endpoints({name: up.origin for name, up in self.upstreams.items()}))
        self.gateway.call(lambda: self._prepare(case))
        with RawClient(self.gateway.address, source=case.request.source) as client:
            for _ in range(case.earlier + again):
                client.ask(_raw(case), head=case.request.method == "HEAD")
            self.gateway.call(lambda: self._set_chance(case))
            for upstream in self.upstreams.values():
                upstream.seen.clear()
            return client.ask(_raw(case), head=case.request.method == "HEAD")

    def _prepare(self, case: Case) -> None:
        engine = self.gateway.engine
        engine.limits.keep(())
        self._set_chance(case)
        engine.options = replace(engine.options, max_read_body_bytes=case.body_limit)

    def _set_chance(self, case: Case) -> None:
        self.gateway.engine.draw = chain(case.draws, repeat(0.5)).__next__


def _raw(case: Case) -> bytes:
    asked = case.request
    headers = [f"{name}: {value}" for name, value in asked.headers]
    return request(asked.method, asked.target, *headers, body=asked.body, host=asked.host)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with RawUpstream() as v1, RawUpstream() as v2, Gateway(define()) as gateway:
        yield Bench(gateway, {"v1": v1, "v2": v2})


@pytest.mark.parametrize("case", CASES, ids=[f"{case.group}: {case.name}" for case in CASES])
def test_the_engine_does_what_the_row_says(bench: Bench, case: Case) -> None:
    _check(bench, case, bench.run(case))


@pytest.mark.parametrize("case", STANDING, ids=[f"{case.group}: {case.name}" for case in STANDING])
def test_and_the_same_again_from_memory(bench: Bench, case: Case) -> None:
    _check(bench, case, bench.run(case, again=True))


def _check(bench: Bench, case: Case, answered: Answered) -> None:
    if isinstance(case.expected, Call):
        _check_call(bench, case, case.expected, answered)
    else:
        _check_answer(bench, case, case.expected, answered)


def _check_call(bench: Bench, case: Case, expected: Call, answered: Answered) -> None:
    assert answered.status == 200, answered
    copies = 0 if expected.mirror is None or expected.mirror[0] != expected.upstream else 1
    seen = bench.upstreams[expected.upstream].wait(1 + copies)
    called = [one for one in seen if (one.method, one.target) == (expected.method, expected.target)]
    assert called, [(one.method, one.target) for one in seen]
    assert all(sane(one.head) for one in seen)
    assert called[0].body == (case.request.body if expected.body is None else expected.body)
    _check_headers(called[0].headers, (*expected.headers, *expected.edited), (*expected.absent, *expected.gone))
    _check_headers(answered.headers, (*expected.adds, *expected.answered), ())
    if expected.mirror is not None:
        name, method, target = expected.mirror
        copied = bench.upstreams[name].wait(1 + copies)
        assert (method, target) in [(one.method, one.target) for one in copied]


def _check_answer(bench: Bench, case: Case, expected: Answer, answered: Answered) -> None:
    assert (answered.status, answered.complete) == (expected.status, True)
    assert not any(upstream.seen for upstream in bench.upstreams.values())
    _check_headers(answered.headers, expected.headers, expected.absent)
    if case.request.method == "HEAD":
        return
    if expected.code is not None:
        content = json.loads(answered.body)
        assert content["code"] == expected.code
        assert {name: content.get(name) for name, _ in expected.members} == dict(expected.members)
    assert expected.body is None or answered.body == expected.body


def _check_headers(found: Sequence[tuple[str, str]], wanted: Sequence[tuple[str, str]], absent: Sequence[str]) -> None:
    for name, value in wanted:
        values = [text for key, text in found if key == name.lower()]
        joined = ",".join(values)  # RFC 9110 section 5.3; a field that should not be there twice makes another value
        matches = joined.startswith(value[:-1]) if value.endswith("*") and value != "*" else joined == value
        assert matches, (name, values)
    assert not {key for key, _ in found} & {name.lower() for name in absent}
