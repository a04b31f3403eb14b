"""What becomes of traceparent and tracestate where no spans are made: passed on as they came, or ended here."""

from __future__ import annotations

import pytest

from tests.proxy.support.client import request
from tests.proxy.support.gateway import Gateway
from tests.proxy.support.upstream import RawUpstream

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
VALID = f"00-{TRACE}-{SPAN}-01"
STATE = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"

PARENTS = [
    pytest.param(VALID, True, id="valid"),
    pytest.param(f"00-{TRACE}-{SPAN}-00", True, id="not sampled"),
    pytest.param(f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be", True, id="of a later version"),
    pytest.param(f"cc-{TRACE}-{SPAN}-01", True, id="of a later version that adds nothing"),
    pytest.param(f"ff-{TRACE}-{SPAN}-01", False, id="of the version that is forbidden"),
    pytest.param(f"00-{TRACE}-{SPAN}-01-more", False, id="longer than its version allows"),
    pytest.param(f"cc-{TRACE}-{SPAN}-01.more", False, id="of a later version, without a dash"),
    pytest.param(f"00-{'0' * 32}-{SPAN}-01", False, id="no trace"),
    pytest.param(f"00-{TRACE}-{'0' * 16}-01", False, id="no parent"),
    pytest.param(f"00-{TRACE.upper()}-{SPAN}-01", False, id="upper case"),
    pytest.param(f"00-{TRACE[:-1]}-{SPAN}-01", False, id="short"),
    pytest.param("", False, id="empty"),
    pytest.param("nonsense", False, id="nonsense"),
]


def forwarded(gateway: Gateway, upstream: RawUpstream, *headers: str) -> tuple[list[str], list[str]]:
    with gateway.client() as client:
        assert client.ask(request("GET", "/", *headers)).status == 200
    seen = upstream.seen[-1]
    return seen.values("traceparent"), seen.values("tracestate")


@pytest.mark.parametrize(("parent", "valid"), PARENTS)
def test_a_valid_parent_goes_on_and_another_ends_here_with_its_state(
    gateway: Gateway, upstream: RawUpstream, parent: str, valid: bool
) -> None:
    found = forwarded(gateway, upstream, f"traceparent: {parent}", f"Tracestate: {STATE}")
    assert found == (([parent], [STATE]) if valid else ([], []))


def test_two_parents_are_none(gateway: Gateway, upstream: RawUpstream) -> None:
    assert forwarded(gateway, upstream, f"traceparent: {VALID}", f"traceparent: {VALID}") == ([], [])


def test_a_state_without_a_parent_ends_here(gateway: Gateway, upstream: RawUpstream) -> None:
    assert forwarded(gateway, upstream, f"tracestate: {STATE}") == ([], [])


def test_lines_of_a_state_are_one(gateway: Gateway, upstream: RawUpstream) -> None:
    found = forwarded(gateway, upstream, f"traceparent: {VALID}", "tracestate: a=1", "tracestate: b=2")
    assert found == ([VALID], ["a=1, b=2"])


STATES = [
    pytest.param("a=1", True, id="one"),
    pytest.param("fw529a3039@dt=FfffffFf", True, id="of a tenant"),
    pytest.param("a=1,,b=2", True, id="an empty member"),
    pytest.param(",".join(f"k{n}=v" for n in range(32)), True, id="32 members"),
    pytest.param("a=" + "x" * 256, True, id="a long value"),
    pytest.param(",".join(f"k{n}=v" for n in range(33)), False, id="33 members"),
    pytest.param("a=1,a=2", False, id="a key twice"),
    pytest.param("A=1", False, id="a key in upper case"),
    pytest.param("a", False, id="no value"),
    pytest.param("a=1=2", False, id="a value with an equals sign"),
    pytest.param("a=" + "x" * 257, False, id="a value that is too long"),
]


@pytest.mark.parametrize(("state", "valid"), STATES)
def test_a_malformed_state_ends_here_alone(gateway: Gateway, upstream: RawUpstream, state: str, valid: bool) -> None:
    found = forwarded(gateway, upstream, f"traceparent: {VALID}", f"tracestate: {state}")
    assert found == ([VALID], [state] if valid else [])
